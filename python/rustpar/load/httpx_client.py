"""Records the requests of httpx: by its transports, and with kept connections for ``httpx.get`` and its like."""

from __future__ import annotations

import contextlib
import copy
import functools
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractContextManager

    from rustpar.load.http import Patches, Request, Requests

# The bytes of a request line or status line besides its words, and of a line that ends the headers.
_LINES = 16

# The bytes between the name and the value of a header, and after it.
_HEADER = 4


def instrument(requests: Requests, patches: Patches) -> None:
    """Record the requests of all transports that httpx has, and keep connections."""
    for transport in (httpx.HTTPTransport, httpx.WSGITransport):
        patches.replace(transport, "handle_request", functools.partial(_recording, requests))
    for asynchronous in (httpx.AsyncHTTPTransport, httpx.ASGITransport):
        patches.replace(asynchronous, "handle_async_request", functools.partial(_recording_async, requests))
    # httpx.get and the others make a client of this name.
    functions = httpx.get.__globals__
    if functions.get("Client") is httpx.Client:
        patches.replace(_Globals(functions), "Client", functools.partial(_keeping, requests))


class _Globals:
    """The names of a module that cannot be imported by a public name."""

    def __init__(self, names: dict[str, Any]) -> None:
        self.__dict__ = names


def _recording(requests: Requests, original: Callable[..., httpx.Response]) -> Callable[..., httpx.Response]:
    @functools.wraps(original)
    def handle_request(self: Any, request: httpx.Request) -> httpx.Response:
        measured = _begun(requests, request)
        if measured is None:
            return original(self, request)
        try:
            response = original(self, request)
        except BaseException as error:
            measured.fail(error)
            raise
        _responded(measured, response)
        response.stream = _Body(response.stream, measured)
        return response

    return handle_request


def _recording_async(requests: Requests, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def handle_async_request(self: Any, request: httpx.Request) -> httpx.Response:
        measured = _begun(requests, request)
        if measured is None:
            return await original(self, request)  # type: ignore[no-any-return]
        try:
            response: httpx.Response = await original(self, request)
        except BaseException as error:
            measured.fail(error)
            raise
        _responded(measured, response)
        response.stream = _AsyncBody(response.stream, measured)
        return response

    return handle_async_request


def _begun(requests: Requests, request: httpx.Request) -> Request | None:
    target = request.url.raw_path
    sent = _LINES + len(target)
    for name, value in request.headers.raw:
        sent += len(name) + len(value) + _HEADER
        if len(name) == 14 and name.lower() == b"content-length" and value.isdigit():
            sent += int(value)
    return requests.begin(request.method, target.partition(b"?")[0], sent)


def _responded(measured: Request, response: httpx.Response) -> None:
    measured.failed = response.status_code >= 400
    received = _LINES
    for name, value in response.headers.raw:
        received += len(name) + len(value) + _HEADER
    measured.received = received


class _Body(httpx.SyncByteStream):
    """The body of a response; the request ends at its end."""

    def __init__(self, stream: Any, measured: Request) -> None:
        self._stream = stream
        self._measured = measured

    def __iter__(self) -> Iterator[bytes]:
        measured = self._measured
        try:
            for chunk in self._stream:
                measured.received += len(chunk)
                yield chunk
        except GeneratorExit:
            # Closed before its end.
            raise
        except BaseException as error:
            measured.fail(error)
            raise
        measured.end()

    def close(self) -> None:
        try:
            self._stream.close()
        finally:
            self._measured.end()


class _AsyncBody(httpx.AsyncByteStream):
    """The body of a response; the request ends at its end."""

    def __init__(self, stream: Any, measured: Request) -> None:
        self._stream = stream
        self._measured = measured

    async def __aiter__(self) -> AsyncIterator[bytes]:
        measured = self._measured
        try:
            async for chunk in self._stream:
                measured.received += len(chunk)
                yield chunk
        except GeneratorExit:
            # Closed before its end.
            raise
        except BaseException as error:
            measured.fail(error)
            raise
        measured.end()

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            self._measured.end()


def _keeping(requests: Requests, original: Callable[..., httpx.Client]) -> Callable[..., Any]:
    """Return what makes a client with the connections that the user has kept, without cookies of earlier requests."""

    def client(**options: Any) -> AbstractContextManager[httpx.Client]:
        settings = {name: value for name, value in options.items() if name not in ("cookies", "timeout")}
        key = ("httpx", *sorted(settings.items(), key=lambda item: item[0]))
        try:
            kept = requests.kept(key, lambda: original(**settings), httpx.Client.close)
        except TypeError:
            # A setting that is not hashable.
            kept = None
        if kept is None:
            return original(**options)
        one = copy.copy(kept)
        one.cookies = options.get("cookies")  # type: ignore[assignment]
        one.timeout = options.get("timeout", one.timeout)
        return contextlib.nullcontext(one)

    return client
