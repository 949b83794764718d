"""Finding the marks of many tests at once.

The hazard it handles: ``item.iter_markers`` walks from a test up to the session, and 10,000 of these walks take 10 ms
even if no test has the mark. The functions here look at each collector only once, which takes 1.5 ms.
"""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def marked(items: Sequence[pytest.Item], names: Sequence[str]) -> dict[int, tuple[pytest.Mark, ...]]:
    """Find the tests with a mark of one of these names, on the test itself or on a class or module that contains it.

    Returns:
        The marks of each such test by its index in `items`, those on the test itself first.
    """
    wanted = frozenset(names)
    inherited: dict[int, tuple[pytest.Mark, ...]] = {}
    found: dict[int, tuple[pytest.Mark, ...]] = {}
    for index, item in enumerate(items):
        parent = item.parent
        if parent is None:
            marks: tuple[pytest.Mark, ...] = ()
        else:
            known = inherited.get(id(parent))
            if known is None:
                known = inherited[id(parent)] = tuple(mark for mark in parent.iter_markers() if mark.name in wanted)
            marks = known
        if item.own_markers:
            marks = (*[mark for mark in item.own_markers if mark.name in wanted], *marks)
        if marks:
            found[index] = marks
    return found


def group_of(item: pytest.Item) -> str | None:
    """Return the name of a test's ``xdist_group``, or None; several marks are joined to one name, as in xdist."""
    names = {
        str(mark.args[0] if mark.args else mark.kwargs.get("name", "default"))
        for mark in item.iter_markers("xdist_group")
    }
    return "_".join(sorted(names)) if names else None


def check_registered(config: pytest.Config, names: Iterable[str], source: str) -> None:
    """Have pytest warn about unregistered markers, or reject them, as if a test used them.

    Args:
        config: The session's configuration.
        names: The markers.
        source: The option or ini setting that contains them, to which warnings refer.

    Raises:
        pytest.UsageError: pytest treats the marker as an error; the message names `source`.
    """
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for name in names:
                getattr(pytest.mark, name)
        if caught:
            file, line = _location_of(config, source)
            for warning in caught:
                warnings.warn_explicit(warning.message, warning.category, file, line)
    except (pytest.fail.Exception, pytest.PytestUnknownMarkWarning) as error:
        # Raised here, either of them would end pytest silently or with a traceback.
        raise pytest.UsageError(f"{source}: {error}") from None


def _location_of(config: pytest.Config, source: str) -> tuple[str, int]:
    """Return the file and line of an ini setting, or for a command line option its name."""
    if config.inipath is not None:
        entry = re.compile(rf"\s*{re.escape(source)}\s*[=:]")
        for number, line in enumerate(config.inipath.read_text(encoding="utf-8").splitlines(), 1):
            if entry.match(line):
                return str(config.inipath), number
    return source, 1
