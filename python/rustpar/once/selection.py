"""Which fixtures are set up once per run: the patterns of ``rustpar_once``, and the tests that need such fixtures."""

from __future__ import annotations

import inspect
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from rustpar.collection.shared_fixtures import is_of_a_framework
from rustpar.compat.sessions import all_fixtures_of, fixtures_of, has_paths
from rustpar.config.values import ini_lines
from rustpar.once.instance import instance_for, needed_names
from rustpar.process.code_origin import CodeOrigins

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SETTING = "rustpar_once"

# The scopes of fixtures that several workers may need.
_SCOPES = ("session", "package", "module")

# What a pattern of names has at least one of.
_NAME = re.compile(r"[^\W\d]|[*?]")

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
        instances = [instance_for(definition, self.item) for definition in self.set_up_with()]
        # Tests of one function share the objects of parameters; equal ones of others are compared later.
        parameters = {name: id(value) for one in instances for name, value in one.parameters.items()}
        nodes = tuple(sorted({one.node_id for one in instances}))
        return (*map(id, self.definitions), nodes, tuple(sorted(parameters.items())))


def patterns_of(config: pytest.Config) -> list[str]:
    """Return the patterns of ``rustpar_once``; several may stand in a line, separated by commas.

    Raises:
        pytest.UsageError: One is no pattern of a name.
    """
    parts = (part.strip() for line in ini_lines(config, SETTING) for part in line.split(","))
    patterns = [part for part in parts if part]
    for pattern in patterns:
        if not _NAME.search(pattern.rpartition("::")[2]):
            raise pytest.UsageError(
                f"{SETTING}: invalid pattern {pattern!r}: expected the name of a fixture, as in server, model* or "
                "tests/conftest.py::server"
            )
    return patterns


def place_of(definition: Any, config: pytest.Config) -> str:
    """Return the file of a fixture relative to rootdir, and its name: ``tests/conftest.py::server``."""
    file = file_of(definition)
    if file.is_relative_to(config.rootpath):
        file = file.relative_to(config.rootpath)
    return f"{file.as_posix()}::{definition.argname}"


def file_of(definition: Any) -> Path:
    """Return the file in which a fixture is defined."""
    code = getattr(inspect.unwrap(definition.func), "__code__", None)
    return Path(code.co_filename) if code is not None else Path(definition.baseid)


class Selection:
    """Compares fixtures with the patterns."""

    def __init__(self, config: pytest.Config) -> None:
        """Read the patterns of `config`."""
        self._config = config
        self._patterns = patterns_of(config)
        self._known: dict[int, bool] = {}
        # The patterns that name a fixture which can be set up once, and refusals for those that name others.
        self._used: set[str] = set()
        self._matching: set[str] = set()
        self._refused: dict[str, str] = {}
        self._origins = CodeOrigins()

    def includes(self, definition: Any) -> bool:
        """Whether a fixture is to be set up once per run."""
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
                self._used.add(pattern)
                return True
            self._matching.add(pattern)
            if not any(sign in pattern for sign in "*?["):
                self._refused[pattern] = (
                    f"{SETTING}: {place} has {definition.scope} scope, so each test has its own: "
                    'use scope="session", "package" or "module"'
                )
        return False

    def needed(self, items: Sequence[pytest.Item]) -> list[Needed]:
        """Return the tests that need such fixtures, in the order of the collection.

        Raises:
            pytest.UsageError: A fixture is named that each test has for itself, or one asks for something that differs
                between workers, or needs what an automatic fixture does.
        """
        known: dict[int, tuple[list[str], list[Any], frozenset[str]]] = {}
        found = []
        for item in items:
            info = fixtures_of(item)
            if info is None:
                continue
            if id(info) not in known:
                known[id(info)] = self._chosen(info)
            if known[id(info)][0]:
                found.append(Needed(item, *known[id(info)]))
        for pattern, message in self._refused.items():
            if pattern not in self._used:
                raise pytest.UsageError(message)
        return found

    def _chosen(self, info: Any) -> tuple[list[str], list[Any], frozenset[str]]:
        found = [(name, (info.name2fixturedefs.get(name) or (None,))[-1]) for name in info.names_closure]
        chosen = [(name, one) for name, one in found if one is not None and self.includes(one)]
        names: set[str] = set()
        for _, definition in chosen:
            needed = needed_names(definition, info)
            workers_own = self._workers_own(needed, info)
            if workers_own is not None:
                raise refusal(definition, self._config, workers_own)
            names |= needed
        if chosen:
            self._check_automatic(chosen[0][1], names, info)
        return [name for name, _ in chosen], [one for _, one in chosen], frozenset(names)

    @staticmethod
    def _workers_own(names: set[str], info: Any) -> str | None:
        """Return the name among these of a fixture that differs between workers."""
        return next(
            (name for name in names for one in info.name2fixturedefs.get(name) or () if is_workers_own(one)), None
        )

    def _check_automatic(self, definition: Any, names: set[str], info: Any) -> None:
        """Refuse a fixture that would be set up before a session fixture of the project that all tests use.

        Without workers that comes first, and may prepare what this one needs: the environment, for example.
        """
        for name in info.initialnames:
            automatic = (info.name2fixturedefs.get(name) or (None,))[-1]
            if automatic is None or name in names or name in info.argnames or automatic.scope != "session":
                continue
            is_own = self._origins.is_own_file(str(file_of(automatic)))
            if is_own and self._workers_own(needed_names(automatic, info), info) is None:
                raise pytest.UsageError(
                    f"{SETTING}: {place_of(definition, self._config)} would be set up before "
                    f"{place_of(automatic, self._config)}, which all tests use: let it ask for {name}"
                )

    def warn_about_unused(self, session: pytest.Session) -> None:
        """Warn about patterns that match no fixture of a run of all tests."""
        for definition in all_fixtures_of(session):
            self.includes(definition)
        if has_paths(self._config):
            return
        for pattern in self._patterns:
            if pattern not in self._used | self._matching:
                text = f"{SETTING}: no fixture matches {pattern!r}"
                self._config.issue_config_time_warning(pytest.PytestConfigWarning(text), stacklevel=2)


def is_workers_own(definition: Any) -> bool:
    """Whether a fixture's value differs between workers."""
    return definition.argname in _WORKERS_OWN and is_of_a_framework(definition)


def refusal(definition: Any, config: pytest.Config, name: str) -> pytest.UsageError:
    """Return the error for a fixture that asks for `name`, which differs between workers."""
    return pytest.UsageError(
        f"{SETTING}: {place_of(definition, config)} asks for {name}, which each worker has its own of: let a session "
        f"fixture that is not in {SETTING} ask for both"
    )
