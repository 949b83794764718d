"""Calls pytest's hooks in the controller with the events from workers."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core
from rustpar.compat.longrepr import from_serializable
from rustpar.controller.listeners import Listeners
from rustpar.recording.journal import journal_writer_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from rustpar.controller.crash_retries import Retry
    from rustpar.controller.nodes import Death, WorkerController
    from rustpar.process.crash_files import CrashFiles

# Used instead of a worker's number for the controller itself.
_CONTROLLER = -1


class HookDispatch:
    """Calls pytest's hooks with what workers send.

    Attributes:
        node_ids: The collection, once it is known.
        nodes: The workers by their numbers.
        failures: The number of failed reports.
    """

    def __init__(self, config: pytest.Config, nodes: dict[int, WorkerController]) -> None:
        """Call the hooks of `config`."""
        self.config = config
        self.nodes = nodes
        self.node_ids: list[str] = []
        self._journal_writer = journal_writer_of(config)
        self.failures = 0
        # The last report of each worker.
        self._last_report: dict[int, pytest.TestReport] = {}
        self._relaying = False
        self._hook: Any = config.hook
        # What each process has reported while configuring and collecting, and what was shown of it: several processes,
        # including the controller, report the same, but users should see it once.
        self._counts: dict[int, Counter[Hashable]] = {_CONTROLLER: Counter()}
        self._shown: Counter[Hashable] = Counter()
        self._listeners = Listeners(config)
        self._is_running = False

    def handlers(self) -> dict[int, Callable[[int, Any, Any], None]]:
        """Return the handlers of engine events that are implemented here."""
        engine = _core.Engine
        return {
            engine.START: self._on_start,
            engine.PASSED: self._on_passed,
            engine.PASSED_CALL: self._on_passed_call,
            engine.REPORT: self._on_report,
            engine.SERIALIZED: self._on_serialized,
            engine.FINISH: self._on_finish,
        }

    def topics(self) -> dict[int, Callable[[int, Any], None]]:
        """Return the handlers of worker messages that are implemented here."""
        line = _core.Line
        return {
            line.COLLECT_REPORT: self._on_collect_report,
            line.WARNING: self._on_warning,
            line.SUITE_PROPERTY: self._on_suite_property,
            line.FIXTURE: self._on_fixture,
            line.MEASURED: self._on_measured,
            line.SAVED: lambda worker, _: self._journal_writer.journal.saved(worker),
        }

    def prepare_batch(self) -> None:
        """Look up the implementations of hooks that run for each test; plugins may have been registered or removed."""
        self._listeners.prepare_batch()
        self._is_running = True

    @pytest.hookimpl(trylast=True)
    def pytest_plugin_registered(self) -> None:
        """Tell a plugin that is registered while tests run of all that follows."""
        if self._is_running:
            self._listeners.look_up()

    def _on_start(self, worker: int, test: int, location: Any) -> None:
        self._listeners.start(self.node_ids[test], location)

    def _on_finish(self, worker: int, test: int, location: Any) -> None:
        self._listeners.finish(self.node_ids[test], location)

    def _on_passed(self, worker: int, test: int, report: pytest.TestReport) -> None:
        self._last_report[worker] = report
        self._listeners.passed(report)

    def _on_passed_call(self, worker: int, test: int, report: pytest.TestReport) -> None:
        self._last_report[worker] = report
        self._listeners.passed_call(report)

    def _on_report(self, worker: int, test: int, report: pytest.TestReport) -> None:
        self._last_report[worker] = report
        self.report(report)

    def report(self, report: pytest.TestReport) -> None:
        """Call the hook for a report that is not, as most are, an ordinary one of a phase that has passed."""
        self._listeners.report(report)
        if report.failed:
            self.failures += 1

    def _on_serialized(self, worker: int, test: int, data: dict[str, Any]) -> None:
        # A copy, because pytest changes what it deserializes.
        report = from_serializable(self.config, _core.loads(_core.dumps(data)[0]))
        report.node = self.nodes[worker]
        self._journal_writer.sent_report = data
        try:
            self._on_report(worker, test, report)
        finally:
            self._journal_writer.sent_report = None

    def _on_collect_report(self, worker: int, data: dict[str, Any]) -> None:
        report = from_serializable(self.config, data)
        if not self._is_new(worker, (report.nodeid, report.outcome)):
            return
        self._hook.pytest_collectreport(report=report)
        if report.failed:
            self.failures += 1

    def last_report_of(self, node: WorkerController, node_id: str) -> pytest.TestReport | None:
        """Return the last report of a test that a worker has sent, if that is the worker's last."""
        last = self._last_report.get(node.number)
        return last if last is not None and last.nodeid == node_id else None

    def crash(self, node: WorkerController, node_id: str, sched: object, death: Death, retry: Retry | None) -> None:
        """Report a worker's death in a test, with the stack and output that it has left behind.

        Args:
            node: The worker.
            node_id: The test.
            sched: The scheduling.
            death: What is known of the death.
            retry: How the test is tried again; None if it is not.
        """
        report = self.crash_report(node, node_id, death)
        if retry is not None or node.tried:
            report.rustpar_attempt = node.tried + 1  # type: ignore[attr-defined]
        if retry is not None:
            report.outcome = "rerun"  # type: ignore[assignment]
            if retry.is_reported:
                report.rustpar_continued = True  # type: ignore[attr-defined]
        self._hook.pytest_handlecrashitem(crashitem=node_id, report=report, sched=sched)
        self._hook.pytest_runtest_logreport(report=report)
        if report.failed:
            self.failures += 1

    def crash_report(self, node: WorkerController, node_id: str, death: Death) -> pytest.TestReport:
        """Return the report of a worker's death in a test; the arguments are those of `crash`."""
        path = node_id.split("::")[0]
        sections: list[tuple[str, str]] = []
        phase = self._phase_of(node.number, node_id)
        words = _core.crash_text(
            node.gateway.id,
            node_id,
            phase,
            death.status,
            is_sent=node.is_killed,
            time_limit=None if node.timed_out is None else node.timed_out[1],
            stack="" if node.crash_files is None else node.crash_files.stack(),
            memory=death.memory,
            killed_for_memory=death.killed_for_memory,
            has_lost_parent=death.has_lost_parent,
            beside=death.beside,
        )
        if node.crash_files is not None:
            sections = self._sections(node.number, node_id, phase, node.crash_files)
        report = pytest.TestReport(
            nodeid=node_id,
            location=(path, None, path),
            keywords={},
            outcome="failed",
            longrepr=words,
            when="???",  # type: ignore[arg-type]
            sections=sections,
        )
        report.node = node  # type: ignore[attr-defined]
        return report

    def done(self, worker: int, test: int) -> None:
        """Do nothing when a worker has ended a test: its reports were passed on."""

    def _phase_of(self, worker: int, node_id: str) -> str:
        """Return the phase of a running test: the one after its last report."""
        last = self._last_report.get(worker)
        if last is None or last.nodeid != node_id or last.when == "teardown":
            return "setup"
        is_run = last.when == "setup" and last.passed
        return "call" if is_run else "teardown" if last.when in ("setup", "call") else "setup"

    def _sections(self, worker: int, node_id: str, phase: str, files: CrashFiles) -> list[tuple[str, str]]:
        """Return the captured output of a test: from its last report, and from the phase that crashed."""
        last = self._last_report.get(worker)
        sections = [] if last is None or phase == "setup" else list(last.sections)
        return [*sections, *((f"Captured {name} {phase}", text) for name, text in files.output())]

    def _on_warning(self, worker: int, warning: dict[str, Any]) -> None:
        from rustpar.compat.warning_message import from_plain

        message = from_plain(warning["data"])
        when, node_id, location = warning["when"], warning["nodeid"], warning["location"]
        if when != "runtest" and not self._is_new(worker, _warning_key(message, node_id)):
            return
        kwargs = {"warning_message": message, "when": when, "nodeid": node_id, "location": location}
        self._relaying = True
        self._journal_writer.sent_warning = warning["data"]
        try:
            self._hook.pytest_warning_recorded.call_historic(kwargs=kwargs)
        finally:
            self._relaying = False
            self._journal_writer.sent_warning = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_warning_recorded(self, warning_message: Any, when: str, nodeid: str) -> None:
        """Count the controller's own warnings while configuring."""
        if not self._relaying:
            self._is_new(_CONTROLLER, _warning_key(warning_message, nodeid))

    def _is_new(self, worker: int, what: Hashable) -> bool:
        """Whether no other process has reported this as often before."""
        counts = self._counts.setdefault(worker, Counter())
        counts[what] += 1
        if counts[what] <= self._shown[what]:
            return False
        self._shown[what] = counts[what]
        return True

    def _on_suite_property(self, worker: int, about: tuple[str, object]) -> None:
        """Add a property, once even if several workers record it: session fixtures are set up in each worker."""
        name, value = about
        if self._is_new(worker, ("suite property", name, str(value))):
            self._journal_writer.suite_property(name, value)

    def _on_fixture(self, worker: int, about: tuple[str, str, float]) -> None:
        """Record the set-up of a shared fixture, which the history subtracts from the test's duration."""
        self._journal_writer.recorder.fixture(*about, worker)

    def _on_measured(self, worker: int, about: tuple[float, float]) -> None:
        """Record the worker's own measurement, because the times in its next report are impossible."""
        self._journal_writer.recorder.measured(worker, *about)


def _warning_key(message: Any, node_id: str) -> tuple[str, ...]:
    return (str(message.category), str(message.message), str(message.filename), str(message.lineno), node_id)
