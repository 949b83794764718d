"""The worker: pytest's own session, whose tests come from the engine (``run_loop.py``) and whose reports go to it.

The hooks are those of xdist's ``WorkerInteractor``; they are active in the template from the start, and in every worker
forked from it.

The hazard it handles: a test, a fixture or a plugin may fork a worker. Such a child contains all of this as well; it
must neither take the worker's tests nor continue with the next one.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from rustpar import _core
from rustpar.collection.loaded_code import loaded_files
from rustpar.compat import sessions
from rustpar.compat.longrepr import to_serializable
from rustpar.compat.node_ids import id_attribute
from rustpar.compat.warning_message import to_plain
from rustpar.process import crash_files, forking, identity, memory, stack_dump
from rustpar.process.system import os
from rustpar.recording import fixture_timing
from rustpar.worker import inventory_message
from rustpar.worker.run_fixtures import RunFixtures
from rustpar.worker.run_loop import RunLoop
from rustpar.worker.terminal import discard_output, keep_report, show_live_output, silence

if TYPE_CHECKING:
    import warnings
    from collections.abc import Callable, Generator

    from rustpar.debugger.lent_terminal import LentTerminal
    from rustpar.fork_safety.monitor import Monitor
    from rustpar.worker.file_parts import FileParts

    class RunPoint(Protocol):
        """The point before a worker's first test."""

        @property
        def will_fork(self) -> bool | None:
            """Whether workers will be forked here; None if only reasons against it prevent that."""

        def wait(self, use_line: Callable[[_core.Line], None], end: Callable[[], None]) -> None:
            """Wait until this process is a worker; first call `use_line` with its line.

            A process that does not become one calls `end` when its forks have exited, and exits.
            """


# Seconds between checks whether the run is over.
_POLL_INTERVAL = 0.001


def make_line(shared: _core.Shared, slot: int) -> _core.Line:
    """Create the line to the controller for the worker in this slot."""
    return _core.Line(shared, slot, pytest.TestReport, id_attribute())


class WorkerPlugin:
    """The plugin that turns a pytest session into a worker's.

    Attributes:
        session: The session; None before it starts.
        parts: The plugin of a parallel collection; None without that.
    """

    def __init__(
        self,
        config: pytest.Config,
        line: _core.Line,
        fork_point: RunPoint,
        watch: Monitor | None,
        *,
        hasmarkup: bool,
        resumed: tuple[str, list[int] | None] | None,
    ) -> None:
        """Use `line` while collecting, and then the line that `fork_point` provides.

        Args:
            config: The session's configuration.
            line: The line of this process.
            fork_point: The point at which workers are forked from the template.
            watch: The monitor of a template; None in a worker that was forked early.
            hasmarkup: Whether the controller's terminal shows colours.
            resumed: The arguments of ``resumption.load`` if this run resumes another.
        """
        self.config = config
        self._line = line
        self._fork_point = fork_point
        self._monitor = watch
        self._hasmarkup = hasmarkup
        self._resumed = resumed
        self._id_attribute = "_id" if id_attribute() == "_id" else "_nodeid"
        self._loop = RunLoop(config, line, self)
        self._deselected: list[pytest.Item] = []
        self._collection_lines = inventory_message.CollectionLines(config)
        self._has_finished = False
        self._run_fixtures = RunFixtures(config, line)
        self._sent_notices: set[str] = set()
        self.parts: FileParts | None = None
        self.session: pytest.Session | None = None

    @property
    def line(self) -> _core.Line:
        """The connection of this process to the engine."""
        return self._line

    @property
    def test(self) -> int:
        """The index of the running test."""
        return self._loop.test

    def is_own(self) -> bool:
        """Whether this process is the template or a worker, and not one that the suite has forked from it."""
        return self._line.is_own()

    def pytest_plugin_registered(self, plugin: object, manager: pytest.PytestPluginManager) -> None:
        """Silence the terminal reporter, whichever it is, because the controller's is the visible one."""
        if plugin is manager.get_plugin("terminalreporter"):
            silence(plugin, self.config, hasmarkup=self._hasmarkup)

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Send information about this process to the controller."""
        self.session = session
        stack_dump.enable(self.config)
        crash_files.prepare(self.config)
        info = {
            "version": sys.version,
            "version_info": tuple(sys.version_info),
            "sysplatform": sys.platform,
            "executable": sys.executable,
            "cwd": str(Path.cwd()),
        }
        self._send(self._line.READY, info)

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Generator[None, None, None]:
        """Send the exit status and ``workeroutput``, after all other plugins have added to it."""
        discard_output(self.config)
        stack_dump.disable(self.config)
        output: dict[str, Any] = self.config.workeroutput  # type: ignore[attr-defined]
        output["exitstatus"] = int(exitstatus)
        output["shouldfail"] = session.shouldfail
        output["shouldstop"] = session.shouldstop
        yield
        # If the template has become a worker, or has not forked any.
        self._run_fixtures.tear_down()
        self._send(self._line.FINISHED, output | {memory.USAGE_KEY: tuple(memory.measure())})
        self._has_finished = True

    def wait_for_exit(self) -> None:
        """Wait until the run is over, if this session has finished.

        Exit functions may remove what other workers' tests need. The controller signals the end of the run, and this
        process dies with it.
        """
        while self._has_finished and not self._line.may_exit():
            _core.sleep(_POLL_INTERVAL)

    def pytest_internalerror(self, excrepr: object) -> None:
        """Send an internal error's text."""
        self._send(self._line.INTERNAL_ERROR, str(excrepr))

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Send what ended the session from inside: an interrupt, or ``pytest.exit``."""
        identity.discard_unread_output(self.config)
        self._line.set_interrupted()
        value = excinfo.value
        if isinstance(value, pytest.exit.Exception):
            about = {"exit": str(value.msg), "returncode": value.returncode}
        else:
            about = {"exit": None, "returncode": None}
        self._send(self._line.INTERRUPTED, about)

    def pytest_collectstart(self, collector: pytest.Collector) -> None:
        """Send the name of the next file, to be reported if this process dies in it."""
        if isinstance(collector, pytest.File):
            self._line.message(self._line.COLLECTING, collector.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Send reports that have not passed; the controller needs no others."""
        if not report.passed:
            data = to_serializable(self.config, report)
            if self.parts is None or not self.parts.keep_report(data, is_failed=report.failed):
                self._send(self._line.COLLECT_REPORT, data)

    def report_files(self, count: int, obstacle: str | None) -> None:
        """Send how many files there are, and why they are not collected in parallel; None if they are."""
        self._line.message(self._line.FILES, (count, obstacle))

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Store the deselected tests for the inventory."""
        self._deselected += items

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Send the collection, wait at the fork point, and in each worker run what the engine assigns."""
        if not self.is_own():
            forking.exit_stray_fork(is_failed=session.testsfailed > 0)
        loaded = loaded_files(self.config, session.items)
        finished = None if self._resumed is None else inventory_message.take_out_finished(session, *self._resumed)
        parts = self.parts
        is_part = parts is not None and parts.is_part
        reasons = [] if self._monitor is None or is_part else self._monitor.stop(self.config)
        decided = self._fork_point.will_fork
        self._run_fixtures.set_up(session, will_fork=not reasons if decided is None else decided)
        inventory_message.send(
            self._line,
            session,
            self._deselected,
            lines=self._collection_lines.take(),
            loaded=loaded,
            finished=finished,
            reasons=reasons,
            part=None if parts is None else parts.describe(session.items, self._deselected),
        )
        self._deselected = []
        self._loop.prepare(session, parts.tests(session.items) if parts is not None and is_part else None)
        fixture_timing.watch(session, self._send_fixture)
        self._fork_point.wait(self.use_line, self._run_fixtures.tear_down)
        os.register_at_fork(after_in_child=self._loop.note_fork)
        show_live_output(self.config)
        self._loop.run()
        return True

    def use_line(self, line: _core.Line) -> None:
        """Use this line from now on, in a worker that was forked from the template."""
        self._line = line
        self._loop.use(line)
        debugger: LentTerminal | None = self.config.pluginmanager.get_plugin("rustpar-debugger")
        if debugger is not None:
            debugger.use(line)
        self._run_fixtures.use(line)

    def leave_retry(self, attempt: int, delay: float) -> bool:
        """Leave the retry of the running test to the engine, if it can choose another worker."""
        if not self._line.leaves_retries():
            return False
        self._line.retry(self.test, attempt, delay)
        return True

    def leaves_retries(self) -> bool:
        """Whether the engine tries failed tests again."""
        return self._line.leaves_retries()

    def begin_attempt(self, attempt: int | None) -> None:
        """Record that another attempt of the running test begins in this worker, or with None, that it is awaited."""
        if attempt is None:
            self._line.set_running(None)
        else:
            self._line.set_running(self.test, attempt - 1)

    def set_forked(self, process: int | None) -> None:
        """Record in which process the running test is run; None before that is waited for."""
        self._line.set_forked(process)

    def is_timed_out(self) -> bool:
        """Whether that process was ended at the time limit of its test."""
        return self._line.is_timed_out()

    def may_start(self) -> bool:
        """Whether a test may still start."""
        return self._line.may_start()

    def pytest_runtest_logstart(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        """Send the start of a test."""
        self._line.start(self.test, getattr(self._loop.items[self.test], self._id_attribute), location)

    def pytest_runtest_logfinish(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        """Send the end of a test."""
        self._line.finish(self.test, location)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Send a report: natively if it is an ordinary one, else through pytest's serialization."""
        if report.when == "call" or not report.passed:
            keep_report(report, self.config)
        if not self._line.report(self.test, report):
            data = to_serializable(self.config, report)
            if data is None:
                self._notice(
                    f"no plugin can serialize a {type(report).__name__} of {report.nodeid}; sent as TestReport"
                )
                data = sessions.serialized(report) | {"$report_type": "TestReport"}
            is_last = report.when == "teardown" and report.passed
            lost = self._line.serialized(self.test, report.outcome == "failed", is_last, data)
            self._notice_lost(lost, f"the report of {report.nodeid}")

    def pytest_warning_recorded(
        self,
        warning_message: warnings.WarningMessage,
        when: str,
        nodeid: str,
        location: tuple[str, int, str] | None,
    ) -> None:
        """Send a warning."""
        data = to_plain(warning_message)
        self._send(self._line.WARNING, {"data": data, "when": when, "nodeid": nodeid, "location": location})

    def suite_property(self, name: str, value: object) -> None:
        """Send a property recorded by ``record_testsuite_property``."""
        self._send(self._line.SUITE_PROPERTY, (name, value))

    def _send_fixture(self, node_id: str, key: str, seconds: float) -> None:
        """Send the set-up time of a shared fixture, before the report of its phase."""
        self._send(self._line.FIXTURE, (node_id, key, seconds))

    def _send(self, topic: int, value: object) -> None:
        self._notice_lost(self._line.message(topic, value), "what a plugin set")

    def _notice_lost(self, lost: list[str], where: str) -> None:
        if lost:
            kinds = ", ".join(sorted(set(lost)))
            self._notice(
                f"{where} contains {kinds}, which a worker cannot send and replaces by its repr; use plain values"
            )

    def _notice(self, text: str) -> None:
        if text not in self._sent_notices:
            self._sent_notices.add(text)
            self._line.message(self._line.NOTICE, text)
