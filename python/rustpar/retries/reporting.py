"""Reports of tests that were tried again, in the process that reports: their status, a section, and the exit status.

The hazard it handles: a test that passes when it is tried again has hidden a failure. So it is not counted as passed,
and each of its failures is named, whatever the verbosity.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core
from rustpar.collection.retry_rules import settings_of
from rustpar.compat import junit_attempts
from rustpar.recording.failure_location import Finder

if TYPE_CHECKING:
    from collections.abc import Generator

NAME = "rustpar-retry-reports"


@dataclass
class _Retried:
    """A test that was tried again.

    Attributes:
        failures: Its attempts that were followed by another: number, worker, error.
        passed_in: The number of the attempt in which it has passed.
        has_failed: Whether its last attempt has failed.
        is_open: Whether it is to be tried again and has not been.
    """

    failures: list[tuple[int, str | None, str]] = field(default_factory=list)
    passed_in: int | None = None
    has_failed: bool = False
    is_open: bool = True


class RetryReports:
    """Shows reruns and flaky tests."""

    def __init__(self, config: pytest.Config) -> None:
        """Show them on the terminal of `config`."""
        self._config = config
        self._finder = Finder(config)
        # By node id, and with `--dist each` by worker; a replacement is the worker that it has replaced.
        self._tests: dict[tuple[str, object], _Retried] = {}
        self._junit = junit_attempts.MergedCases(config)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, Any] | None:
        """Count an attempt that has failed once, and a test that passes afterwards as flaky."""
        if not hasattr(report, "rustpar_attempt"):
            return None
        if hasattr(report, "rustpar_continued"):
            return "", "", ""
        if report.outcome == "rerun":  # type: ignore[comparison-overlap]
            return "rerun", "R", ("RERUN", {"yellow": True})
        if _is_flaky(report):
            return "flaky", "~", ("FLAKY", {"yellow": True})
        return None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, object, object]:
        """Record the attempts of tests that are tried again."""
        if not hasattr(report, "rustpar_attempt"):
            return (yield)
        node = getattr(report, "node", None) if self._config.getoption("dist", "no") == "each" else None
        key = (report.nodeid, getattr(node, "first", node))
        self._record(report, report.rustpar_attempt, self._tests.setdefault(key, _Retried()))
        with self._junit.recording(report, key):
            return (yield)

    def _record(self, report: pytest.TestReport, attempt: int, test: _Retried) -> None:
        worker = _worker_of(report)
        if report.outcome == "rerun":  # type: ignore[comparison-overlap]
            if not hasattr(report, "rustpar_continued"):
                _path, _line, message = self._finder.find(report)
                test.failures.append((attempt, worker, message))
            test.is_open = True
            return
        if attempt > len(test.failures):
            test.is_open = False
        if _is_flaky(report):
            test.passed_in = attempt
        # To all others, a failure in the quarantine is an expected one.
        test.has_failed |= report.failed or hasattr(report, "rustpar_quarantine")

    def _flaky(self) -> int:
        return sum(test.passed_in is not None and not test.has_failed for test in self._tests.values())

    def _must_fail(self) -> bool:
        return settings_of(self._config).must_not_be_flaky and self._flaky() > 0

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Merge the attempts in pytest's JUnit file before it is written, and fail a run that must not be flaky."""
        self._junit.merge()
        if self._must_fail() and getattr(session, "exitstatus", None) == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        return (yield)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Name each test that was tried again, with its failures; with ``-rR``, list the reruns as well."""
        if "R" in getattr(terminalreporter, "reportchars", "") and not self._is_listed_by_plugin():
            self._list_reruns(terminalreporter)
        tests = [
            (node_id, None if test.has_failed else test.passed_in, test.has_failed, test.failures)
            for (node_id, _worker), test in self._tests.items()
            if test.has_failed or test.passed_in is not None or test.is_open
        ]
        lines = _core.retry_lines(tests)
        if lines:
            terminalreporter.write_sep("=", "retried tests", yellow=True)
        for line, stands_out in lines:
            terminalreporter.write_line(line, yellow=stands_out)
        if self._must_fail():
            text = f"the run fails, because of {_core.counted(self._flaky(), 'flaky test')} (--rustpar-flaky=fail)"
            terminalreporter.write_line(f"rustpar: {text}", red=True)

    def _is_listed_by_plugin(self) -> bool:
        return self._config.pluginmanager.has_plugin("rerunfailures")

    def _list_reruns(self, reporter: Any) -> None:
        reports = reporter.stats.get("rerun", ())
        if reports:
            reporter.write_sep("=", "rerun test summary info")
        for report in reports:
            reporter.write_line(f"RERUN {report.nodeid}")


def _is_flaky(report: pytest.TestReport) -> bool:
    """Whether a report is the pass of a test that has failed before; `context` is that of a subtest."""
    if report.when != "call" or not report.passed or hasattr(report, "wasxfail") or hasattr(report, "context"):
        return False
    attempt: int = report.rustpar_attempt
    return attempt > 1


def _worker_of(report: pytest.TestReport) -> str | None:
    node = getattr(report, "node", None)
    return None if node is None else str(node.gateway.id)


def register(config: pytest.Config) -> None:
    """Show the tests of a run that are tried again."""
    if not config.pluginmanager.has_plugin(NAME):
        config.pluginmanager.register(RetryReports(config), NAME)
