"""What the controller does with messages about fixtures that are set up once per run (``rustpar_once``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core
from rustpar.compat.longrepr import from_serializable
from rustpar.recording.journal import journal_writer_of

if TYPE_CHECKING:
    from rustpar.controller.hook_dispatch import HookDispatch
    from rustpar.terminal.reporter import DistTerminal


class OnceFixtureEvents:
    """Records set-ups and reports errors in teardowns.

    Attributes:
        is_tearing_down: Whether all workers have exited and the fixtures are being torn down.
        has_failed: Whether a teardown has failed.
        setting_up: The name of the fixture that is being set up in the template; None if there is none.
    """

    def __init__(self, config: pytest.Config, dispatch: HookDispatch, screen: DistTerminal) -> None:
        """Report errors through `dispatch`, and show set-ups on `screen`."""
        self._config = config
        self._dispatch = dispatch
        self._screen = screen
        self._recorder = journal_writer_of(config).recorder
        self.is_tearing_down = False
        self.has_failed = False
        self.setting_up: str | None = None

    def handle(self, worker: int, message: tuple[str, Any]) -> None:
        """Handle a message of a process that sets fixtures up."""
        what, about = message
        if what == "begin":
            self.setting_up = about
        elif what == "set up":
            self.setting_up = None
            self._record(about)
        elif what == "set up for all":
            # The time is that of the test in whose set-up it happened.
            name, seconds = about
            self._screen.show_lines([_core.set_up_once_line([name], seconds)])
        elif what == "teardown":
            self.is_tearing_down = True
        elif what == "torn down":
            self.is_tearing_down = False
        else:
            report = from_serializable(self._config, about)
            self.has_failed = self.has_failed or report.failed
            self._dispatch.report(report)

    def _record(self, fixtures: list[tuple[str, str, float]]) -> None:
        """Record set-ups: for each fixture the test for which it was set up, its key, and the seconds it took."""
        terminal: Any = self._config.pluginmanager.get_plugin("terminalreporter")
        for node_id, key, seconds in fixtures:
            self._recorder.fixture(node_id, key, seconds, None, once=True)
            if terminal is not None:
                # For the list of --durations, which takes all reports of the statistics.
                report = pytest.TestReport(key, ("", None, key), {}, "passed", None, "setup", duration=seconds)
                terminal.stats.setdefault("", []).append(report)
        names = [key.rpartition("::")[2] for _, key, _ in fixtures]
        self._screen.show_lines([_core.set_up_once_line(names, sum(seconds for *_, seconds in fixtures))])
