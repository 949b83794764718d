"""The section about repeated tests: how often each has failed, how long it took, and how to run that again."""

from __future__ import annotations

from typing import Any

import pytest

from rustpar import _core
from rustpar.compat.sessions import has_paths
from rustpar.recording.failure_location import Finder


class RepeatSummary:
    """Counts repetitions in the process that reports."""

    def __init__(self, config: pytest.Config) -> None:
        """Count the repetitions of a run."""
        self._config = config
        self._finder = Finder(config)
        self._repetitions = _core.Repetitions()
        # Of repetitions that have not ended, by test and worker: seconds, whether skipped, and the failure.
        self._open: dict[tuple[str, str | None], tuple[float, bool, str | None]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        """Count a phase; the teardown ends a repetition, and so does a crash, which has no other."""
        gateway = getattr(getattr(report, "node", None), "gateway", None)
        worker: str | None = getattr(gateway, "id", None)
        key = (report.nodeid, worker)
        seconds, is_skipped, failure = self._open.pop(key, (0.0, False, None))
        seconds += getattr(report, "duration", 0.0)
        is_skipped = is_skipped or report.skipped
        if report.failed and failure is None:
            failure = self._finder.find(report).message
        if report.when in ("setup", "call"):
            self._open[key] = (seconds, is_skipped, failure)
        else:
            self._repetitions.add(report.nodeid, seconds, is_skipped, worker, failure)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Show the section."""
        lines = self._repetitions.lines(self._config.args if has_paths(self._config) else [])
        if lines:
            terminalreporter.write_sep("=", "repeated tests")
        for line, is_highlighted in lines:
            terminalreporter.write_line(line, red=is_highlighted)


def register(config: pytest.Config) -> None:
    """Show the section at the end of a run."""
    if not config.pluginmanager.has_plugin("rustpar-repeats"):
        config.pluginmanager.register(RepeatSummary(config), "rustpar-repeats")
