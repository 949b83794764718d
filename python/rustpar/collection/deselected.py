"""Items for deselected tests, for the controller's statistics.

The hazard it handles: plugins read attributes of the entries in ``terminalreporter.stats``, but the controller collects
nothing and so has no items. The template sends descriptions of the tests that it has deselected, and items are made of
them here. There may be tens of thousands that nobody looks at, so everything but the node id is computed on access.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from rustpar.compat.node_ids import node_id_parser
from rustpar.compat.sessions import keywords_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    # Node id, path, line counted from 0, and indices of its marks.
    Description = tuple[str, str, int | None, list[int]]

# Collections in a mark's arguments that are longer than this are left out: those of ``parametrize`` can be a suite's
# entire data.
_MOST_VALUES = 16


class DeselectedItem(pytest.Item):
    """A deselected test that was collected in another process.

    Attributes that do not need the test's module are the same as in the original item. It has no function, module or
    class.
    """

    if TYPE_CHECKING:
        _about: Description
        _marks: Sequence[pytest.Mark]
        _session: pytest.Session

    @cached_property
    def session(self) -> pytest.Session:  # type: ignore[override]
        """The controller's session."""
        return self._session

    @cached_property
    def config(self) -> pytest.Config:  # type: ignore[override]
        """The controller's configuration."""
        return self._session.config

    @cached_property
    def parent(self) -> pytest.Collector | None:  # type: ignore[override]
        """The session, because the collectors in between exist only in the other process."""
        return self._session

    @cached_property
    def name(self) -> str:  # type: ignore[override]
        """The last part of the node id, including parameters in brackets."""
        return self._names[-1]

    @cached_property
    def _names(self) -> list[str]:
        path, _, rest = self._about[0].partition("::")
        head, bracket, parameters = rest.partition("[")
        names = [path, *filter(None, head.split("::"))]
        names[-1] += bracket + parameters
        return names

    @cached_property
    def path(self) -> Path:  # type: ignore[override]
        """The test's file."""
        return Path(self._about[1])

    @cached_property
    def _nodeid(self) -> str:
        return self._about[0]

    @cached_property
    def _id(self) -> Any:  # type: ignore[override]
        parse = node_id_parser()
        return self._about[0] if parse is None else parse(self._about[0])

    @cached_property
    def own_markers(self) -> list[pytest.Mark]:  # type: ignore[override]
        """All marks of the test, including those of its class and module."""
        return [self._marks[number] for number in self._about[3]]

    @cached_property
    def keywords(self) -> Any:  # type: ignore[override]
        """The names of the test and its parents, and its marks."""
        keywords = keywords_of(self)
        path, *names = self._names
        keywords.update(dict.fromkeys([*path.split("/"), *names], True))
        keywords.update((mark.name, mark) for mark in self.own_markers)
        return keywords

    @cached_property
    def extra_keyword_matches(self) -> set[str]:  # type: ignore[override]
        """No names beyond the keywords."""
        return set()

    @cached_property
    def stash(self) -> pytest.Stash:  # type: ignore[override]
        """An empty stash, for plugins."""
        return pytest.Stash()

    @cached_property
    def _store(self) -> pytest.Stash:  # type: ignore[override]
        return self.stash

    @cached_property
    def user_properties(self) -> list[tuple[str, object]]:  # type: ignore[override]
        """No properties, because the test did not run."""
        return []

    @cached_property
    def _report_sections(self) -> list[tuple[str, str, str]]:  # type: ignore[override]
        return []

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return the file, the line, and the test's name without the file's."""
        return self.path, self._about[2], ".".join(self._names[1:])

    def runtest(self) -> NoReturn:
        """Raise RuntimeError: the test cannot run in this process."""
        raise RuntimeError(f"{self._about[0]} was deselected: it cannot be run in the controller")


def describe(items: Sequence[Any]) -> tuple[list[Description], list[tuple[str, tuple[object, ...], dict[str, object]]]]:
    """Describe deselected items as plain values: the items, and the marks that they refer to.

    Objects that are no items are skipped; plugins may have added such.
    """
    numbers: dict[int, int] = {}
    marks: list[pytest.Mark] = []
    about: list[Description] = []
    for item in items:
        if not isinstance(item, pytest.Item):
            continue
        own = []
        for mark in item.iter_markers():
            number = numbers.get(id(mark))
            if number is None:
                number = numbers[id(mark)] = len(marks)
                marks.append(mark)
            own.append(number)
        about.append((item.nodeid, str(item.path), _line(item), own))
    return about, [(mark.name, _plain(mark.args), _plain(mark.kwargs)) for mark in marks]


def _line(item: pytest.Item) -> int | None:
    """Return the line of a test, counted from 0; its code object is ten times as fast as asking the item."""
    function = vars(item).get("_obj")
    function = getattr(function, "__func__", function)
    code = getattr(function, "__code__", None)
    if isinstance(code, CodeType) and not hasattr(function, "__wrapped__"):
        return code.co_firstlineno - 1
    try:
        line = item.reportinfo()[1]
    except Exception:
        # The item comes from a plugin, and plain pytest would not have called this method of a deselected item.
        return None
    return line if isinstance(line, int) else None


def _plain(values: Any) -> Any:
    """Convert the arguments of a mark to plain values; leave out long collections."""
    if isinstance(values, dict):
        return {str(key): _plain(value) for key, value in values.items() if _is_short(value)}
    if isinstance(values, (list, tuple)):
        return type(values)([_plain(value) for value in values if _is_short(value)]) if _is_builtin(values) else ()
    return values if isinstance(values, (str, bytes, int, float, bool, type(None))) else repr(values)


def _is_builtin(values: object) -> bool:
    return type(values) in (list, tuple)


def _is_short(value: object) -> bool:
    return not isinstance(value, (list, tuple, dict, set, frozenset)) or len(value) <= _MOST_VALUES


def items_of(
    session: pytest.Session,
    about: Sequence[Description],
    marks: Sequence[tuple[str, tuple[object, ...], dict[str, object]]],
) -> list[pytest.Item]:
    """Recreate the items that :func:`describe` has described."""
    known = [pytest.Mark(name, args, kwargs, _ispytest=True) for name, args, kwargs in marks]
    items: list[pytest.Item] = []
    for one in about:
        # pytest's constructors are bypassed: they take 6 us per item, which would be 0.1 s for 20,000 tests.
        item = DeselectedItem.__new__(DeselectedItem)
        attributes = vars(item)
        attributes["_about"], attributes["_marks"], attributes["_session"] = one, known, session
        items.append(item)
    return items
