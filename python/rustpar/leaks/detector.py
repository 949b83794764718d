"""Detection of what tests leave behind, in the process that runs them. ``docs/leaks.md`` is for users.

The state of the process before a test's set-up is compared with that after its teardown (``src/bridge/leaks.rs``). What
was added is described, and attributed to the test or to a shared fixture (``fixtures.py``).

The hazard it handles: a false report. After the teardown pytest still holds the values of fixtures, which it drops
right after the report, and the frames of a failed test, which are garbage later. So what they hold open is not
reported. Threads and processes take a moment to end.

A test that leaves nothing has two additional hook calls: the wrapper around its reports, which would be three more, is
suspended until a test may have left something. So is the summary, if it is in the same process as all tests.
"""

from __future__ import annotations

import gc
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from rustpar import _core
from rustpar.compat.hooks import SuspendedImplementation
from rustpar.compat.longrepr import without_traceback
from rustpar.compat.sessions import basetemp_of, release_values
from rustpar.leaks import found
from rustpar.leaks.fixtures import SharedFixtures, have_shared_fixtures
from rustpar.leaks.found import Leak
from rustpar.leaks.python_resources import is_of_python
from rustpar.leaks.settings import allowed_kinds
from rustpar.process import audit_hook
from rustpar.process.system import os

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from rustpar.leaks.fixtures import SharedFixture
    from rustpar.leaks.summary import LeakSummary

# Seconds for a thread or a process to end by itself: nextest waits 0.1 s. All waiting of a process that was in vain
# takes no longer than the second figure; after that, it is shorter.
_GRACE = 0.2
_MOST_GRACE = 5.0
_LEAST_GRACE = 0.01

_POLL_INTERVAL = 0.001

# Hooks that are called between the teardown of a test and the set-up of the next one.
_BETWEEN_TESTS = (
    "pytest_report_teststatus",
    "pytest_runtest_logfinish",
    "pytest_runtest_logreport",
    "pytest_runtest_logstart",
    "pytest_runtest_makereport",
    "pytest_runtest_protocol",
    "pytest_warning_recorded",
)

# Packages whose implementations of these hooks leave nothing behind.
_CLEAN = ("_pytest", "rustpar")

# Kinds that end by themselves, and kinds that an object closes when it is freed.
_ENDING = ("threads", "processes")
_FREED = ("descriptors", "tempfiles")


@dataclass
class Postponed:
    """A leftover of a test that a fixture may still close.

    Attributes:
        test: The node id of the test.
        leftover: What it has left.
        fixtures: It may belong to one of these.
    """

    test: str
    leftover: _core.Leftover
    fixtures: list[SharedFixture]


class LeakDetector:
    """Compares the state of this process before and after each test."""

    def __init__(self, config: pytest.Config, mode: str, summary: LeakSummary | None) -> None:
        """Report what tests leave, with `mode` "fail" as errors in their teardown, to the `summary` of this process."""
        self._config = config
        self._summary = summary
        self._is_failing = mode == "fail"
        self._state = _core.ProcessState.now()
        self._fixtures = SharedFixtures(self._state)
        self._postponed: list[Postponed] = []
        self._in_test = False
        self._has_failed = False
        # Whether the state is that after the last test.
        self._is_known = False
        # Whether plugins have been registered since the last look; whether only pytest and this package run between
        # tests; and whether the comparison is the last that happens in a teardown.
        self._are_plugins_new = True
        self._are_alone = False
        self._is_outermost = False
        # The wrapper around reports, if it is suspended.
        self._suspended: SuspendedImplementation | None = None
        self._last_test = ""
        self._waited = 0.0

    @pytest.hookimpl
    def pytest_plugin_registered(self) -> None:
        """Note that the plugin may implement a hook that is called between tests."""
        self._are_plugins_new = True

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Start recording temporary files, and watch shared fixtures if there are any."""
        if self._suspended is None:
            self._suspended = SuspendedImplementation(self._config.hook.pytest_runtest_makereport, self)
        audit_hook.install()
        _core.record_temporary_files()
        plugins = session.config.pluginmanager
        if have_shared_fixtures(session) and not plugins.is_registered(self._fixtures):
            plugins.register(self._fixtures, "rustpar-leaks-of-fixtures")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        """Take the state before the set-up; if nothing else has run since the last test, that is known."""
        if self._are_plugins_new:
            self._look_at_plugins()
        if not (self._is_known and self._are_alone):
            self._state.refresh()
        self._in_test, self._has_failed, self._is_known = True, False, False

    @pytest.hookimpl
    def pytest_exception_interact(self) -> None:
        """Note that the frames of a failed test are still there."""
        self._has_failed = True

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        """Compare the states after the teardown."""
        __tracebackhide__ = True
        try:
            return (yield)
        except BaseException:
            self._has_failed = True
            raise
        finally:
            if self._in_test:
                self._in_test = False
                self._last_test = item.nodeid
                self._is_known = self._is_outermost and not self._is_changed()
                if not self._is_known and self._suspended is not None:
                    self._suspended.resume()
                    self._suspended = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Report what the test has left, after what other plugins do at the end of its teardown."""
        report = yield
        if call.when == "teardown" and self._suspended is None:
            if self._is_changed():
                self._report(item, report)
            self._suspended = SuspendedImplementation(self._config.hook.pytest_runtest_makereport, self)
        return report

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Find what fixtures have left that were torn down after the last test."""
        if self._last_test and self._state.is_of_this_process():
            leaks = self._of_fixtures(self._fixtures.take_torn_down(), self._last_test)
            leaks += self._of_postponed()
            if leaks:
                found.keep_for_end(self._config, leaks)

    def _is_changed(self) -> bool:
        """Whether the test that was torn down, or a fixture that was torn down with it, may have left something."""
        return bool(self._postponed) or self._fixtures.has_torn_down() or not self._state.is_current()

    def _look_at_plugins(self) -> None:
        self._is_outermost = self._config.hook.pytest_runtest_teardown.get_hookimpls()[-1].plugin is self
        callers = (getattr(self._config.hook, name) for name in _BETWEEN_TESTS)
        implementations = (one for caller in callers for one in caller.get_hookimpls())
        modules = (one.function.__module__ or "" for one in implementations)
        self._are_alone = all(module.partition(".")[0] in _CLEAN for module in modules)
        self._are_plugins_new = False
        if self._summary is not None:
            # Another process, which runs a test, sends reports with leaks that this process has not found.
            if self._are_alone and not self._config.pluginmanager.has_plugin("rustpar-forked"):
                self._summary.expect_no_reports()
            else:
                self._summary.expect_reports()

    def _report(self, item: pytest.Item, report: pytest.TestReport) -> None:
        if not self._state.is_of_this_process():
            return
        release_values(item)
        # In this order: a fixture that was torn down has restored what looks like a change of the test.
        torn_down = self._fixtures.take_torn_down()
        for fixture in torn_down:
            self._state.include_restored(fixture.leftovers)
        leaks = self._of_postponed() + self._of_test(item) + self._of_fixtures(torn_down, item.nodeid)
        is_error = self._is_failing and bool(leaks) and report.outcome != "failed"
        if is_error:
            report.outcome = "failed"
            # pytest takes the error in the teardown of a test that is expected to fail for the expected one.
            vars(report).pop("wasxfail", None)
            report.longrepr = without_traceback([leak.line for leak in leaks], leaks[0].summary, item)
        if leaks:
            if self._summary is not None:
                self._summary.expect_reports()
            found.attach(report, [leak.with_failure(is_failure=is_error) for leak in leaks])

    def _of_test(self, item: pytest.Item) -> list[Leak]:
        """Return the leaks of a test that has been torn down; what may still be closed is postponed."""
        leftovers = [leftover for leftover in self._state.leftovers() if not self._is_own(leftover)]
        if any(leftover.kind in _FREED for leftover in leftovers):
            # A test must not fail or pass depending on when garbage is collected. A warning is not worth the time of a
            # whole collection: the frames of a skipped test are young.
            gc.collect(2 if self._is_failing else 1)
        leftovers = self._settled(leftovers)
        if not leftovers:
            return []
        leftovers = self._fixtures.adopt(leftovers)
        allowed = allowed_kinds(item)
        users = self._fixtures.used_by(item)
        # pytest keeps the last exception of a test here, of one that is expected to fail, too.
        has_failed = self._has_failed or hasattr(sys, "last_value")
        leaks = []
        for leftover in leftovers:
            if leftover.kind in allowed or (has_failed and leftover.kind in _FREED):
                continue
            if users and leftover.kind == "descriptors":
                # Of a native object, perhaps, of which only the fixture knows.
                self._postponed.append(Postponed(item.nodeid, leftover, users))
            else:
                leaks.append(Leak(item.nodeid, None, leftover.kind, leftover.describe()))
        return leaks

    def _of_fixtures(self, fixtures: Iterable[SharedFixture], test: str) -> list[Leak]:
        """Return what fixtures have left that were torn down with this test."""
        return [
            Leak(test, fixture.name, leftover.kind, leftover.describe())
            for fixture in fixtures
            for leftover in self._settled(fixture.leftovers)
            if leftover.kind not in fixture.allowed and not self._is_own(leftover)
        ]

    def _of_postponed(self) -> list[Leak]:
        """Return the postponed leaks that are still there although their fixtures were torn down."""
        over = [one for one in self._postponed if not any(fixture in self._fixtures.alive for fixture in one.fixtures)]
        self._postponed = [one for one in self._postponed if one not in over]
        leftovers = ((one.test, one.leftover) for one in over if one.leftover.is_left())
        return [Leak(test, None, leftover.kind, leftover.describe()) for test, leftover in leftovers]

    def _is_own(self, leftover: _core.Leftover) -> bool:
        """Whether a leftover is of Python, or a file in a test's own temporary directory, which pytest removes."""
        if is_of_python(leftover):
            return True
        base = basetemp_of(self._config)
        return base is not None and (leftover.path or "").startswith(f"{base}{os.sep}")

    def _settled(self, leftovers: Sequence[_core.Leftover]) -> list[_core.Leftover]:
        """Return those that are still there after threads and processes had time to end."""
        left = [leftover for leftover in leftovers if leftover.is_left()]
        grace = max(_LEAST_GRACE, min(_GRACE, _MOST_GRACE - self._waited))
        begin = _core.monotonic()
        while any(leftover.kind in _ENDING for leftover in left):
            waited = _core.monotonic() - begin
            if waited >= grace:
                self._waited += waited
                break
            _core.sleep(_POLL_INTERVAL)
            left = [leftover for leftover in left if leftover.is_left()]
        return left
