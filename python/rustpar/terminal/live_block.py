"""The live block: what the controller shows at the bottom of a terminal while tests run.

Nothing is done for each test: a few times a second it is asked how far the run is, of the engine and of pytest's
reporter.

The hazard it handles: output that nobody watches must not change. The block is for people at a terminal; logs of CI
systems, files and pipes get what they would get without it.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.terminal import TerminalReporter

from rustpar import _core
from rustpar.config.slow_limit import Overdue, slow_limit
from rustpar.config.values import ini_choice
from rustpar.terminal.reporter import is_terminal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rustpar.terminal import live_text
    from rustpar.terminal.live_area import LiveArea
    from rustpar.terminal.reporter import DistTerminal

CHOICES = ("auto", "on", "off")

# Seconds between two looks at how far the run is. Times are shown in tenths of a second.
_INTERVAL = 0.1


def asked_progress(config: pytest.Config) -> str:
    """When the block is to be shown: one of :data:`CHOICES`.

    Raises:
        pytest.UsageError: When ``rustpar_progress`` in the ini file is none of them.
    """
    asked: str | None = config.getoption("rustpar_progress", None)
    return asked or ini_choice(config, "rustpar_progress", CHOICES, {"true": "on", "false": "off"})


def is_shown(config: pytest.Config, reporter: object) -> bool:
    """Whether this run has a block: by what was asked for, the terminal and its reporter, and the environment."""
    asked = asked_progress(config)
    if asked == "off" or not isinstance(reporter, TerminalReporter) or not is_terminal(reporter._tw._file):
        return False
    if asked == "on":
        return True
    # A reporter in the place of pytest's has a display of its own, and with -s tests may write to the terminal.
    return (
        _is_pytests(reporter)
        and config.option.capture != "no"
        and not os.environ.get("CI")
        and not os.environ.get("NO_COLOR")
    )


class LiveBlock:
    """The block of a run, and the line about a running test that has passed the slow limit."""

    def __init__(self, config: pytest.Config, screen: DistTerminal) -> None:
        """Show nothing yet; `screen` writes the lines about slow tests."""
        self._config = config
        self._screen = screen
        self._engine: _core.Engine
        self._area: LiveArea | None = None
        self._reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
        limit = slow_limit(config)
        self._overdue = None if limit is None else Overdue(limit)
        self._looked = 0.0

    @contextlib.contextmanager
    def shown(self, engine: _core.Engine) -> Iterator[None]:
        """Have the block at the bottom of the terminal, if this run has one."""
        if not is_shown(self._config, self._reporter):
            yield
            return
        from rustpar.terminal import live_text
        from rustpar.terminal.live_area import LiveArea

        self._engine = engine
        writer = self._reporter._tw
        signs = live_text.DRAWN if _can_write(writer._file, "".join(live_text.DRAWN)) else live_text.ASCII
        self._style = live_text.Style(writer.markup, signs)
        self._area = LiveArea(writer, is_pytests=_is_pytests(self._reporter))
        try:
            with self._area.below_output():
                yield
        finally:
            self._area = None

    def make_way(self) -> None:
        """Take the block away until it is next drawn: another process is about to write to the terminal."""
        if self._area is not None:
            self._area.make_way()

    def show(self, node_ids: Sequence[str]) -> None:
        """Show how far the run is; called often, it does so seldom.

        Args:
            node_ids: The collection.
        """
        if self._area is None:
            return
        now = _core.monotonic()
        if now - self._looked >= _INTERVAL:
            self._looked = now
            status = self._engine.status()
            if status.tests:
                self._tell_overdue(status, node_ids)
                self._area.lines = self._lines(status, node_ids, self._area.size())
        self._area.paint_when_due()

    def _lines(self, status: _core.Status, node_ids: Sequence[str], size: live_text.Size) -> list[str]:
        from rustpar.terminal import live_text

        counts = {category: len(reports) for category, reports in self._reporter.stats.items()}
        running = [
            live_text.Running(f"gw{worker}", _writable(node_ids[test], self._reporter._tw._file), seconds)
            for worker, test, seconds in status.workers
            if test is not None
        ]
        return live_text.lines(status, counts, running, size, self._style)

    def _tell_overdue(self, status: _core.Status, node_ids: Sequence[str]) -> None:
        if self._overdue is None:
            return
        for worker, test, seconds in self._overdue.look(status):
            self._screen.notice(f"gw{worker} has been running {node_ids[test]} for {_core.spoken(seconds)}")


def _is_pytests(reporter: object) -> bool:
    """Whether it is pytest's own, and no other plugin has put a class of its own in its place."""
    return type(reporter) is TerminalReporter


def _can_write(stream: Any, text: str) -> bool:
    try:
        text.encode(stream.encoding)
    except (UnicodeError, LookupError, TypeError):
        return False
    return True


def _writable(text: str, stream: Any) -> str:
    """The text with escapes for what this stream cannot write."""
    return text if text.isascii() else text.encode(stream.encoding, "backslashreplace").decode(stream.encoding)
