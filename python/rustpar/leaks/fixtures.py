"""Fixtures of class scope and wider: what their set-up and their use open belongs to them until they are torn down.

The hazard it handles: such a fixture is set up and torn down within the phases of tests. So its set-up is measured
separately, and what it owns is looked at after the teardown in which it was finalized.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core
from rustpar.collection.shared_fixtures import is_shared_user_fixture
from rustpar.compat.sessions import all_fixtures_of, fixtures_of, is_set_up, item_of, roots_of
from rustpar.leaks.references import owned
from rustpar.leaks.settings import allowed_kinds

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence


class SharedFixture:
    """A shared fixture that was set up.

    Attributes:
        definition: pytest's definition of it.
        name: Its name, with its scope.
        leftovers: What it has opened or changed, and has to undo.
        allowed: The kinds of leaks that the test for which it was set up allows.
    """

    def __init__(self, definition: Any, request: Any, leftovers: list[_core.Leftover]) -> None:
        """Describe a fixture that was set up for `request`."""
        self.definition = definition
        self.name = _name_of(definition)
        self.leftovers = leftovers
        self.allowed = allowed_kinds(item_of(request))
        self._holder: Any = None
        if definition.argname.startswith(tuple(_XUNIT)):
            # These functions keep what they open in their class or module.
            self._holder = getattr(request.node, "obj", None)

    def roots(self) -> list[object]:
        """Return the objects from which everything that it holds can be reached."""
        return [*roots_of(self.definition), *getattr(self._holder, "__dict__", {}).values()]

    def adopt(self, leftovers: Iterable[_core.Leftover]) -> list[_core.Leftover]:
        """Add what it owns, and return that."""
        found = owned(self.roots(), leftovers)
        if found:
            # Those that it has closed meanwhile are dropped, so the list does not grow with every test.
            self.leftovers = [leftover for leftover in self.leftovers if leftover.is_left()] + found
        return found


class SharedFixtures:
    """Watches the set-ups of shared fixtures.

    Attributes:
        alive: Those that are set up.
    """

    def __init__(self, state: _core.ProcessState) -> None:
        """Count what these fixtures open as known in `state`, the state before the running test."""
        self._state = state
        self.alive: list[SharedFixture] = []
        self._replaced: list[SharedFixture] = []
        # The states before the set-ups in progress.
        self._before: list[_core.ProcessState] = []

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Generator[None, object, object]:
        """Attribute to a shared fixture what its set-up opens."""
        __tracebackhide__ = True
        if fixturedef.scope == "function":
            return (yield)
        # A parameter has changed: pytest has torn down the previous one.
        self._replaced += [fixture for fixture in self.alive if fixture.definition is fixturedef]
        self.alive = [fixture for fixture in self.alive if fixture.definition is not fixturedef]
        before = _core.ProcessState.now()
        self._before.append(before)
        try:
            return (yield)
        finally:
            self._before.pop()
            leftovers = [] if before.is_current() else before.leftovers()
            for state in (self._state, *self._before):
                state.include(leftovers)
            self.alive.append(SharedFixture(fixturedef, request, leftovers))

    def has_torn_down(self) -> bool:
        """Whether one has been torn down since the last call of :meth:`take_torn_down`."""
        if not self.alive:
            return bool(self._replaced)
        return bool(self._replaced) or not all(is_set_up(fixture.definition) for fixture in self.alive)

    def take_torn_down(self) -> list[SharedFixture]:
        """Return those that have been torn down since the last call."""
        over = self._replaced + [fixture for fixture in self.alive if not is_set_up(fixture.definition)]
        self.alive = [fixture for fixture in self.alive if is_set_up(fixture.definition)]
        self._replaced = []
        return over

    def adopt(self, leftovers: Sequence[_core.Leftover]) -> list[_core.Leftover]:
        """Attribute leftovers to the fixtures that own them; return the others."""
        others = list(leftovers)
        # The innermost first.
        for fixture in reversed(self.alive):
            if others:
                adopted = fixture.adopt(others)
                others = [leftover for leftover in others if leftover not in adopted]
        return others

    def used_by(self, item: pytest.Item) -> list[SharedFixture]:
        """Return those that a test requests, directly or through others, and not only because of ``autouse``."""
        info = fixtures_of(item)
        definitions = getattr(info, "name2fixturedefs", {})
        todo = list(getattr(info, "argnames", ()))
        todo += [str(name) for mark in item.iter_markers("usefixtures") for name in mark.args]
        names: set[str] = set()
        while todo:
            name = todo.pop()
            if name not in names and definitions.get(name):
                names.add(name)
                todo += definitions[name][-1].argnames
        return [
            fixture
            for fixture in self.alive
            if fixture.definition.argname in names and is_shared_user_fixture(fixture.definition)
        ]


def have_shared_fixtures(session: pytest.Session) -> bool:
    """Whether tests of this session may use a shared fixture that is not pytest's own."""
    return any(is_shared_user_fixture(definition) for definition in all_fixtures_of(session))


def _name_of(definition: Any) -> str:
    """Return how a fixture is named: that of setUpClass and the like by what it calls."""
    name: str = definition.argname
    for prefix, spoken in _XUNIT.items():
        if name.startswith(prefix):
            return spoken
    return f"{name} ({definition.scope} scope)"


# The fixtures with which pytest calls these functions.
_XUNIT = {
    "_unittest_setUpClass": "setUpClass",
    "_unittest_setUpModule": "setUpModule",
    "_xunit_setup_module": "setup_module",
    "_xunit_setup_class": "setup_class",
}
