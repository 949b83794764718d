"""Which fixtures are set up once per run: the patterns of ``rustpar_once``, and the tests that need such fixtures."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from rustpar.collection.shared_fixtures import is_of_a_framework
from rustpar.compat.sessions import fixtures_of
from rustpar.config.values import ini_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SETTING = "rustpar_once"

# The scopes of fixtures that several workers may need.
_SCOPES = ("session", "package", "module")

# Fixtures whose values differ between workers.
_WORKERS_OWN = ("worker_id",)


class Needed(NamedTuple):
    """A test that needs fixtures which are set up once.

    Attributes:
        item: The test.
        names: The names of these fixtures, in the order in which pytest sets them up.
        definitions: The fixtures, in the same order.
        closure: The names of all fixtures that are set up with them.
    """

    item: pytest.Item
    names: list[str]
    definitions: list[Any]
    closure: frozenset[str]

    def set_up_with(self) -> Iterator[Any]:
        """Yield these fixtures, and all others that they need and that tests share."""
        info: Any = fixtures_of(self.item)
        for name in self.closure:
            for definition in info.name2fixturedefs.get(name) or ():
                if definition.scope in _SCOPES and not is_of_a_framework(definition):
                    yield definition

    def key(self) -> tuple[object, ...]:
        """Return a key that tests share for which the same is set up, with the same parameters."""
        indices: dict[str, int] = getattr(getattr(self.item, "callspec", None), "indices", {})
        parameters = tuple(sorted((name, index) for name, index in indices.items() if name in self.closure))
        return (*map(id, self.definitions), parameters)


def patterns_of(config: pytest.Config) -> list[str]:
    """Return the patterns of ``rustpar_once``; several may stand in a line, separated by commas."""
    parts = (part.strip() for line in ini_lines(config, SETTING) for part in line.split(","))
    return [part for part in parts if part]


def place_of(definition: Any, config: pytest.Config) -> str:
    """Return the file of a fixture relative to rootdir, and its name: ``tests/conftest.py::server``."""
    code = getattr(definition.func, "__code__", None)
    file = Path(code.co_filename) if code is not None else Path(definition.baseid)
    if file.is_relative_to(config.rootpath):
        file = file.relative_to(config.rootpath)
    return f"{file.as_posix()}::{definition.argname}"


class Selection:
    """Compares fixtures with the patterns."""

    def __init__(self, config: pytest.Config) -> None:
        """Read the patterns of `config`."""
        self._config = config
        self._patterns = patterns_of(config)
        self._known: dict[int, bool] = {}

    def includes(self, definition: Any) -> bool:
        """Whether a fixture is to be set up once per run.

        Raises:
            pytest.UsageError: A pattern names this fixture, but it has function or class scope.
        """
        known = self._known.get(id(definition))
        if known is None:
            known = self._known[id(definition)] = self._matches(definition)
        return known

    def _matches(self, definition: Any) -> bool:
        if is_of_a_framework(definition):
            return False
        place = place_of(definition, self._config)
        for pattern in self._patterns:
            if not fnmatchcase(place if "::" in pattern else definition.argname, pattern):
                continue
            if definition.scope in _SCOPES:
                return True
            if not any(sign in pattern for sign in "*?["):
                raise pytest.UsageError(
                    f"{SETTING}: {place} has {definition.scope} scope, so each test has its own: "
                    'use scope="session", "package" or "module"'
                )
        return False

    def needed(self, items: Sequence[pytest.Item]) -> Iterator[Needed]:
        """Yield the tests that need such fixtures, in the order of the collection.

        Raises:
            pytest.UsageError: Such a fixture asks for something that differs between workers.
        """
        known: dict[int, tuple[list[str], list[Any], frozenset[str]]] = {}
        for item in items:
            info = fixtures_of(item)
            if info is None:
                continue
            if id(info) not in known:
                found = [(name, (info.name2fixturedefs.get(name) or (None,))[-1]) for name in info.names_closure]
                chosen = [(name, one) for name, one in found if one is not None and self.includes(one)]
                closures = [self._closure(one, info) for _, one in chosen]
                names = frozenset().union(*closures)
                known[id(info)] = [name for name, _ in chosen], [one for _, one in chosen], names
            if known[id(info)][0]:
                yield Needed(item, *known[id(info)])

    def _closure(self, definition: Any, info: Any) -> set[str]:
        """Return the names of the fixtures that are set up with one, its own included.

        Raises:
            pytest.UsageError: One of them differs between workers.
        """
        names, waiting, seen = {definition.argname}, [definition], {id(definition)}
        while waiting:
            for name in waiting.pop().argnames:
                names.add(name)
                for other in info.name2fixturedefs.get(name) or ():
                    if is_workers_own(other):
                        raise refusal(definition, self._config, name)
                    if id(other) not in seen:
                        seen.add(id(other))
                        waiting.append(other)
        return names


def is_workers_own(definition: Any) -> bool:
    """Whether a fixture's value differs between workers."""
    return definition.argname in _WORKERS_OWN and is_of_a_framework(definition)


def refusal(definition: Any, config: pytest.Config, name: str) -> pytest.UsageError:
    """Return the error for a fixture that asks for `name`, which differs between workers."""
    return pytest.UsageError(
        f"{SETTING}: {place_of(definition, config)} asks for {name}, which each worker has its own of: let a session "
        f"fixture that is not in {SETTING} ask for both"
    )
