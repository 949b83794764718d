"""HTTP requests of load tests: recorded while users run, under the names that k6 gives them.

httpx and requests are instrumented in the worker, if the suite has imported them when a load test begins, and restored
at its end. Each request and each redirect counts on its own; the duration ends when the body has been read.

The hazard it handles: a name for each URL would be a metric for each URL. Parts of a path that look like identifiers
are replaced, and after :data:`MOST_NAMES` names, further requests share one.
"""

from __future__ import annotations

import contextlib
import functools
import re
import sys
import warnings
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from rustpar._core import LoadGenerator
from rustpar.load.measuring import CURRENT, REQUEST_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rustpar.load.measuring import Load

_Kept = TypeVar("_Kept")

# Names of requests in a worker: each makes five metrics, of the 300 that a load test can have.
MOST_NAMES = 40

# The name of the requests beyond.
OTHERS = "(others)"

# So many clients with different settings are kept for a user.
_MOST_KEPT = 8

# A part of a path: a number, a UUID, or a hexadecimal number of at least 16 digits, as databases and digests have.
_IDENTIFIER = re.compile(
    r"(?<=/)(?:[0-9]+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?=[a-f]*[0-9])[0-9a-f]{16,})(?=/|$)", re.IGNORECASE
)

# The modules that are instrumented, and where.
_INSTRUMENTS = {"httpx": "rustpar.load.httpx_client", "requests": "rustpar.load.requests_client"}

# The clock of the engine, which no plugin that changes the time replaces.
_clock = LoadGenerator.clock


class Requests:
    """Records requests, and keeps connections for requests without a client."""

    def __init__(self, generator: LoadGenerator) -> None:
        """Record the requests of the users of `generator`."""
        self._generator = generator
        self._names: dict[str, tuple[str, ...]] = {}
        self._kept: dict[Load, dict[object, Any]] = {}
        self._closing = contextlib.ExitStack()

    def begin(self, method: str, path: bytes | str, sent: int) -> Request | None:
        """Begin a request of so many bytes; None if it is not part of an iteration."""
        load = CURRENT.get()
        if load is None:
            return None
        return Request(self, load, REQUEST_NAME.get() or default_name(method, path), sent)

    def kept(self, key: object, create: Callable[[], _Kept], close: Callable[[_Kept], object]) -> _Kept | None:
        """Return what the user has kept under this key; create it if there is nothing. None outside of iterations."""
        load = CURRENT.get()
        if load is None:
            return None
        of_user = self._kept.setdefault(load, {})
        found: _Kept | None = of_user.get(key)
        if found is None and len(of_user) < _MOST_KEPT:
            found = of_user[key] = create()
            self._closing.callback(close, found)
        return found

    def end(self, request: Request) -> None:
        """Send the values of a request."""
        name = request.name
        names = self._names.get(name) or self._metrics(name)
        add_number, add_truth = request.load.sink.add_number, request.load.sink.add_truth
        user, took, failed = request.load.user, _clock() - request.begin, request.failed
        for duration, requests, failures, received, sent in (_METRICS, names):
            request.load.sink.add_time(duration, user, took, failed)
            add_number("counter", requests, 1)
            add_truth("rate", failures, failed)
            add_number("counter", received, request.received)
            add_number("counter", sent, request.sent)

    def _metrics(self, name: str) -> tuple[str, ...]:
        if name not in self._names and len(self._names) >= MOST_NAMES:
            name = OTHERS
        return self._names.setdefault(name, tuple(f"{metric}{{name:{name}}}" for metric in _METRICS))

    def is_stopped(self) -> bool:
        """Whether no further iteration starts, so that those that are running may be cancelled."""
        return self._generator.is_stopped()

    def close(self) -> None:
        """Close what users have kept."""
        self._closing.close()
        self._kept.clear()


_METRICS = ("http_req_duration", "http_reqs", "http_req_failed", "data_received", "data_sent")


class Request:
    """A request that is running.

    Attributes:
        load: The user's.
        name: Its name.
        begin: When it began, in nanoseconds.
        sent: How many bytes it has sent.
        received: How many bytes it has received.
        failed: Whether it has failed.
    """

    __slots__ = ("_has_ended", "_requests", "begin", "failed", "load", "name", "received", "sent")

    def __init__(self, requests: Requests, load: Load, name: str, sent: int) -> None:
        """Begin now."""
        self._requests = requests
        self.load = load
        self.name = name
        self.sent = sent
        self.received = 0
        self.failed = False
        self._has_ended = False
        self.begin = _clock()

    def end(self) -> None:
        """End, if it has not ended."""
        if not self._has_ended:
            self._has_ended = True
            self._requests.end(self)

    def fail(self, error: BaseException) -> None:
        """End with an error. At the end of a load test, iterations are cancelled: those requests do not count."""
        if isinstance(error, Exception) or not self._requests.is_stopped():
            self.failed = True
            self.end()
        self._has_ended = True


@functools.lru_cache(maxsize=4096)
def default_name(method: str, path: bytes | str) -> str:
    """Return the name of a request: method and path, with ``{id}`` for identifiers."""
    text = path if isinstance(path, str) else path.decode("ascii", "replace")
    # A comma would end the threshold that names it.
    return f"{method} {_IDENTIFIER.sub('{id}', text)}".replace(",", "%2C")


class Patches:
    """Attributes that are replaced for a time."""

    def __init__(self) -> None:
        """Replace nothing yet."""
        self._originals: list[tuple[Any, str, Any]] = []

    def replace(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        """Replace an attribute of a class or module by what `make` returns for it."""
        original = vars(owner)[name]
        self._originals.append((owner, name, original))
        setattr(owner, name, make(original))

    def restore(self) -> None:
        """Restore all attributes."""
        while self._originals:
            setattr(*self._originals.pop())


@contextlib.contextmanager
def recorded(generator: LoadGenerator, *, is_on: bool) -> Iterator[None]:
    """Record the requests that users of `generator` make."""
    known = [module for module in _INSTRUMENTS if module in sys.modules] if is_on else []
    requests, patches = Requests(generator), Patches()
    try:
        for module in known:
            instrument = _import(_INSTRUMENTS[module])
            instrument.instrument(requests, patches)
        yield
    finally:
        patches.restore()
        requests.close()
    late = [module for module in _INSTRUMENTS if module in sys.modules and module not in known] if is_on else []
    for module in late:
        text = (
            f"{module} was first imported while the load test ran, so its requests were not recorded: "
            f"import it at the top of the test module"
        )
        warnings.warn(pytest.PytestWarning(text), stacklevel=1)


def _import(name: str) -> Any:
    import importlib

    return importlib.import_module(name)
