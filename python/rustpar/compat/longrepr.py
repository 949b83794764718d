"""Failures that pytest shows without a traceback of entries: broken imports, missing fixtures, failed doctests.

pytest's serialization makes a plain string of them. It is then shown without its colours, and repeated in the short
test summary, where plain pytest shows nothing of it. So it is sent with its markup, and shown as what it was.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from _pytest._code.code import TerminalRepr
from _pytest._io import TerminalWriter

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEY = "$rustpar_representation"


class Representation(TerminalRepr):
    """A failure's text as a worker's terminal writer wrote it.

    Attributes:
        text: The text alone.
        markup: The text with its escape sequences.
    """

    def __init__(self, text: str, markup: str) -> None:
        """Show `markup` where the terminal has markup, else `text`."""
        self.text = text
        self.markup = markup

    def toterminal(self, tw: TerminalWriter) -> None:
        """Write it as it was written in the worker."""
        tw.line(self.markup if tw.hasmarkup else self.text)


def to_serializable(config: pytest.Config, report: pytest.TestReport | pytest.CollectReport) -> dict[str, Any] | None:
    """What ``pytest_report_to_serializable`` makes of a report, and the looks of a failure that it makes text of."""
    data: dict[str, Any] | None = config.hook.pytest_report_to_serializable(config=config, report=report)
    longrepr = report.longrepr
    if data is not None and isinstance(longrepr, TerminalRepr) and isinstance(data.get("longrepr"), str):
        data[_KEY] = [_written(longrepr, has_markup) for has_markup in (False, True)]
    return data


def from_serializable(config: pytest.Config, data: Mapping[str, Any]) -> Any:
    """What ``pytest_report_from_serializable`` makes of `data`, with the failure as `to_serializable` found it."""
    written = data.get(_KEY)
    data = {key: value for key, value in data.items() if key != _KEY}
    report = config.hook.pytest_report_from_serializable(config=config, data=data)
    if written is not None and isinstance(report.longrepr, str):
        report.longrepr = Representation(*written)
    return report


def _written(longrepr: TerminalRepr, has_markup: bool) -> str:
    file = io.StringIO()
    writer = TerminalWriter(file)
    writer.hasmarkup = has_markup
    longrepr.toterminal(writer)
    return file.getvalue().removesuffix("\n")
