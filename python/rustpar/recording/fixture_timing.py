"""How long fixtures that tests share take to set up.

Their time is the fixture's, not that of the test which happens to come first.

The hazard it handles: a wrapper around ``pytest_fixture_setup`` costs every fixture of every test a microsecond. So
there is none in a suite that shares no fixtures of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core
from rustpar.collection.shared_fixtures import is_users_and_shared, key_of
from rustpar.compat.sessions import fixtures_of, item_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

_NAME = "rustpar-fixture-clock"

# Seconds. What takes less does not matter to anybody who schedules tests, and need not be sent.
_LEAST = 0.0005


class FixtureClock:
    """Measures the set-up of fixtures of class scope and wider."""

    def __init__(self, tell: Callable[[str, str, float], object]) -> None:
        """Have `tell` told the test's node id, the fixture's key and the seconds that its set-up took."""
        self._tell = tell
        # What set-ups within the current one have taken: of fixtures that it asks for while it runs.
        self._within = 0.0

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Generator[None, object, object]:
        """Measure one; fixtures that are its arguments have been set up before."""
        __tracebackhide__ = True
        if fixturedef.scope == "function":
            return (yield)
        before, self._within = self._within, 0.0
        begin = _core.monotonic()
        try:
            return (yield)
        finally:
            took = _core.monotonic() - begin
            own = took - self._within
            self._within = before + took
            if own >= _LEAST:
                self._tell(item_of(request).nodeid, key_of(fixturedef), own)


def watch(session: pytest.Session, tell: Callable[[str, str, float], object]) -> None:
    """Have `tell` told of the set-ups in `session`, which has collected, if there is anything to measure.

    A session can collect again; it is watched once.
    """
    plugins = session.config.pluginmanager
    if plugins.has_plugin(_NAME):
        return
    if any(is_users_and_shared(definition) for definition in _definitions(session.items)):
        plugins.register(FixtureClock(tell), _NAME)


def _definitions(items: Iterable[pytest.Item]) -> Iterator[Any]:
    """The fixtures that tests ask for by name; those that are only asked for while a test runs are not known."""
    for item in items:
        info = fixtures_of(item)
        for found in getattr(info, "name2fixturedefs", {}).values():
            yield from found
