"""Private parts of pytest's terminal reporter and its writer."""

from __future__ import annotations

from typing import Any

from _pytest.terminal import TerminalReporter

__all__ = ["TerminalReporter", "add_stats", "current_line_of", "set_stream", "stream_of", "writer_of"]


def writer_of(reporter: Any) -> Any:
    """Return a terminal reporter's ``TerminalWriter``; None if a plugin's reporter has none."""
    return getattr(reporter, "_tw", None)


def stream_of(writer: Any) -> Any:
    """Return the stream that a writer writes to."""
    return writer._file


def set_stream(writer: Any, stream: object) -> None:
    """Redirect a writer to a stream."""
    writer._file = stream


def add_stats(reporter: Any, category: str, items: list[Any]) -> None:
    """Add entries to ``terminalreporter.stats``, which the final summary line counts."""
    reporter._add_stats(category, items)


def current_line_of(writer: Any) -> str:
    """Return what a writer has written since the last newline."""
    line: str = writer._current_line
    return line
