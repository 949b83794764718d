"""Records the requests of requests: by its adapter, and with kept connections for ``requests.get`` and its like."""

from __future__ import annotations

import contextlib
import copy
import functools
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import requests
import requests.adapters
import requests.api
import requests.cookies
import requests.sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from rustpar.load.http import Patches, Request, Requests

# The bytes of a request line or status line besides its words, and of a line that ends the headers.
_LINES = 16

# The bytes between the name and the value of a header, and after it.
_HEADER = 4


def instrument(recorder: Requests, patches: Patches) -> None:
    """Record the requests of all sessions, and keep connections."""
    patches.replace(requests.adapters.HTTPAdapter, "send", functools.partial(_recording, recorder))
    # requests.get and the others make a session of this module.
    patches.replace(requests.api, "sessions", functools.partial(_keeping, recorder))


def _recording(recorder: Requests, original: Callable[..., requests.Response]) -> Callable[..., requests.Response]:
    @functools.wraps(original)
    def send(self: Any, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        measured = _begun(recorder, request)
        if measured is None:
            return original(self, request, *arguments, **options)
        try:
            response = original(self, request, *arguments, **options)
        except BaseException as error:
            measured.fail(error)
            raise
        measured.failed = response.status_code >= 400
        measured.received = _LINES + _size(response.headers)
        raw = response.raw
        if hasattr(raw, "stream") and hasattr(raw, "release_conn"):
            _Body(raw, measured)
        else:
            measured.end()
        return response

    return send


def _begun(recorder: Requests, request: requests.PreparedRequest) -> Request | None:
    target = request.path_url
    sent = _LINES + len(target) + _size(request.headers)
    length = request.headers.get("Content-Length")
    if length is not None and length.isdigit():
        sent += int(length)
    return recorder.begin(request.method or "", target.partition("?")[0], sent)


def _size(headers: Any) -> int:
    size = 0
    for name, value in headers.items():
        size += len(name) + len(value) + _HEADER
    return size


class _Body:
    """The body of a response; the request ends at its end.

    It replaces methods of that one response of urllib3, through which everything is read or closed.
    """

    def __init__(self, raw: Any, measured: Request) -> None:
        self._raw = raw
        self._measured = measured
        self._is_read = False
        self._stream, self._release = raw.stream, raw.release_conn
        raw.stream, raw.release_conn = self.stream, self.release

    def stream(self, *arguments: Any, **options: Any) -> Iterator[bytes]:
        self._is_read = True
        size = 0
        try:
            for chunk in self._stream(*arguments, **options):
                size += len(chunk)
                yield chunk
        except GeneratorExit:
            # Closed before its end.
            raise
        except BaseException as error:
            self._measured.fail(error)
            raise
        finally:
            self._end(size)

    def release(self) -> None:
        """Take the connection back, which happens at the end of the body, or when the response is closed."""
        self._release()
        if not self._is_read:
            self._end(0)

    def _end(self, size: int) -> None:
        raw = self._raw
        # The body as it was transferred, which can be compressed; of one that came in chunks, urllib3 does not know.
        self._measured.received += raw.tell() or size
        # Otherwise they would refer to each other.
        vars(raw).pop("stream", None)
        vars(raw).pop("release_conn", None)
        self._measured.end()


def _keeping(recorder: Requests, original: Any) -> Any:
    """Return a module whose sessions have the connections that the user has kept, without earlier cookies."""

    def session() -> AbstractContextManager[requests.Session]:
        kept = recorder.kept("requests", original.Session, requests.Session.close)
        if kept is None:
            return original.Session()  # type: ignore[no-any-return]
        one = copy.copy(kept)
        one.cookies = requests.cookies.RequestsCookieJar()
        return contextlib.nullcontext(one)

    return SimpleNamespace(**{**vars(original), "Session": session})
