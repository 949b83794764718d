"""Load tests in the controller: all workers run each of them at the same time, and their reports become one.

A worker reports setup, call and teardown as always. Whether the call has passed is decided here, by what the engine has
measured; the report of the worker that has failed, if one has, takes precedence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core
from rustpar.controller import load_otlp
from rustpar.controller.hook_dispatch import HookDispatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from rustpar.controller.crash_retries import Retry
    from rustpar.controller.nodes import Death, WorkerController
    from rustpar.controller.worker_pool import WorkerPool

# Objects differ in their addresses in otherwise equal texts.
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")

# So many failed iterations of a load test are shown.
_MOST_FAILURES = 20

# Options of a run that contradict load tests, with the values that are no contradiction.
_CONTRADICTIONS = (
    ("rustpar_repeat", "--rustpar-repeat", (None,)),
    ("rustpar_forked", "--rustpar-forked", (False, None)),
    ("forked", "--forked", (False, None)),
    ("rustpar_resume", "--rustpar-resume", (None,)),
    ("usepdb", "--pdb", (False,)),
    ("trace", "--trace", (False,)),
)


def prepare(config: pytest.Config) -> None:
    """Have all workers run every test, and one worker if no number is given.

    Raises:
        pytest.UsageError: Options contradict each other, or the profile is unknown.
    """
    from rustpar.config.load_option import profile_of

    option: Any = config.option
    profile_of(config)
    load_otlp.check(config)
    for name, written, allowed in _CONTRADICTIONS:
        if getattr(option, name, None) not in allowed:
            raise pytest.UsageError(f"--rustpar-load does not work with {written}: omit one of them")
    if option.collectonly:
        return
    if option.numprocesses is None and not option.tx:
        option.numprocesses = 1
    if option.numprocesses == 0:
        raise pytest.UsageError("--rustpar-load needs a process for its users: use -n 1 instead of -n 0, or omit it")
    option.dist = "each"
    option.loadgroup = False


def check_engine(config: pytest.Config, reason: str | None) -> None:
    """Check that load tests are run by this engine.

    Args:
        config: The session's configuration.
        reason: Why it is not, if there is a reason.

    Raises:
        pytest.UsageError: It is not.
    """
    if reason is not None and not config.option.collectonly:
        raise pytest.UsageError(f"--rustpar-load does not work here: {reason}")


@dataclass
class _Running:
    """What is known of a load test.

    Attributes:
        reports: The reports of each worker, by phase.
        location: That of the test.
        ended: The workers that have ended it, or were lost in it.
        crash: The report of a crash.
        outcome: What was measured.
        failures: Worker, user, iteration and text of failed iterations.
    """

    reports: dict[int, dict[str, pytest.TestReport]] = field(default_factory=dict)
    location: Any = None
    ended: set[int] = field(default_factory=set)
    crash: pytest.TestReport | None = None
    outcome: _core.LoadOutcome | None = None
    failures: list[tuple[str, int, int, str]] = field(default_factory=list)


class LoadDispatch(HookDispatch):
    """Calls pytest's hooks once for each load test, when all workers have ended it."""

    def __init__(self, config: pytest.Config, pool: WorkerPool) -> None:
        """Call the hooks of `config` for the workers of `pool`."""
        super().__init__(config, pool.nodes)
        self._pool = pool
        # Workers that were lost and are not replaced. They may have been running a test that others still run.
        self._gone: set[int] = set()
        self._running: dict[int, _Running] = {}
        self._tests: dict[int, int] = {}
        self._outcomes: list[tuple[str, _core.LoadOutcome]] = []
        self._otlp = load_otlp.exporter_of(config)

    def handlers(self) -> dict[int, Callable[[int, Any, Any], None]]:
        """Return the handlers of engine events that are implemented here."""
        engine = _core.Engine
        own: dict[int, Callable[[int, Any, Any], None]] = {
            engine.LOAD_SECOND: self._on_seconds,
            engine.LOAD_RESULT: self._on_result,
            engine.PASSED: self._on_report,
            engine.PASSED_CALL: self._on_report,
        }
        return super().handlers() | own

    def topics(self) -> dict[int, Callable[[int, Any], None]]:
        """Return the handlers of worker messages that are implemented here."""
        return super().topics() | {_core.Line.LOAD: self._on_failures}

    def _have_all_ended(self, running: _Running) -> bool:
        return len(running.ended | self._gone) >= self._pool.needed

    def _of(self, test: int) -> _Running:
        return self._running.setdefault(test, _Running())

    def _on_start(self, worker: int, test: int, location: Any) -> None:
        self._tests[worker] = test
        running = self._of(test)
        if running.location is None:
            running.location = location
            super()._on_start(worker, test, location)

    def _on_finish(self, worker: int, test: int, location: Any) -> None:
        pass

    def _on_report(self, worker: int, test: int, report: pytest.TestReport) -> None:
        self._last_report[worker] = report
        self._of(test).reports.setdefault(worker, {})[report.when or ""] = report

    def _on_failures(self, worker: int, failures: list[tuple[int, int, str]]) -> None:
        kept = self._of(self._tests[worker]).failures
        kept += [(f"gw{worker}", *failure) for failure in failures]

    def _on_seconds(self, _worker: int, seconds: _core.LoadSeconds, _: None) -> None:
        self._journal_writer.recorder.load_seconds(seconds)
        if self._otlp is not None:
            self._otlp.send(self.node_ids[seconds.test], seconds)

    def _on_result(self, _worker: int, outcome: _core.LoadOutcome, _: None) -> None:
        self._journal_writer.recorder.load_result(outcome)
        self._outcomes.append((self.node_ids[outcome.test], outcome))
        self._of(outcome.test).outcome = outcome

    def done(self, worker: int, test: int) -> None:
        """Report a test that all workers have ended."""
        running = self._of(test)
        running.ended.add(worker)
        if self._have_all_ended(running):
            self._tell(test, self._running.pop(test))

    def crash(self, node: WorkerController, node_id: str, sched: object, death: Death, retry: Retry | None) -> None:
        """Keep the report of a crash for the test's report."""
        test = self._tests.get(node.number)
        if test is None or self.node_ids[test] != node_id:
            test = self.node_ids.index(node_id)
        report = self.crash_report(node, node_id, death)
        running = self._of(test)
        running.crash = running.crash or report
        self._hook.pytest_handlecrashitem(crashitem=node_id, report=report, sched=sched)
        self.done(node.number, test)

    def decide(self, worker: int, is_replaced: bool) -> None:
        """Expect no more of a lost worker, unless it is replaced."""
        self._pool.engine.decide_generator(worker, is_replaced)
        if is_replaced:
            return
        self._gone.add(worker)
        for test in [test for test, running in self._running.items() if self._have_all_ended(running)]:
            self._tell(test, self._running.pop(test))

    def _tell(self, test: int, running: _Running) -> None:
        for report in self._merged(running):
            self.report(report)
        self._listeners.finish(self.node_ids[test], running.location)

    def _merged(self, running: _Running) -> list[pytest.TestReport]:
        """Return the reports of a test."""
        if running.crash is not None:
            crash = running.crash
            if running.outcome is not None:
                crash.longrepr = f"{crash.longrepr}\n\n{running.outcome.details()}"
            return [crash]
        phases = [self._worst(running, when) for when in ("setup", "call", "teardown")]
        setup, call, teardown = phases
        if call is not None and _is_unexpected_pass(call) and running.outcome is not None and running.outcome.problems:
            # As the mark xfail has said.
            call.duration, call.outcome, call.longrepr = running.outcome.seconds, "skipped", running.outcome.details()
            call.wasxfail = getattr(call, "wasxfail", "")
        elif call is not None and call.passed:
            if setup is None or not setup.passed:
                call = None
            elif self._pool.stopping and (running.outcome is None or running.outcome.was_interrupted):
                # As a test that an interrupt has ended.
                return []
            elif running.outcome is None:
                call.outcome, call.longrepr = "failed", "load test failed: it has not begun"
            else:
                self._judge(call, running)
        return [report for report in (setup, call, teardown) if report is not None]

    @staticmethod
    def _worst(running: _Running, when: str) -> pytest.TestReport | None:
        """Return the report of a phase that has failed in a worker, or else was skipped, or else any."""
        of_workers = [(worker, reports[when]) for worker, reports in sorted(running.reports.items()) if when in reports]
        if not of_workers:
            return None
        worst = min(of_workers, key=lambda pair: ("failed", "skipped", "passed").index(pair[1].outcome))
        found = worst[1]
        for worker, report in of_workers:
            if report is not found:
                found.sections += [(f"{title} (gw{worker})", text) for title, text in report.sections]
        return found

    def _judge(self, call: pytest.TestReport, running: _Running) -> None:
        outcome = running.outcome
        assert outcome is not None
        call.duration = outcome.seconds
        if not outcome.problems:
            return
        call.outcome = "failed"
        text = outcome.details()
        # By their texts: users tend to fail in the same way.
        alike: dict[str, list[tuple[str, str]]] = {}
        for worker, user, iteration, failure in sorted(running.failures, key=_by_iteration)[:_MOST_FAILURES]:
            key = _ADDRESS.sub("", failure)
            alike.setdefault(key, []).append((f"user {user}, iteration {iteration} ({worker})", failure))
        for (first, failure), *others in alike.values():
            more = f", and {len(others)} more alike" if others else ""
            text += f"\n\n_ failed: {first}{more} _\n\n{failure}"
        call.longrepr = text

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Finish sending figures."""
        if self._otlp is not None:
            self._otlp.close()

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Show the figures of all load tests."""
        if not self._outcomes:
            return
        terminalreporter.write_sep("=", "load tests")
        for node_id, outcome in self._outcomes:
            terminalreporter.write_line(node_id, bold=True, red=bool(outcome.problems), green=not outcome.problems)
            for line, is_highlighted in outcome.table():
                terminalreporter.write_line(f"  {line}", yellow=is_highlighted)
        problem = None if self._otlp is None else self._otlp.problem()
        if problem is not None:
            terminalreporter.write_line(problem, yellow=True)


def _is_unexpected_pass(call: pytest.TestReport) -> bool:
    """Whether a worker, which does not judge, has reported a load test with the mark xfail as passed."""
    is_strict = call.failed and isinstance(call.longrepr, str) and call.longrepr.startswith("[XPASS(strict)]")
    return is_strict or (call.passed and hasattr(call, "wasxfail"))


def _by_iteration(failure: tuple[str, int, int, str]) -> tuple[int, int]:
    _worker, user, iteration, _text = failure
    return iteration, user


def load_dispatch(config: pytest.Config, pool: WorkerPool) -> LoadDispatch:
    """Return what calls the hooks for the load tests of a run."""
    dispatch = LoadDispatch(config, pool)
    pool.on_decision = dispatch.decide
    return dispatch
