"""The live block: what the controller shows at the bottom of a terminal while tests run.

It costs nothing per test: a few times a second it reads the state of the run from the engine and the counts from
pytest's reporter. The lines are rendered in Rust.

The hazard it handles: output that nobody watches must not change. The block is for people at a terminal; CI logs, files
and pipes are not affected.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core
from rustpar.compat.terminal import TerminalReporter, stream_of, writer_of
from rustpar.config.slow_limit import Overdue, slow_limit
from rustpar.config.values import ini_choice
from rustpar.terminal.reporter import is_terminal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rustpar.terminal.live_area import LiveArea
    from rustpar.terminal.reporter import DistTerminal

CHOICES = ("auto", "on", "off")

# Seconds between updates of the lines, the fastest that is readable.
_INTERVAL = 0.1


def progress_option(config: pytest.Config) -> str:
    """Return when to show the block: one of :data:`CHOICES`, from the command line or the ini file.

    Raises:
        pytest.UsageError: ``rustpar_progress`` in the ini file is invalid.
    """
    asked: str | None = config.getoption("rustpar_progress", None)
    return asked or ini_choice(config, "rustpar_progress", CHOICES, {"true": "on", "false": "off"})


def is_shown(config: pytest.Config, reporter: object) -> bool:
    """Whether this run has a block, by the options, the reporter, its terminal and the environment."""
    asked = progress_option(config)
    if asked == "off" or not isinstance(reporter, TerminalReporter) or not is_terminal(stream_of(writer_of(reporter))):
        return False
    if asked == "on":
        return True
    # A reporter that replaces pytest's has its own display, and with -s tests may write to the terminal.
    return (
        _is_pytests(reporter)
        and config.option.capture != "no"
        and not os.environ.get("CI")
        and not os.environ.get("NO_COLOR")
    )


class LiveBlock:
    """The block of a run, and a line for each running test that exceeds the slow limit."""

    def __init__(self, config: pytest.Config, screen: DistTerminal) -> None:
        """Create a hidden block; `screen` writes the lines about slow tests."""
        self._config = config
        self._screen = screen
        self._engine: _core.Engine
        self._area: LiveArea | None = None
        self._reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
        limit = slow_limit(config)
        self._overdue = None if limit is None else Overdue(limit)
        self._updated = 0.0

    @contextlib.contextmanager
    def shown(self, engine: _core.Engine) -> Iterator[None]:
        """Show the block at the bottom of the terminal, if this run has one."""
        if not is_shown(self._config, self._reporter):
            yield
            return
        from rustpar.terminal.live_area import LiveArea

        self._engine = engine
        writer = writer_of(self._reporter)
        self._has_colours = bool(writer.hasmarkup)
        self._is_drawn = _can_write(stream_of(writer), _core.LIVE_BLOCK_CHARACTERS)
        self._area = LiveArea(writer, is_pytests=_is_pytests(self._reporter))
        try:
            with self._area.below_output():
                yield
        finally:
            self._area = None

    def hide(self) -> None:
        """Remove the block until the next update, because another process is about to write to the terminal."""
        if self._area is not None:
            self._area.hide()

    def show(self, node_ids: Sequence[str]) -> None:
        """Update the block if the last update was a while ago; may be called at any frequency.

        Args:
            node_ids: The node ids of all tests, in the order of the collection.
        """
        if self._area is None:
            return
        now = _core.monotonic()
        if now - self._updated >= _INTERVAL:
            self._updated = now
            status = self._engine.status()
            if status.tests:
                self._report_overdue(status, node_ids)
                self._area.lines = self._lines(status, node_ids, self._area)
        self._area.paint_when_due()

    def _lines(self, status: _core.Status, node_ids: Sequence[str], area: LiveArea) -> list[str]:
        stream = stream_of(writer_of(self._reporter))
        counts = {category: len(reports) for category, reports in self._reporter.stats.items()}
        running = [
            (worker, _writable(node_ids[test], stream), seconds)
            for worker, test, seconds in status.workers
            if test is not None
        ]
        return status.live_block(counts, running, area.size(), self._has_colours, self._is_drawn)

    def _report_overdue(self, status: _core.Status, node_ids: Sequence[str]) -> None:
        if self._overdue is None:
            return
        for worker, test, seconds in self._overdue.find_new(status):
            self._screen.notice(f"gw{worker} has been running {node_ids[test]} for {_core.spoken(seconds)}")


def _is_pytests(reporter: object) -> bool:
    """Whether this is pytest's own reporter, as opposed to one of a plugin that replaces it."""
    return type(reporter) is TerminalReporter


def _can_write(stream: Any, text: str) -> bool:
    try:
        text.encode(stream.encoding)
    except (UnicodeError, LookupError, TypeError):
        return False
    return True


def _writable(text: str, stream: Any) -> str:
    """Escape the characters that this stream cannot encode."""
    return text if text.isascii() else text.encode(stream.encoding, "backslashreplace").decode(stream.encoding)
