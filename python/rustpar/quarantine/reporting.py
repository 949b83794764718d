"""Shows the failures of tests in the quarantine, and which of its entries have to be removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rustpar.compat.sessions import has_paths
from rustpar.quarantine.marking import excuse
from rustpar.recording.failure_location import Finder

if TYPE_CHECKING:
    from collections.abc import Generator

    from rustpar.collection.quarantine_file import File


class Reporting:
    """Shows them on the terminal."""

    def __init__(self, config: pytest.Config, file: File) -> None:
        """Show the failures with an entry in `file`."""
        self._config = config
        self._file = file
        self._finder = Finder(config)
        # Node id, error and entry of each failure.
        self._failed: list[tuple[str, str, int]] = []
        # The tests that have run; a dictionary keeps their order.
        self._ran: dict[str, None] = {}

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_report_teststatus(self, report: Any) -> Generator[None, object, object]:
        """Count a failure as quarantined."""
        status = yield
        if report.failed and not _is_quarantined(report):
            # pytest lets a test fail here if one of its subtests has failed.
            entry = self._file.entries.find(report.nodeid)
            if entry is not None:
                excuse(report, self._file.entries, entry)
        if _is_quarantined(report):
            return "quarantined", "q", ("QUARANTINED", {"yellow": True})
        return status

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        """Record a failure."""
        self._ran[report.nodeid] = None
        if not _is_quarantined(report):
            return
        self._failed.append((report.nodeid, self._finder.find(report).message, report.rustpar_quarantine))

    def pytest_terminal_summary(self, terminalreporter: Any, exitstatus: int) -> None:
        """List the failures, the entries that have expired, and with ``-v`` those without a test."""
        name, entries = self._file
        lines = entries.lines(self._failed)
        if lines:
            terminalreporter.write_sep("=", "quarantined tests", yellow=True)
        for line, stands_out in lines:
            terminalreporter.write_line(line, yellow=stands_out)
        node_ids = list(self._ran)
        found = entries.expired(node_ids, name)
        if self._config.getoption("verbose", 0) > 0 and self._is_whole_run(terminalreporter, exitstatus):
            found += entries.unused(node_ids, name)
        for line in found:
            terminalreporter.write_line(f"rustpar: {line}", yellow=True)

    def _is_whole_run(self, reporter: Any, exitstatus: int) -> bool:
        """Whether all tests of the project have run."""
        limit = self._config.getoption("maxfail")
        return (
            not has_paths(self._config)
            and not self._config.getoption("lf", False)
            and not reporter.stats.get("deselected")
            and (exitstatus == pytest.ExitCode.OK or (exitstatus == pytest.ExitCode.TESTS_FAILED and not limit))
        )


def _is_quarantined(report: pytest.TestReport) -> bool:
    return hasattr(report, "rustpar_quarantine")


def register(config: pytest.Config, file: File) -> None:
    """Show the failures of a run."""
    if not config.pluginmanager.has_plugin("rustpar-quarantine-reports"):
        config.pluginmanager.register(Reporting(config, file), "rustpar-quarantine-reports")
