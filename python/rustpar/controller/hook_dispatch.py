"""What happened in the workers, as calls of pytest's hooks in the controller."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core
from rustpar.compat import hooks
from rustpar.compat.longrepr import from_serializable
from rustpar.recording.journal import journal_writer_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from rustpar.controller.nodes import WorkerController
    from rustpar.process.crash_files import CrashFiles

# Where a process's number would be, for the controller itself.
_CONTROLLER = -1


class HookDispatch:
    """Calls pytest's hooks with what workers send.

    Attributes:
        node_ids: The collection, once it is known.
        nodes: The workers by their numbers.
        failures: How many reports have failed.
    """

    def __init__(self, config: pytest.Config, nodes: dict[int, WorkerController]) -> None:
        """Call the hooks of `config`."""
        self.config = config
        self.nodes = nodes
        self.node_ids: list[str] = []
        self._journal_writer = journal_writer_of(config)
        self.failures = 0
        # The last report of each worker.
        self._last: dict[int, pytest.TestReport] = {}
        self._relaying = False
        self._hook: Any = config.hook
        # What was said while configuring and collecting, by each process that did, and by any of them: several say the
        # same, and people are to see it once. The controller says things, too.
        self._said: dict[int, Counter[Hashable]] = {_CONTROLLER: Counter()}
        self._shown: Counter[Hashable] = Counter()
        self.prepare_batch()

    def handlers(self) -> dict[int, Callable[[int, Any, Any], None]]:
        """The events that are passed on from here."""
        engine = _core.Engine
        return {
            engine.START: self._on_start,
            engine.REPORT: self._on_report,
            engine.SERIALIZED: self._on_serialized,
            engine.FINISH: self._on_finish,
        }

    def topics(self) -> dict[int, Callable[[int, Any], None]]:
        """The messages that are passed on from here."""
        line = _core.Line
        return {
            line.COLLECT_REPORT: self._on_collect_report,
            line.WARNING: self._on_warning,
            line.SUITE_PROPERTY: self._on_suite_property,
            line.FIXTURE: self._on_fixture,
            line.MEASURED: self._on_measured,
        }

    def prepare_batch(self) -> None:
        """Look up who implements the hooks that are called for every test, as plugins may have come or gone."""
        self._log_start = direct_call(self.config, "pytest_runtest_logstart", ("nodeid", "location"))
        self._log_report = direct_call(self.config, "pytest_runtest_logreport", ("report",))
        self._log_finish = direct_call(self.config, "pytest_runtest_logfinish", ("nodeid", "location"))

    def _on_start(self, worker: int, test: int, location: Any) -> None:
        self._log_start(self.node_ids[test], location)

    def _on_finish(self, worker: int, test: int, location: Any) -> None:
        self._log_finish(self.node_ids[test], location)

    def _on_report(self, worker: int, test: int, report: pytest.TestReport) -> None:
        self._last[worker] = report
        self._log_report(report)
        if report.failed:
            self.failures += 1

    def _on_serialized(self, worker: int, test: int, data: dict[str, Any]) -> None:
        report = from_serializable(self.config, data)
        report.node = self.nodes[worker]
        self._on_report(worker, test, report)

    def _on_collect_report(self, worker: int, data: dict[str, Any]) -> None:
        report = from_serializable(self.config, data)
        if not self._is_news(worker, (report.nodeid, report.outcome)):
            return
        self._hook.pytest_collectreport(report=report)
        if report.failed:
            self.failures += 1

    def crash(self, node: WorkerController, node_id: str, sched: object) -> None:
        """Report that a worker died in a test, in xdist's words, with what it has left behind."""
        path = node_id.split("::")[0]
        words, sections = f"worker {node.gateway.id!r} crashed while running {node_id!r}", []
        if node.crash_files is not None:
            stack = node.crash_files.stack()
            words = f"{words}\n\n{stack}" if stack else words
            sections = self._sections(node.number, node_id, node.crash_files)
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
        self._hook.pytest_handlecrashitem(crashitem=node_id, report=report, sched=sched)
        self._hook.pytest_runtest_logreport(report=report)
        if report.failed:
            self.failures += 1

    def _sections(self, worker: int, node_id: str, files: CrashFiles) -> list[tuple[str, str]]:
        """What was captured of a test: as its last report has it, and what came in the phase after that."""
        last = self._last.get(worker)
        begun = last is not None and last.nodeid == node_id and last.when in ("setup", "call")
        sections = list(last.sections) if last is not None and begun else []
        phase = "setup" if last is None or not begun else "call" if last.when == "setup" else "teardown"
        return [*sections, *((f"Captured {name} {phase}", text) for name, text in files.output())]

    def _on_warning(self, worker: int, warning: dict[str, Any]) -> None:
        from rustpar.compat.warning_message import from_plain

        message = from_plain(warning["data"])
        when, node_id, location = warning["when"], warning["nodeid"], warning["location"]
        if when != "runtest" and not self._is_news(worker, _warning_key(message, node_id)):
            return
        kwargs = {"warning_message": message, "when": when, "nodeid": node_id, "location": location}
        self._relaying = True
        try:
            self._hook.pytest_warning_recorded.call_historic(kwargs=kwargs)
        finally:
            self._relaying = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_warning_recorded(self, warning_message: Any, when: str, nodeid: str) -> None:
        """Remember what this process has said for itself while configuring."""
        if not self._relaying:
            self._is_news(_CONTROLLER, _warning_key(warning_message, nodeid))

    def _is_news(self, worker: int, what: Hashable) -> bool:
        """Whether no other process has said this so often before."""
        said = self._said.setdefault(worker, Counter())
        said[what] += 1
        if said[what] <= self._shown[what]:
            return False
        self._shown[what] = said[what]
        return True

    def _on_suite_property(self, worker: int, about: tuple[str, object]) -> None:
        """Add a property, once if several workers record it: a fixture of the session is set up in each."""
        name, value = about
        if self._is_news(worker, ("suite property", name, str(value))):
            self._journal_writer.suite_property(name, value)

    def _on_fixture(self, worker: int, about: tuple[str, str, float]) -> None:
        """A shared fixture was set up: who remembers durations takes it off the test's."""
        self._journal_writer.recorder.fixture(*about, worker)

    def _on_measured(self, worker: int, about: tuple[float, float]) -> None:
        """What the next report says of its time is not possible: this is what the worker has measured."""
        self._journal_writer.recorder.measured(worker, *about)


def direct_call(config: pytest.Config, name: str, arguments: tuple[str, ...]) -> Callable[..., None]:
    """A function that calls a hook's implementations one after the other, in pluggy's order.

    Without pluggy's collecting of results and unwinding of wrappers, the five hooks of a passing test take the
    controller a quarter less time. Where there is a wrapper, or somebody traces hook calls, the hook itself is called.
    """
    hook = getattr(config.hook, name)
    implementations = hook.get_hookimpls()
    traced = hooks.caller_of(config) is not hooks.multicall
    if traced or any(impl.wrapper or impl.hookwrapper for impl in implementations):
        return lambda *values: hook(**dict(zip(arguments, values, strict=True)))
    calls = [
        (impl.function, tuple(arguments.index(wanted) for wanted in impl.argnames))
        for impl in reversed(implementations)
    ]
    everything = tuple(range(len(arguments)))

    def call(*values: object) -> None:
        for function, places in calls:
            if places == everything:
                function(*values)
            else:
                function(*[values[place] for place in places])

    return call


def _warning_key(message: Any, node_id: str) -> tuple[str, ...]:
    return (str(message.category), str(message.message), str(message.filename), str(message.lineno), node_id)
