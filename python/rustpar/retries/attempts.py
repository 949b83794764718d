"""Attempts: in the process that runs a test, a failure that is to be retried is reported as a rerun.

A worker leaves the retry to the engine if that can choose another worker. Otherwise, without workers, with
pytest-xdist's own engine, and for tests that are bound to their worker, the test is run again here.

The hazard it handles: all others must see the same. Code that asks in a teardown whether its test has failed
(``item.rep_call.failed``) has to be told that it has, while whoever counts failures must not count this one. So the
outcome is ``rerun`` only while the report is passed on, and again when the attempt is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest

from rustpar import _core
from rustpar.collection.retry_rules import rule_of, settings_of
from rustpar.compat import sessions
from rustpar.compat.hooks import intercept
from rustpar.config.retry_options import PLUGIN

if TYPE_CHECKING:
    from collections.abc import Generator

    from rustpar.collection.retry_rules import Rule

# Seconds between checks, during a delay, whether the run is over.
_POLL_INTERVAL = 0.05


class Runner(Protocol):
    """The worker whose session runs the tests."""

    def leave_retry(self, attempt: int, delay: float) -> bool:
        """Leave the retry of the running test, after this attempt, to the engine; False if it has to be run here."""

    def begin_attempt(self, attempt: int | None) -> None:
        """Record that another attempt of the test begins here; None while it is waited for."""

    def may_start(self) -> bool:
        """Whether a test may still start."""


class Attempts:
    """Tries failed tests again.

    Attributes:
        runner: The worker; None in a process without an engine.
        attempt: The number of the next attempt; the engine knows it if a test was tried in another worker before.
    """

    def __init__(self, session: pytest.Session) -> None:
        """Try the tests of `session` again."""
        self._session = session
        self._is_last = settings_of(session.config).last
        self.runner: Runner | None = None
        self.attempt = 1
        self._item: pytest.Item | None = None
        self._rule: Rule | None = None
        # Whether the running attempt has failed, and its test is tried again.
        self._has_failed = False
        self._is_reported = False
        # Whether it is tried again right now, in this process.
        self._is_repeated = False
        self._is_nested = False
        # The reports that were passed on as reruns, with their own outcomes.
        self._reports: list[pytest.TestReport] = []
        # Tests to try again after all others, with the numbers of their attempts.
        self._deferred: list[tuple[pytest.Item, int, float]] = []

    def next_item(self, given: pytest.Item | None) -> pytest.Item | None:
        """Return the test that follows the running one, if that is a retry in this process; else `given`."""
        if self._is_repeated:
            return self._item
        if given is None and self._deferred:
            return self._deferred[0][0]
        return given

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        """Run the test again as long as it fails and is to be retried here; outermost, so that plugins see each run."""
        if self._is_nested:
            return (yield)
        self._begin(item, self.attempt)
        try:
            result = yield
        finally:
            self._end()
        while self._is_repeated and self._wait(self._rule):
            result = self._run(item, nextitem, self.attempt + 1)
        self._item, self._is_repeated = None, False
        if nextitem is None:
            self._run_deferred()
        self.attempt = 1
        return result

    def _run(self, item: pytest.Item, nextitem: pytest.Item | None, attempt: int) -> object:
        self._begin(item, attempt)
        if self.runner is not None:
            self.runner.begin_attempt(attempt)
        self._is_nested = True
        try:
            return item.ihook.pytest_runtest_protocol(item=item, nextitem=nextitem)
        finally:
            self._is_nested = False
            self._end()

    def _run_deferred(self) -> None:
        """Run the tests that have failed again, after all others."""
        while self._deferred:
            item, attempt, due = self._deferred.pop(0)
            if not self._sleep_until(due):
                return
            self._run(item, self._deferred[0][0] if self._deferred else None, attempt)
            self._item = None

    def _begin(self, item: pytest.Item, attempt: int) -> None:
        self._item, self._rule, self.attempt = item, rule_of(item), attempt
        self._has_failed = self._is_reported = self._is_repeated = False
        if attempt > 1:
            sessions.forget_failures(item)
            sessions.renew_instance(item)

    def _end(self) -> None:
        for report in self._reports:
            report.outcome = "rerun"  # type: ignore[assignment]
        self._reports.clear()

    def _wait(self, rule: Rule | None) -> bool:
        """Wait before the next attempt; return False if the run was stopped meanwhile."""
        delay = 0.0 if rule is None else rule.delay.after(self.attempt)
        if delay and self.runner is not None:
            self.runner.begin_attempt(None)
        return self._sleep_until(_core.monotonic() + delay)

    def _sleep_until(self, due: float) -> bool:
        while self._may_start():
            left = due - _core.monotonic()
            if left <= 0:
                return True
            _core.sleep(min(left, _POLL_INTERVAL))
        return False

    def _may_start(self) -> bool:
        is_stopped = self._session.shouldstop or self._session.shouldfail
        return not is_stopped and (self.runner is None or self.runner.may_start())

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Decide whether a failure is retried, after all plugins have had their say about it."""
        report = yield
        # An error in the teardown of a test that has passed is not retried: its pass has been reported.
        if item is self._item and not self._has_failed and report.failed and call.when != "teardown":
            self._has_failed = self._is_retried(call)
        return report

    def _is_retried(self, call: pytest.CallInfo[None]) -> bool:
        rule, item = self._rule, self._item
        if rule is None or item is None or self.attempt > rule.times or not self._may_start():
            return False
        error = None if call.excinfo is None else call.excinfo.value
        if item.config.option.usepdb or not rule.retries(error):
            return False
        delay = rule.delay.after(self.attempt)
        if self.runner is not None and self.runner.leave_retry(self.attempt, delay):
            return True
        if self._is_last and self.runner is None:
            self._deferred.append((item, self.attempt + 1, _core.monotonic() + delay))
        else:
            self._is_repeated = True
        return True

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, object, object]:
        """Pass the failures of an attempt that is followed by another on as one rerun."""
        item = self._item
        if item is None or report.nodeid != item.nodeid or not (self._has_failed or self.attempt > 1):
            return (yield)
        report.rustpar_attempt = self.attempt  # type: ignore[attr-defined]
        # `context` is that of a subtest; one that has passed says nothing about the test.
        is_part = report.failed or (report.passed and report.when == "call" and not hasattr(report, "context"))
        if not self._has_failed or not is_part:
            return (yield)
        if self._is_reported:
            report.rustpar_continued = True  # type: ignore[attr-defined]
        self._is_reported = True
        own = report.outcome
        report.outcome = "rerun"  # type: ignore[assignment]
        self._reports.append(report)
        try:
            return (yield)
        finally:
            report.outcome = own


class RetryTeardown:
    """Has shared fixtures torn down as the next test needs them, if that is a retry in a process without an engine."""

    def __init__(self, session: pytest.Session, attempts: Attempts) -> None:
        """Ask `attempts` for the next test of `session`."""
        self._state = sessions.setup_state_of(session)
        self._attempts = attempts
        self._teardown: Any = self._state.teardown_exact
        self._state.teardown_exact = self._teardown_exact
        self._call = intercept(session.config.hook.pytest_runtest_teardown, self._call_teardown)

    def _call_teardown(self, name: str, impls: Any, kwargs: dict[str, Any], firstresult: bool) -> object:
        kwargs["nextitem"] = self._attempts.next_item(kwargs.get("nextitem"))
        return self._call(name, impls, kwargs, firstresult)

    def _teardown_exact(self, nextitem: pytest.Item | None) -> None:
        self._teardown(sessions.needed_after_teardown(self._state, nextitem))


def register(session: pytest.Session, *, has_engine: bool) -> None:
    """Try the tests of a session again; `has_engine` says whether it is that of a worker of the engine."""
    plugins = session.config.pluginmanager
    if not plugins.has_plugin(PLUGIN):
        attempts = Attempts(session)
        plugins.register(attempts, PLUGIN)
        if not has_engine:
            RetryTeardown(session, attempts)
