"""Deselected tests as pytest knows them: items, in the controller's statistics.

The hazard it handles: plugins read attributes of whatever stands in ``terminalreporter.stats``, and the controller,
which collects nothing, has no items. So what the template tells of the tests that it has deselected becomes items here.
There may be tens of thousands that nobody looks at: all but the node id is made when it is asked for.
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

    # Node id, path, line counted from 0, and the numbers of its marks.
    About = tuple[str, str, int | None, list[int]]

# A mark with more values than this is told without them: those of ``parametrize`` can be a suite's whole data.
_MOST_VALUES = 16


class DeselectedItem(pytest.Item):
    """A test that was collected in another process and will not run.

    Everything that can be told without its module is as in the item itself; it has no function, module or class.
    """

    if TYPE_CHECKING:
        _about: About
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
        """The session: the collectors in between are in the other process."""
        return self._session

    @cached_property
    def name(self) -> str:  # type: ignore[override]
        """The last part of the node id; what stands in brackets is no part of it."""
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
        """The file."""
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
        """All marks of the test, also those of its class and module."""
        return [self._marks[number] for number in self._about[3]]

    @cached_property
    def keywords(self) -> Any:  # type: ignore[override]
        """The names of the test and of what it is in, and its marks."""
        keywords = keywords_of(self)
        path, *names = self._names
        keywords.update(dict.fromkeys([*path.split("/"), *names], True))
        keywords.update((mark.name, mark) for mark in self.own_markers)
        return keywords

    @cached_property
    def extra_keyword_matches(self) -> set[str]:  # type: ignore[override]
        """None beyond the keywords."""
        return set()

    @cached_property
    def stash(self) -> pytest.Stash:  # type: ignore[override]
        """A place for plugins."""
        return pytest.Stash()

    @cached_property
    def _store(self) -> pytest.Stash:  # type: ignore[override]
        return self.stash

    @cached_property
    def user_properties(self) -> list[tuple[str, object]]:  # type: ignore[override]
        """None were recorded."""
        return []

    @cached_property
    def _report_sections(self) -> list[tuple[str, str, str]]:  # type: ignore[override]
        return []

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the test is, and its name without the file's."""
        return self.path, self._about[2], ".".join(self._names[1:])

    def runtest(self) -> NoReturn:
        """Refuse."""
        raise RuntimeError(f"{self._about[0]} was deselected: it cannot be run in the controller")


def tell(items: Sequence[Any]) -> tuple[list[About], list[tuple[str, tuple[object, ...], dict[str, object]]]]:
    """What is to be known of deselected items, as plain values: each, and the marks that they have.

    What stands among them and is no item, a plugin can have put there: it is left out.
    """
    numbers: dict[int, int] = {}
    marks: list[pytest.Mark] = []
    about: list[About] = []
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
    """The line of a test, counted from 0: read off its code, as to ask the item takes ten times as long."""
    function = vars(item).get("_obj")
    function = getattr(function, "__func__", function)
    code = getattr(function, "__code__", None)
    if isinstance(code, CodeType) and not hasattr(function, "__wrapped__"):
        return code.co_firstlineno - 1
    try:
        line = item.reportinfo()[1]
    except Exception:
        # A plugin's item that was never asked in plain pytest, either.
        return None
    return line if isinstance(line, int) else None


def _plain(values: Any) -> Any:
    """The values of a mark without what cannot be sent or would be too much."""
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
    about: Sequence[About],
    marks: Sequence[tuple[str, tuple[object, ...], dict[str, object]]],
) -> list[pytest.Item]:
    """The items that :func:`tell` has told of."""
    known = [pytest.Mark(name, args, kwargs, _ispytest=True) for name, args, kwargs in marks]
    items: list[pytest.Item] = []
    for one in about:
        # Not through pytest's constructors: they take 6 us, which would be 0.1 s for 20,000 tests.
        item = DeselectedItem.__new__(DeselectedItem)
        attributes = vars(item)
        attributes["_about"], attributes["_marks"], attributes["_session"] = one, known, session
        items.append(item)
    return items
