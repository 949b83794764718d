"""Handlers for the engine's events: processes that start, report, exit or fail, and the reasons to stop the run.

The hazard it handles: whatever happens to its child processes, the controller must end, with every reported result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core
from rustpar.controller.resumed_collection import ResumedCollection
from rustpar.process.system import os, signal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rustpar.compat.xdist_controller import Producer
    from rustpar.controller.completeness import Completeness
    from rustpar.controller.debugger import DebuggedWorkers
    from rustpar.controller.hook_dispatch import HookDispatch
    from rustpar.controller.interrupts import Interrupt
    from rustpar.controller.memory_watch import MemoryWatch
    from rustpar.controller.nodes import WorkerController
    from rustpar.controller.once_fixtures import OnceFixtureEvents
    from rustpar.controller.startup import Startup
    from rustpar.controller.status_request import StatusRequest
    from rustpar.controller.worker_deaths import WorkerDeaths
    from rustpar.controller.worker_pool import WorkerPool
    from rustpar.forkserver.server import ForkServer
    from rustpar.recording.journal import JournalWriter
    from rustpar.terminal.reporter import DistTerminal


@dataclass(frozen=True)
class RunParts:
    """The objects of a run that event handlers use."""

    config: pytest.Config
    log: Producer
    server: ForkServer
    startup: Startup
    screen: DistTerminal
    pool: WorkerPool
    dispatch: HookDispatch
    completeness: Completeness
    journal_writer: JournalWriter
    memory: MemoryWatch
    deaths: WorkerDeaths
    status_request: StatusRequest
    interrupt: Interrupt
    once: OnceFixtureEvents
    debugged: DebuggedWorkers


class EventHandlers:
    """Handles the engine's events, by their kind.

    Attributes:
        session: pytest's session; set when it starts.
        shouldstop: The reason to assign no further tests; False if there is none.
        ending: An exception to raise when all workers have exited; None for pytest's own exit status.
        has_collected: Whether the collected tests are known.
        template_status: The template's exit status; None while it is running.
        by_kind: The handlers, by the kind of event; those of a kind that is missing are ignored.
    """

    # The events by which the end of the run is detected.
    _EXIT_EVENTS = (_core.Engine.TEMPLATE_EXITED, _core.Engine.SERVER_GONE)

    def __init__(self, run: RunParts) -> None:
        """Handle the events of `run`."""
        self._run = run
        self._maxfail: int = run.config.getvalue("maxfail")
        self.session: pytest.Session
        self.shouldstop: bool | str = False
        self.ending: BaseException | None = None
        self.has_collected = False
        self.template_status: int | None = None
        self._resumed = ResumedCollection(run.config, run.journal_writer, run.pool.manager.testrunuid)
        self.by_kind = run.dispatch.handlers() | run.memory.handlers() | self._own_handlers()
        self._topics = run.dispatch.topics() | self._own_topics()
        run.pool.parallel.use = self._use_collection
        run.pool.parallel.report = self._topics[_core.Line.COLLECT_REPORT]

    def _own_handlers(self) -> dict[int, Callable[[int, Any, Any], None]]:
        engine = _core.Engine
        return {
            engine.INVENTORY: self._on_inventory,
            engine.DONE: self._on_done,
            engine.RETRY: lambda _worker, test, _tried: self._run.pool.retries.scheduled.add(test),
            engine.MESSAGE: lambda worker, topic, value: self._topics[topic](worker, value),
            engine.OUTPUT: self._on_output,
            engine.FORKED: self._on_forked,
            engine.EXITED: self._on_exited,
            engine.UNSCHEDULED: self._on_unscheduled,
            engine.TEMPLATE_FORKED: lambda _worker, pid, _: self._run.startup.template_forked(pid),
            engine.TEMPLATE_EXITED: self._on_template_exited,
            engine.SERVER_GONE: self._on_server_gone,
            engine.TIMED_OUT: self._on_timed_out,
            engine.BROKEN: self._on_broken,
        }

    def _own_topics(self) -> dict[int, Callable[[int, Any], None]]:
        line = _core.Line
        return {
            line.READY: self._on_ready,
            line.INTERNAL_ERROR: self._on_internal_error,
            line.FINISHED: self._on_finished,
            line.INTERRUPTED: self._on_interrupted,
            line.NOTICE: lambda _worker, text: self._run.screen.notice(text),
            line.COLLECTING: self._run.status_request.note_file,
            line.USAGE_ERROR: self._on_usage_error,
            line.REASON: self._on_reason,
            line.ONCE: self._run.once.handle,
            line.DEBUGGER: self._run.debugged.request,
            line.FILES: lambda _worker, files: self._run.pool.parallel.found_files(*files),
        }

    def ignore_all_but_exits(self) -> None:
        """Ignore all further events except those by which the end of the run is detected."""
        self.by_kind = {kind: self.by_kind[kind] for kind in self._EXIT_EVENTS}

    def stop(self, reason: str) -> None:
        """Assign no further tests."""
        self.shouldstop = reason
        self._run.pool.stop()

    def stop_at_limit(self) -> None:
        """Stop if ``--maxfail`` tests have failed."""
        failures = self._run.dispatch.failures
        if self._maxfail and failures >= self._maxfail and not self.shouldstop:
            self.stop(f"stopping after {failures} failures")

    def _on_ready(self, worker: int, info: dict[str, Any]) -> None:
        if worker == _core.Engine.TEMPLATE:
            self._run.pool.template_ready(info)
        else:
            self._run.pool.worker_ready(self._run.pool.nodes[worker], info)

    def _on_reason(self, worker: int, reason: str) -> None:
        if self._run.startup.start_early_because(reason):
            self._run.pool.early.start_others()

    def _on_inventory(self, worker: int, collection: list[str], about: tuple[list[str | None], dict[str, Any]]) -> None:
        parallel = self._run.pool.parallel
        if worker == _core.Engine.TEMPLATE:
            self._use_collection(collection, *about)
        elif parallel.is_collecting(self._run.pool.nodes[worker]):
            parallel.collected(self._run.pool.nodes[worker], collection, about)
        elif not parallel.is_used and not parallel.is_leaving(self._run.pool.nodes[worker]):
            self._run.pool.collected(self._run.pool.nodes[worker], collection)

    def _use_collection(self, collection: list[str], groups: Sequence[str | None], extras: dict[str, Any]) -> None:
        """Schedule the collection of the template, or that of several workers."""
        parallel = self._run.pool.parallel
        parallel.compare(collection, groups, extras, has_errors=self._run.dispatch.failures > 0)
        self._run.dispatch.node_ids = collection
        self._run.completeness.expect(collection)
        self._run.pool.facts = extras["facts"]
        if extras["facts"]["retries"]:
            from rustpar.retries import reporting

            reporting.register(self._run.config)
        deselected = extras["deselected"]
        # Otherwise pytest would report that no tests were collected.
        self.session.testscollected = self._resumed.record_collection(collection, groups, extras)
        self._run.screen.show_collection_notes(self.session, extras["lines"], *deselected)
        self.has_collected = True
        refusal = self._resumed.refusal(extras)
        if refusal is not None:
            self.ending = refusal
            self._run.pool.stop()
            return
        self._run.pool.on_scheduled = lambda: self._resumed.after_start(extras, self._run.pool.workerinfo)
        verdict = self._run.startup.decide(extras["reasons"], extras["conftests"])
        number = parallel.number if parallel.is_used else self._run.pool.choose_number(len(collection))
        if not self._run.startup.is_settled:
            self._run.screen.show_start(verdict.words(self._run.config.getoption("verbose", 0)), number)
        self._note_thread_pool(extras["thread_pool"])
        if self._run.startup.is_early:
            self._run.pool.early.start_from(collection, groups)
        else:
            start = parallel.start if parallel.is_used else self._run.pool.start
            start(collection, groups)
            self._run.startup.retire_fork_server()

    def _note_thread_pool(self, pool: tuple[str, int, str] | None) -> None:
        """Say that workers compete with the threads of a numerical library for the CPUs."""
        if pool is not None:
            workers, cpus = self._run.pool.needed, len(os.sched_getaffinity(0))
            self._run.screen.show_lines(_core.thread_pool_lines(*pool, workers, cpus))

    def _on_forked(self, worker: int, pid: int, _: None) -> None:
        self._run.log("forked", f"gw{worker}", pid)
        node = self._run.pool.nodes[worker]
        node.pid = pid
        self._run.journal_writer.journal.worker(worker, pid, None if node.first == worker else node.first)
        self._run.memory.forked(worker, pid)

    def _on_done(self, worker: int, test: int, duration: float) -> None:
        if test in self._run.pool.retries.scheduled:
            self._run.pool.retries.scheduled.remove(test)
        else:
            self._run.completeness.record_completed(test)
        self._run.journal_writer.journal.done(worker)
        self._run.dispatch.done(worker, test)
        self._run.pool.sched.mark_test_complete(self._run.pool.nodes[worker], test, duration)

    def _on_unscheduled(self, worker: int, tests: list[int], _: None) -> None:
        node = self._run.pool.nodes[worker]
        node.taken_back.extend(tests)
        # The scheduler no longer knows a worker that has exited meanwhile, and has reassigned its tests.
        if not node.down:
            self._run.pool.sched.remove_pending_tests_from_node(node, tests)

    def _on_output(self, worker: int, text: str, _: None) -> None:
        several = worker in self._run.pool.nodes and len(self._run.pool.nodes) > 1
        self._run.screen.show_output(text, f"gw{worker}" if several else None)

    def _on_finished(self, worker: int, workeroutput: dict[str, Any]) -> None:
        # First, so that a worker that has reported the last allowed failure is not replaced.
        self.stop_at_limit()
        if worker != _core.Engine.TEMPLATE:
            if self._run.pool.early.is_leaving(self._run.pool.nodes[worker]):
                # It was started early and is not used.
                return
            parallel = self._run.pool.parallel
            if parallel.is_leaving(self._run.pool.nodes[worker]):
                return
            if parallel.has_stopped(self._run.pool.nodes[worker], workeroutput):
                return
            self._run.pool.finished(self._run.pool.nodes[worker], workeroutput)
        reason = workeroutput["shouldfail"] or workeroutput["shouldstop"]
        if reason and not self.shouldstop:
            self.stop(reason)

    def _on_exited(self, worker: int, about: tuple[int, int | None, int, int], finished: bool) -> None:
        status, running, tried, peak = about
        node = self._run.pool.nodes[worker]
        node.has_exited = True
        if self._run.pool.early.is_leaving(node):
            self._run.pool.early.left(node)
            return
        parallel = self._run.pool.parallel
        if parallel.is_leaving(node) or (parallel.is_collecting(node) and not finished and not self._is_ending()):
            parallel.exited(node)
            return
        self._run.memory.gone(node, status, running, finished=finished)
        self._run.pool.active.discard(node)
        if not self._run.pool.has_collected(node):
            self._end_run_after_death(f"worker {node.gateway.id}", worker, status)
        elif not finished:
            node.tried = tried
            death = self._run.deaths.death_of(node, status, peak)
            crashed = self._run.pool.lost(node, death, running, self._run.dispatch)
            if crashed is not None:
                self._run.completeness.record_crash(crashed, running)
            if running is None:
                self._show_stack(node)
        elif status not in (0, pytest.ExitCode.USAGE_ERROR) and not self._is_interrupted(status):
            how = _core.describe_exit(status, node.is_killed)
            self._run.screen.notice(f"{node.gateway.id} exited abnormally after its session had finished ({how})")
            self._show_stack(node)
        if node.crash_files is not None:
            node.crash_files.close()
            node.crash_files = None

    def _is_ending(self) -> bool:
        return self._run.pool.stopping or self.ending is not None or bool(self.shouldstop)

    def awaits_template(self) -> bool:
        """Whether the run cannot end before the template has collected."""
        return not self.has_collected and not self._run.pool.parallel.keeps_template()

    def _show_stack(self, node: WorkerController) -> None:
        """Show the stack of a worker that crashed outside of a test."""
        stack = "" if node.crash_files is None else node.crash_files.stack()
        if stack:
            self._run.screen.show_output(f"{stack}\n", node.gateway.id)

    def _is_interrupted(self, status: int) -> bool:
        """Whether a process with this exit status was interrupted by the Ctrl-C that also ends the run."""
        return self._run.interrupt.arrived and status == pytest.ExitCode.INTERRUPTED

    def _on_interrupted(self, worker: int, about: dict[str, Any]) -> None:
        """End the run, because a worker's session was ended by ``pytest.exit`` or an interrupt of that worker."""
        if self.ending is not None or self.shouldstop:
            return
        if about["exit"] is not None:
            self.ending = pytest.exit.Exception(about["exit"], returncode=about["returncode"])
            self._run.pool.stop()
        else:
            node = self._run.pool.nodes.get(worker, "the template")
            self.stop(f"{node} received keyboard-interrupt")

    def _on_internal_error(self, worker: int, text: str) -> None:
        for line in text.splitlines():
            self._run.screen.internal_error(line)
        self._notify_plugins(text)
        where = "the template" if worker == _core.Engine.TEMPLATE else f"worker gw{worker}"
        self.ending = pytest.exit.Exception(f"internal error in {where}", returncode=pytest.ExitCode.INTERNAL_ERROR)
        self._run.pool.stop()

    def _notify_plugins(self, text: str) -> None:
        """Call ``pytest_internalerror`` for all plugins except the terminal reporter, which has shown the error."""
        plugins = self._run.config.pluginmanager
        terminal = plugins.get_plugin("terminalreporter")
        hook = plugins.subset_hook_caller("pytest_internalerror", [] if terminal is None else [terminal])
        try:
            raise AssertionError(text)
        except AssertionError:
            excinfo = pytest.ExceptionInfo.from_current()
        hook(excrepr=excinfo.getrepr(style="value"), excinfo=excinfo)

    def _on_usage_error(self, worker: int, messages: list[str]) -> None:
        self.ending = pytest.UsageError(*messages)
        self._run.pool.stop()

    def _on_timed_out(self, worker: int, test: int, limit: float) -> None:
        node = self._run.pool.nodes[worker]
        node.timed_out = (test, limit)
        node.beside = self._run.deaths.beside(node)

    def _on_broken(self, worker: int, text: str, _: None) -> None:
        self._run.screen.notice(f"{text}; it is killed")
        if worker == _core.Engine.TEMPLATE:
            self._run.pool.mark_killed()
            self._run.server.kill()
        else:
            self._run.pool.nodes[worker].is_killed = True
            self._run.server.signal_worker(worker, signal.SIGKILL)

    def _on_template_exited(self, worker: int, status: int, _: None) -> None:
        if self.template_status is not None:
            return
        self.template_status = status
        if not self.has_collected or self._run.pool.active:
            name = (
                f"worker {self._run.pool.nodes[0].gateway.id}" if self._run.startup.is_early else "the template process"
            )
            self._end_run_after_death(name, worker, status)

    def _on_server_gone(self, worker: int, _none: None, _: None) -> None:
        if self.template_status is not None:
            return
        # The kernel has killed its children with it.
        self.template_status = -signal.SIGKILL
        if not self.has_collected or self._run.pool.active:
            # Without early workers, the template has taken its place.
            name = "the process that forks workers" if self._run.startup.is_early else "the template process"
            self._end_run_after_death(name, worker, None)

    def _end_run_after_death(self, who: str, worker: int, status: int | None) -> None:
        """End the run, because a process died that cannot be replaced; its exit status is None if it is unknown."""
        if self.ending is not None or self.shouldstop:
            return
        self._run.pool.template_lost()
        self._run.journal_writer.journal.lost()
        file, _ = self._run.status_request.collecting.get(worker, (None, 0.0))
        where = f" while collecting {file}" if file else " before collecting"
        if self._run.once.setting_up is not None:
            where = f" while setting up the fixture {self._run.once.setting_up}"
        if worker == _core.Engine.TEMPLATE and self.has_collected:
            where = " before all tests had run"
        how = "" if status is None else f" ({_core.describe_exit(status, False)})"
        self.ending = pytest.exit.Exception(
            f"{who} died{where}{how}; run with -n0 to see it happen in one process",
            returncode=pytest.ExitCode.TESTS_FAILED,
        )
        self._run.pool.stop()
