"""What pytest's terminal reporter writes with, which it keeps to itself."""

from __future__ import annotations

from typing import Any

from _pytest.terminal import TerminalReporter

__all__ = ["TerminalReporter", "add_stats", "current_line_of", "set_stream", "stream_of", "writer_of"]


def writer_of(reporter: Any) -> Any:
    """The writer of a terminal reporter, a ``TerminalWriter``; None where a plugin's reporter has none."""
    return getattr(reporter, "_tw", None)


def stream_of(writer: Any) -> Any:
    """The file that a writer writes to."""
    return writer._file


def set_stream(writer: Any, stream: object) -> None:
    """Have a writer write there."""
    writer._file = stream


def add_stats(reporter: Any, category: str, items: list[Any]) -> None:
    """Add to what the last line counts, and what plugins find in ``terminalreporter.stats``."""
    reporter._add_stats(category, items)


def current_line_of(writer: Any) -> str:
    """What a writer has written since its last new line."""
    line: str = writer._current_line
    return line
