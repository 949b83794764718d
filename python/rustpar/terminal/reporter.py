"""What the controller shows of the workers: their start, their output, and their crashes."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any, TextIO

import pytest

from rustpar import _core
from rustpar.compat.terminal import TerminalReporter, add_stats, stream_of, writer_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


# Seconds between flushes while there is more to write.
_FLUSH_INTERVAL = 0.05


class DistTerminal:
    """Writes to the terminal through pytest's reporter, or to the standard streams if there is none."""

    def __init__(self, config: pytest.Config) -> None:
        """Write to the terminal of `config`."""
        self.config = config
        self._reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
        self._status: Any = config.pluginmanager.get_plugin("terminaldistreporter")
        if self._reporter is not None:
            # The progress column shows workers, not files.
            self._reporter.showfspath = False

    @contextlib.contextmanager
    def flushing_rarely(self) -> Iterator[None]:
        """Flush the reporter's output only if no more is to come or some time has passed.

        Otherwise it is flushed for each test; if standard output is a pipe, that wakes its reader each time.
        """
        reporter = self._reporter
        if not isinstance(reporter, TerminalReporter) or type(reporter).flush is not TerminalReporter.flush:
            yield
            return
        last = 0.0

        def flush() -> None:
            nonlocal last
            now = _core.monotonic()
            if now - last > _FLUSH_INTERVAL:
                last = now
                writer_of(reporter).flush()

        vars(reporter)["flush"] = flush
        try:
            yield
        finally:
            del vars(reporter)["flush"]
            self.flush()

    def flush(self) -> None:
        """Flush the reporter's output."""
        if self._reporter is not None:
            writer_of(self._reporter).flush()

    def report_line(self, line: str) -> None:
        """Write a line, except with ``-q``."""
        if self._reporter is not None and self.config.option.verbose >= 0:
            self._reporter.write_line(line)

    def show_start(self, lines: Sequence[str], number: str | None) -> None:
        """Report how workers start and why (`lines`), and the number of workers if that was chosen automatically."""
        if self._reporter is not None:
            first, *more = lines
            self.show_lines([first if number is None else f"{first}, {number}", *more])

    def show_lines(self, lines: Sequence[str]) -> None:
        """Write lines about the run, except with ``-q``."""
        if self._reporter is not None:
            # On a terminal, xdist leaves the line about its workers unfinished, to overwrite it.
            self._new_line()
            for line in lines:
                self.report_line(f"rustpar: {line}")

    def notice(self, line: str) -> None:
        """Write a line even with ``-q``."""
        if self._reporter is not None:
            self._new_line()
            self._reporter.write_line(f"rustpar: {line}", yellow=True)
        else:
            print(f"rustpar: {line}", file=sys.stderr)

    def internal_error(self, line: str) -> None:
        """Write a line of an internal error, as pytest does."""
        if self._reporter is not None:
            self._new_line()
            self._reporter.write_line(f"INTERNALERROR> {line}")
        else:
            print(f"INTERNALERROR> {line}", file=sys.stderr)

    def show_collected(self, gateways: Sequence[Any], tests: int, scheduler: str) -> None:
        """Report how many workers run how many tests, as xdist does."""
        if self._reporter is None or self._status is None:
            return
        from rustpar.compat.xdist_controller import show_collected

        show_collected(self._status, gateways, tests)
        self._reporter.write_line("")
        if self.config.option.verbose > 0:
            self._reporter.write_line(f"scheduling tests via {scheduler}")

    def show_collection_notes(
        self, session: pytest.Session, lines: Sequence[str], deselected: Sequence[Any], marks: Sequence[Any]
    ) -> None:
        """Show the template's lines about the collection, and add the deselected tests to the statistics.

        Args:
            session: The controller's session.
            lines: The lines to write.
            deselected: The deselected tests, as described by :func:`rustpar.collection.deselected.describe`.
            marks: The marks of these.
        """
        if self._reporter is None:
            return
        if deselected:
            from rustpar.collection.deselected import items_of

            # Plugins read attributes of these objects.
            add_stats(self._reporter, "deselected", items_of(session, deselected, marks))
        if self.config.option.verbose >= 0:
            for line in lines:
                self._reporter.write_line(line)

    def show_output(self, text: str, worker: str | None) -> None:
        """Show what a worker printed without being captured: whole lines, prefixed if there are several workers."""
        if worker is not None:
            text = "".join(f"[{worker}] {line}" if line.strip() else line for line in text.splitlines(keepends=True))
        if self._reporter is None:
            sys.stdout.write(text)
            sys.stdout.flush()
            return
        self._new_line()
        if not text.endswith("\n"):
            text += "\n"
        writer = writer_of(self._reporter)
        stream_of(writer).write(text)
        writer.flush()

    def new_line_before_errors(self) -> None:
        """Start a new line if standard error goes to the same place as the reporter's output."""
        if self._reporter is not None and _is_same_file(stream_of(writer_of(self._reporter)), sys.stderr):
            self._new_line()
        self.flush()

    def _new_line(self) -> None:
        self._reporter.ensure_newline()
        writer = writer_of(self._reporter)
        if writer.width_of_current_line:
            writer.line()


def _is_same_file(stream: TextIO, other: TextIO) -> bool:
    try:
        return os.path.sameopenfile(stream.fileno(), other.fileno())
    except (OSError, ValueError):
        # One of them is not a file, or is closed.
        return False


def is_terminal(stream: Any) -> bool:
    """Whether a stream is a terminal with cursor movement."""
    return bool(getattr(stream, "isatty", bool)()) and os.environ.get("TERM", "") not in ("", "dumb")
