"""Failures that pytest shows without traceback entries: import errors, missing fixtures, failed doctests.

pytest serializes them as plain strings, which are shown without colours, and repeated in the short test summary, where
plain pytest shows nothing. So we also send the coloured text, and restore an object that prints it.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from _pytest._code.code import ReprEntry, ReprExceptionInfo, ReprFileLocation, ReprTraceback, TerminalRepr
from _pytest._io import TerminalWriter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_KEY = "$rustpar_representation"


class Representation(TerminalRepr):
    """The text of a failure as rendered in a worker.

    Attributes:
        text: The plain text.
        markup: The text with escape sequences.
    """

    def __init__(self, text: str, markup: str) -> None:
        """Print `markup` if the terminal supports it, else `text`."""
        self.text = text
        self.markup = markup

    def toterminal(self, tw: TerminalWriter) -> None:
        """Print the text."""
        tw.line(self.markup if tw.hasmarkup else self.text)


def without_traceback(lines: Sequence[str], message: str, item: pytest.Item) -> Any:
    """Return a failure that is shown as `lines`, in short as `message`, at the place where a test is defined."""
    entry = ReprEntry(lines, None, None, None, "value")
    location = ReprFileLocation(str(item.path), (item.location[1] or 0) + 1, message)
    return ReprExceptionInfo(ReprTraceback([entry], None, "value"), location)


def to_serializable(config: pytest.Config, report: pytest.TestReport | pytest.CollectReport) -> dict[str, Any] | None:
    """Call ``pytest_report_to_serializable``; add the rendered failure if pytest reduced it to a string."""
    data: dict[str, Any] | None = config.hook.pytest_report_to_serializable(config=config, report=report)
    longrepr = report.longrepr
    if data is not None and isinstance(longrepr, TerminalRepr) and isinstance(data.get("longrepr"), str):
        data[_KEY] = [_rendered(longrepr, has_markup) for has_markup in (False, True)]
    return data


def from_serializable(config: pytest.Config, data: Mapping[str, Any]) -> Any:
    """Call ``pytest_report_from_serializable``; restore the failure that `to_serializable` has rendered."""
    written = data.get(_KEY)
    data = {key: value for key, value in data.items() if key != _KEY}
    report = config.hook.pytest_report_from_serializable(config=config, data=data)
    if written is not None and isinstance(report.longrepr, str):
        report.longrepr = Representation(*written)
    return report


def _rendered(longrepr: TerminalRepr, has_markup: bool) -> str:
    file = io.StringIO()
    writer = TerminalWriter(file)
    writer.hasmarkup = has_markup
    longrepr.toterminal(writer)
    return file.getvalue().removesuffix("\n")
