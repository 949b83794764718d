"""Measurement of the set-up time of shared fixtures, which is not attributed to the first test that uses them.

The hazard it handles: a wrapper around ``pytest_fixture_setup`` costs a microsecond for every fixture of every test. So
there is none in suites without shared fixtures of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core
from rustpar.collection.shared_fixtures import is_shared_user_fixture, key_of
from rustpar.compat.sessions import fixtures_of, item_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

_NAME = "rustpar-fixture-clock"

# In seconds. Shorter times do not affect scheduling and are not sent.
MIN_SECONDS = 0.0005


class FixtureClock:
    """Measures the set-up of fixtures of class scope and wider."""

    def __init__(self, report: Callable[[str, str, float], object]) -> None:
        """Call `report` with the test's node id, the fixture's key and the seconds that its set-up took."""
        self._report = report
        # Seconds that nested set-ups have taken: of fixtures requested dynamically by the current one.
        self._nested = 0.0

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Generator[None, object, object]:
        """Measure a set-up; fixtures that are its arguments have been set up before."""
        __tracebackhide__ = True
        if fixturedef.scope == "function":
            return (yield)
        before, self._nested = self._nested, 0.0
        begin = _core.monotonic()
        try:
            return (yield)
        finally:
            took = _core.monotonic() - begin
            own = took - self._nested
            self._nested = before + took
            if own >= MIN_SECONDS:
                self._report(item_of(request).nodeid, key_of(fixturedef), own)


def watch(session: pytest.Session, report: Callable[[str, str, float], object]) -> None:
    """Measure the set-ups of shared fixtures in a session that has collected, and pass them to `report`.

    A session can collect again; the plugin is registered once.
    """
    plugins = session.config.pluginmanager
    if plugins.has_plugin(_NAME):
        return
    if any(is_shared_user_fixture(definition) for definition in _definitions(session.items)):
        plugins.register(FixtureClock(report), _NAME)


def _definitions(items: Iterable[pytest.Item]) -> Iterator[Any]:
    """Yield the fixtures that tests request by name; dynamically requested fixtures are not known."""
    for item in items:
        info = fixtures_of(item)
        for found in getattr(info, "name2fixturedefs", {}).values():
            yield from found
