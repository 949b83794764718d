"""The fixture ``load``: steps, checks and metrics of an iteration.

In an ordinary run, the same calls measure once: what they measured is shown if the test fails.
"""

from __future__ import annotations

import contextlib
from contextvars import ContextVar
from math import isfinite
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from rustpar._core import monotonic
from rustpar.compat.reports import set_section
from rustpar.compat.sessions import item_of, running_item

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

KEY: pytest.StashKey[Load] = pytest.StashKey()

# The user whose iterations run in this thread or task; none while fixtures are set up or torn down.
CURRENT: ContextVar[Load | None] = ContextVar("rustpar-load-user", default=None)

# The name of HTTP requests in this thread or task; none if they are named by method and path.
REQUEST_NAME: ContextVar[str | None] = ContextVar("rustpar-load-request-name", default=None)


class Sink(Protocol):
    """What takes the values: that of a worker's users, or of an ordinary run."""

    def add_time(self, name: str, user: int, nanos: int, failed: bool) -> None:
        """Add a duration."""

    def add_number(self, kind: str, name: str, number: float) -> None:
        """Add a number to a trend, counter or gauge."""

    def add_truth(self, kind: str, name: str, truth: bool) -> None:
        """Add true or false to a rate or a check."""

    def iteration(self, user: int) -> int:
        """Return the number of the iteration that a user is running."""

    def target(self) -> float:
        """Return the number of users that is asked for now."""

    def ask_to_stop(self, why: str) -> None:
        """End the load test for this reason."""


class Load:
    """The load test of one user, or an ordinary test.

    Attributes:
        user: The number of the user, from 0.
        sink: What takes the values; not for tests.
    """

    def __init__(self, sink: Sink, user: int) -> None:
        """Send values to `sink`."""
        self.sink = sink
        self.user = user

    @property
    def iteration(self) -> int:
        """The number of this user's iteration, from 0."""
        return self.sink.iteration(self.user)

    @property
    def users(self) -> float:
        """The number of users that is asked for at this moment; with a rate, the iterations per second."""
        return self.sink.target()

    def step(self, name: str, **tags: object) -> Step:
        """Measure a part of the iteration: ``with load.step("pay"): ...``, also in an ``async def``."""
        return Step(self.sink, self.user, name, tags)

    def check(self, name: str, ok: object, **tags: object) -> bool:
        """Count whether something is as expected, without failing the iteration; return it as a boolean."""
        truth = bool(ok)
        for one in _names(name, tags):
            self.sink.add_truth("check", one, truth)
        return truth

    def trend(self, name: str) -> Metric:
        """Return a metric of numbers, of which percentiles are shown; use a step for durations."""
        return Metric(self.sink, "trend", name)

    def counter(self, name: str) -> Metric:
        """Return a metric that adds numbers up."""
        return Metric(self.sink, "counter", name)

    def gauge(self, name: str) -> Metric:
        """Return a metric that keeps the last number."""
        return Metric(self.sink, "gauge", name)

    def rate(self, name: str) -> Rate:
        """Return a metric that counts how often something was true."""
        return Rate(self.sink, name)

    @contextlib.contextmanager
    def request_name(self, name: str) -> Iterator[None]:
        """Name the HTTP requests that are made here: ``with load.request_name("search"): httpx.get(...)``."""
        token = REQUEST_NAME.set(name)
        try:
            yield
        finally:
            REQUEST_NAME.reset(token)

    def stop(self) -> None:
        """End the load test in all workers; running iterations end as at its planned end."""
        self.sink.ask_to_stop("a test called load.stop()")


class Metric:
    """A metric of numbers."""

    def __init__(self, sink: Sink, kind: str, name: str) -> None:
        """Add numbers to the metric of this kind and name."""
        self._sink, self._kind, self._name = sink, kind, name

    def add(self, number: float, **tags: object) -> None:
        """Add a number, also under its name with `tags`: ``size{page:home}``.

        Raises:
            ValueError: It is not finite, or a trend's is negative.
        """
        if not isfinite(number) or (number < 0 and self._kind == "trend"):
            what = "finite numbers from 0 on" if self._kind == "trend" else "finite numbers"
            raise ValueError(f"invalid value {number} of the {self._kind} {self._name}: it takes {what}")
        for name in _names(self._name, tags):
            self._sink.add_number(self._kind, name, number)


class Rate:
    """A metric of true and false."""

    def __init__(self, sink: Sink, name: str) -> None:
        """Count values of this name."""
        self._sink, self._name = sink, name

    def add(self, truth: object, **tags: object) -> None:
        """Add whether something was true, also under its name with `tags`."""
        for name in _names(self._name, tags):
            self._sink.add_truth("rate", name, bool(truth))


class Step:
    """A part of an iteration that is measured."""

    __slots__ = ("_begin", "_name", "_sink", "_tags", "_user")

    def __init__(self, sink: Sink, user: int, name: str, tags: dict[str, object]) -> None:
        """Measure under this name."""
        self._sink, self._user, self._name, self._tags = sink, user, name, tags
        self._begin = 0.0

    def __enter__(self) -> Step:
        """Begin."""
        self._begin = monotonic()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End; a step that raises has failed."""
        took = int((monotonic() - self._begin) * 1e9)
        for name in _names(self._name, self._tags):
            self._sink.add_time(name, self._user, took, kind is not None)

    async def __aenter__(self) -> Step:
        """Begin."""
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """End."""
        self.__exit__(kind, error, at)


def _names(name: str, tags: dict[str, object]) -> tuple[str, ...]:
    """Return the names under which a value counts; the second one has the tags, in the form of k6."""
    if not tags:
        return (name,)
    return name, f"{name}{{{','.join(f'{key}:{value}' for key, value in tags.items())}}}"


class OnceMeasured:
    """Takes the values of an ordinary run of a test, or of the tests of a class."""

    def __init__(self, session: pytest.Session) -> None:
        """Show them if the running test of this session fails."""
        self._session = session
        self._item: pytest.Item | None = None
        self._lines: list[str] = []

    def _add(self, line: str) -> None:
        item = running_item(self._session)
        if item is None:
            return
        if item is not self._item:
            self._item, self._lines = item, []
        self._lines.append(line)
        set_section(item, "call", "load", "\n".join(self._lines))

    def add_time(self, name: str, user: int, nanos: int, failed: bool) -> None:
        """Add a duration."""
        self._add(f"{name}: {nanos / 1e6:.2f} ms{', failed' if failed else ''}")

    def add_number(self, kind: str, name: str, number: float) -> None:
        """Add a number."""
        self._add(f"{kind} {name}: {number}")

    def add_truth(self, kind: str, name: str, truth: bool) -> None:
        """Add true or false."""
        self._add(f"{kind} {name}: {truth}")

    def iteration(self, user: int) -> int:
        """Return 0: there is one iteration."""
        return 0

    def target(self) -> float:
        """Return 1: there is one user."""
        return 1.0

    def ask_to_stop(self, why: str) -> None:
        """Do nothing: the test ends anyway."""


def load_of(request: Any) -> Load:
    """Return the value of the fixture ``load`` for a test or a user."""
    known: Load | None = item_of(request).stash.get(KEY, None)
    return Load(OnceMeasured(request.session), 0) if known is None else known
