"""Tests that must not meet: what the marks ``serial`` and ``resource`` say.

``@pytest.mark.serial``: the test runs while no other test runs.

``@pytest.mark.resource("db", "cache", mode="exclusive")``: the test holds these resources while it runs. A resource has
as many places as ``rustpar_resources`` gives it, one where it gives none. Each test that holds it exclusively takes a
place of its own; all tests that hold it with ``mode="read"`` share a single place, which they take as long as one of
them runs. A test starts only when there is a place for it in everything that it holds.

Several marks on a test, its class and its module add up; a resource that is held in both modes is held exclusively.

What is here reads the marks; the engine obeys them. Without ``-n`` one test runs at a time, and nobody looks at them.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import pytest

from rustpar.collection.markers import marked
from rustpar.config.values import ini_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_NAMES = ("serial", "resource")
_MODES = ("exclusive", "read")


class BadMark(ValueError):
    """A mark that makes no sense: one line that names the test and says what to write."""


class Needs(NamedTuple):
    """What must be so while a test runs.

    Attributes:
        serial: No other test may run.
        holds: The resources that it holds, by name, and whether others that share may hold them, too; sorted.
    """

    serial: bool
    holds: tuple[tuple[str, bool], ...]


NOTHING = Needs(serial=False, holds=())


def needs_of(item: pytest.Item) -> Needs:
    """What a test needs.

    Raises:
        BadMark: When a mark makes no sense.
    """
    return _read(item, item.iter_markers())


def needs_by_index(items: Sequence[pytest.Item]) -> tuple[dict[int, Needs], list[str]]:
    """What each of many tests needs, by its index: only those that need something.

    Returns:
        The needs, and a line for each function whose marks make no sense and are ignored.
    """
    found: dict[int, Needs] = {}
    wrong: dict[str, None] = {}
    for index, marks in marked(items, _NAMES).items():
        try:
            found[index] = _read(items[index], marks)
        except BadMark as error:
            wrong[str(error)] = None
    return found, list(wrong)


def warn_of_bad_marks(items: Sequence[pytest.Item]) -> None:
    """Warn of marks that make no sense: a project may have some of these names for purposes of its own."""
    for text in needs_by_index(items)[1]:
        warnings.warn(pytest.PytestWarning(text), stacklevel=2)


def limits_of(config: pytest.Config) -> dict[str, int]:
    """How many places resources have, by name, from ``rustpar_resources``; those that it does not name have one.

    Raises:
        pytest.UsageError: When it makes no sense; one line that says what to write.
    """
    limits: dict[str, int] = {}
    for line in ini_lines(config, "rustpar_resources"):
        for entry in line.strip().removesuffix(",").split(","):
            name, _, places = entry.rpartition(":")
            name, places = name.strip(), places.strip()
            if not name or not (places.isascii() and places.isdigit()) or int(places) == 0:
                raise pytest.UsageError(
                    f"rustpar_resources = {entry.strip()}: write names with how many tests may hold each at a time, "
                    "1 or more, as in db: 2, port-8080: 1"
                )
            if name in limits:
                raise pytest.UsageError(f"rustpar_resources: {name} is there twice; give each resource one number")
            limits[name] = int(places)
    return limits


def _read(item: pytest.Item, marks: Iterable[pytest.Mark]) -> Needs:
    serial = False
    holds: dict[str, bool] = {}
    for mark in marks:
        if mark.name == "serial":
            if mark.args or mark.kwargs:
                _refuse(item, "serial takes no arguments; write @pytest.mark.serial")
            serial = True
        elif mark.name == "resource":
            shared = _is_shared(item, mark)
            for name in mark.args:
                holds[name] = shared and holds.get(name, True)
    return Needs(serial, tuple(sorted(holds.items()))) if serial or holds else NOTHING


def _is_shared(item: pytest.Item, mark: pytest.Mark) -> bool:
    """Check a ``resource`` mark, and tell whether it only reads."""
    if not mark.args:
        _refuse(item, 'resource names none; write @pytest.mark.resource("db")')
    for name in mark.args:
        if not isinstance(name, str) or not name.strip():
            _refuse(item, f'resource cannot name {name!r}; write a text, as in @pytest.mark.resource("db")')
    for key in mark.kwargs:
        if key != "mode":
            _refuse(item, f'resource knows no {key}; write @pytest.mark.resource("db", mode="read")')
    mode = mark.kwargs.get("mode", "exclusive")
    if mode not in _MODES:
        _refuse(item, f'resource knows no mode {mode!r}; write mode="exclusive" or mode="read"')
    return bool(mode == "read")


def _refuse(item: pytest.Item, text: str) -> NoReturn:
    raise BadMark(f"{item.nodeid.partition('[')[0]}: the mark {text}; it is ignored")
