"""The section about leaks in the terminal summary, and their events in the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rustpar.compat.hooks import SuspendedImplementation
from rustpar.leaks import found
from rustpar.recording.journal import journal_writer_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rustpar.leaks.found import Leak


class LeakSummary:
    """Collects the leaks that were found, in the process that the user has started."""

    def __init__(self, config: pytest.Config, mode: str) -> None:
        """Collect the leaks of the run of `config`; with `mode` "fail", one of them makes the run fail."""
        self._config = config
        self._is_failing = mode == "fail"
        self._lines: list[str] = []
        # The hook for reports, while none can have leaks.
        self._suspended: SuspendedImplementation | None = None

    def expect_no_reports(self) -> None:
        """Do without reports until :meth:`expect_reports`: the three calls for each test take 2.5 to 4 µs."""
        if self._suspended is None:
            self._suspended = SuspendedImplementation(self._config.hook.pytest_runtest_logreport, self)

    def expect_reports(self) -> None:
        """Record the leaks of the reports from now on."""
        if self._suspended is not None:
            self._suspended.resume()
            self._suspended = None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record the leaks that a report has."""
        if found.has_leaks(report):
            self._record(found.attached(report), getattr(report, "worker_id", None))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Record the leaks that a worker has found at its end."""
        self._record(found.found_by_worker(node), node.gateway.id)

    def _record(self, leaks: Iterable[Leak], worker: str | None) -> None:
        recorder = journal_writer_of(self._config).recorder
        for leak in leaks:
            recorder.leak(leak.test, worker, leak.fixture, leak.kind, leak.text)
            if not leak.is_failure:
                self._lines.append(leak.line)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Record the leaks that this process has found at its end; fail the run if no test has failed for a leak."""
        self._record(found.found_at_end(self._config), None)
        if self._is_failing and self._lines and getattr(session, "exitstatus", None) == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Show the leaks that are not shown as errors."""
        if self._lines:
            terminalreporter.write_sep("=", "leaks", yellow=True)
        for line in self._lines:
            terminalreporter.write_line(line, yellow=True)
