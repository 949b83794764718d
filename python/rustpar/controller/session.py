"""The controller: the plugin in the place of xdist's ``dsession``.

It starts the template and turns the engine's events into what pytest and its plugins expect. It never imports a test
module.

The hazard it handles: whatever happens to the processes below, this one ends, with every result that was reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core
from rustpar.compat.node_ids import id_attribute, node_id_parser
from rustpar.compat.xdist_controller import Interrupted, Producer
from rustpar.controller.completeness import Completeness
from rustpar.controller.hook_dispatch import HookDispatch
from rustpar.controller.interrupts import Interrupt, InterruptedWorkers, Termination
from rustpar.controller.memory_watch import MemoryWatch
from rustpar.controller.new_failures import NewFailures
from rustpar.controller.scheduling import NativeScheduling, PythonScheduling
from rustpar.controller.startup import Startup, output_pipe
from rustpar.controller.status_request import StatusRequest
from rustpar.controller.worker_pool import WorkerPool, death
from rustpar.coverage import measuring, summary
from rustpar.forkserver.server import EXIT_TIMEOUT
from rustpar.process import gc_freeze
from rustpar.process.system import signal
from rustpar.recording.journal import journal_writer_of
from rustpar.terminal.live_block import LiveBlock
from rustpar.terminal.reporter import DistTerminal

if TYPE_CHECKING:
    from collections.abc import Callable

    from rustpar.controller.nodes import WorkerController
    from rustpar.controller.start_decision import StartDecision
    from rustpar.controller.status_signals import StatusSignals
    from rustpar.forkserver.server import ForkServer

# Seconds to wait for events before looking at the clock and for signals.
_PATIENCE = 0.1


class Controller:
    """A distributed test session.

    Attributes that plugins know from xdist's ``DSession``: ``config``, ``nodemanager``, ``sched``, ``terminal``,
    ``trdist``, ``shouldstop``, ``maxfail``.
    """

    # The events without which the end could not be seen.
    _FAREWELL = (_core.Engine.TEMPLATE_EXITED, _core.Engine.SERVER_GONE)

    def __init__(
        self, config: pytest.Config, server: ForkServer, status_signals: StatusSignals, termination: Termination
    ) -> None:
        """Take over the run that `config` describes, with workers from `server`.

        Signals that `status_signals` notes are answered, and what `termination` waits for ends the run.
        """
        self.config = config
        self.log = Producer("dsession", enabled=config.option.debug)
        self.shouldstop: bool | str = False
        self.maxfail: int = config.getvalue("maxfail")
        self.sched: Any = None
        self.terminal = config.pluginmanager.get_plugin("terminalreporter")
        self.trdist = config.pluginmanager.get_plugin("terminaldistreporter")
        self._server = server
        self._startup = Startup(config, server)
        self._screen = DistTerminal(config)
        self._pool = WorkerPool(config, self._startup, self._screen)
        self._dispatch = HookDispatch(config, self._pool.nodes)
        self._completeness = Completeness(self._screen)
        self._journal_writer = journal_writer_of(config)
        self._journal_writer.journal.use_batches()
        self._live = LiveBlock(config, self._screen)
        self._status_signals = status_signals
        self._status_request = StatusRequest(status_signals, self._pool, self._startup, self._screen, self._live)
        self._memory = MemoryWatch(config, self._dispatch, self._screen)
        config.pluginmanager.register(self._dispatch, "rustpar-relay")
        config.pluginmanager.register(self._memory, "rustpar-memory")
        config.pluginmanager.register(self._completeness, "rustpar-completeness")
        config.pluginmanager.register(NewFailures(config, self._startup), "rustpar-doubt")
        summary.register(config)
        self.nodemanager = self._pool.manager
        measuring.join_in_the_end(config, self.nodemanager.testrunuid)
        self._engine: _core.Engine | None = None
        self._session: pytest.Session
        self._ending: BaseException | None = None
        self._collected = False
        self._template_status: int | None = None
        self._events: list[tuple[int, int, Any, Any]] = []
        self._interrupt = Interrupt()
        self._termination = termination
        self._handlers = self._dispatch.handlers() | self._memory.handlers() | self._own_handlers()
        self._topics = self._dispatch.topics() | self._own_topics()

    def _own_handlers(self) -> dict[int, Callable[[int, Any, Any], None]]:
        engine = _core.Engine
        return {
            engine.INVENTORY: self._on_inventory,
            engine.DONE: self._on_done,
            engine.MESSAGE: lambda worker, topic, value: self._topics[topic](worker, value),
            engine.OUTPUT: self._on_output,
            engine.FORKED: self._on_forked,
            engine.EXITED: self._on_exited,
            engine.UNSCHEDULED: self._on_unscheduled,
            engine.TEMPLATE_FORKED: lambda _worker, pid, _: self._startup.template_forked(pid),
            engine.TEMPLATE_EXITED: self._on_template_exited,
            engine.SERVER_GONE: lambda _worker, _none, _: self._on_template_exited(_worker, -9, None),
            engine.BROKEN: self._on_broken,
        }

    def _own_topics(self) -> dict[int, Callable[[int, Any], None]]:
        line = _core.Line
        return {
            line.READY: self._on_ready,
            line.INTERNAL_ERROR: self._on_internal_error,
            line.FINISHED: self._on_finished,
            line.INTERRUPTED: self._on_interrupted,
            line.NOTICE: lambda _worker, text: self._screen.notice(text),
            line.COLLECTING: self._status_request.note_file,
            line.USAGE_ERROR: self._on_usage_error,
            line.REASON: self._on_reason,
        }

    # ------------------------------------------------------------------ pytest's hooks

    @property
    def verdict(self) -> StartDecision | None:
        """How workers come up, and why; None before it is known."""
        return self._startup.verdict

    @property
    def reasons(self) -> tuple[str, ...]:
        """What the template has seen that speaks against forking it."""
        return self._startup.reasons

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Announce the nodes and start the template, or all workers."""
        self._session = session
        nodes = self._pool.announce()
        with output_pipe() as (reading, writing):
            self._start_engine(nodes[0], reading)
            self._startup.start_template(nodes[0], writing)
        if self._startup.is_early:
            self._pool.start_others_early()

    def _start_engine(self, template_node: WorkerController, output: int) -> None:
        self._engine = _core.Engine(
            self._server.shared,
            self._server.control.fileno(),
            output,
            report_type=pytest.TestReport,
            id_attribute=id_attribute(),
            make_id=node_id_parser(),
            testrun_uid=self.nodemanager.testrunuid,
            template_node=template_node,
        )
        if self.maxfail:
            self._engine.failure_limit(self.maxfail)
        self._startup.use(self._engine, self._pool.identity_keys())
        self._pool.use(self._engine)

    @pytest.hookimpl
    def pytest_collection(self) -> bool:
        """Collect nothing here: the template does."""
        return True

    @pytest.hookimpl(trylast=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Producer) -> NativeScheduling:
        """Schedule natively, unless a plugin has a scheduler of its own."""
        assert self._engine is not None
        return NativeScheduling(config, self._engine)

    @pytest.hookimpl
    def pytest_runtestloop(self) -> bool:
        """Handle events until every worker has left."""
        sched = self.config.hook.pytest_xdist_make_scheduler(config=self.config, log=self.log)
        native = isinstance(sched, NativeScheduling)
        assert self._engine is not None
        self._pool.sched = sched if native else PythonScheduling(self.config, sched, self._engine)
        self.sched = sched
        # The template is collecting tests, and there is nothing else to do meanwhile.
        gc_freeze.refreeze()
        settle = gc_freeze.grow()
        flushing, live = self._screen.flushing_seldom(), self._live.shown(self._engine)
        self._termination.note_in(self._interrupt)
        with self._interrupt, self._status_signals.in_loop(), flushing, live:
            try:
                self._run()
            except Exception:
                # A plugin's hook is broken, and would be called again for what is still to come.
                self._only_see_the_end()
                raise
            finally:
                settle()
        if self._ending is not None:
            raise self._ending
        if self.shouldstop:
            raise Interrupted(str(self.shouldstop))
        # Where too many workers were lost, their tests have failed, or else nothing says that the run has not passed.
        if not self._pool.stopping and (self._pool.summary is None or not self._session.testsfailed):
            times = len(self._pool.manager.specs) if native and self.config.option.dist == "each" else 1
            nodes = self._pool.nodes.values()
            self._completeness.check(self._session, nodes, times=times, all_are_to_run=native)
        return True

    def _run(self) -> None:
        while not self._is_over():
            self._handle_events()
            if self._interrupt.arrived:
                workers = InterruptedWorkers(self._pool, self._server, self._screen)
                workers.end(self._handle_events, self._goes_on, has_collected=lambda: self._collected)
                raise KeyboardInterrupt

    def _is_over(self) -> bool:
        return self._template_status is not None or (self._collected and not self._pool.active)

    def _handle_events(self) -> None:
        assert self._engine is not None
        self._screen.flush()
        self._live.show(self._dispatch.node_ids)
        self._status_request.answer(self._engine, self._dispatch.node_ids)
        self._engine.events(self._events, _PATIENCE)
        self._dispatch.prepare_batch()
        done = 0
        try:
            for kind, worker, first, second in self._events:
                done += 1
                if kind in self._handlers:
                    self._handlers[kind](worker, first, second)
        finally:
            del self._events[:done]
            self._journal_writer.journal.flush()
        self._pool.fork_replacements()
        self._memory.look()
        self._stop_at_limit()

    def _stop_at_limit(self) -> None:
        if self.maxfail and self._dispatch.failures >= self.maxfail and not self.shouldstop:
            self._stop(f"stopping after {self._dispatch.failures} failures")

    def _stop(self, reason: str) -> None:
        self.shouldstop = reason
        self._pool.stop()

    def _goes_on(self) -> bool:
        return self._template_status is None and (bool(self._pool.active) or not self._collected)

    @pytest.hookimpl
    def pytest_sessionfinish(self) -> None:
        """Wait until every process has left."""
        if self._engine is None:
            return
        if self.sched is None:
            # The session has ended before there was anybody to give tests to the workers.
            self._only_see_the_end()
        self._pool.stop()
        self._server.ask_to_end()
        # While workers leave.
        gc_freeze.add_to_frozen()
        deadline = _core.monotonic() + EXIT_TIMEOUT
        while self._template_status is None and _core.monotonic() < deadline:
            self._handle_events()
        if self._template_status is None:
            self._kill_those_that_stay()
        self._server.close()
        self._engine.shut_down()

    def _only_see_the_end(self) -> None:
        self._handlers = {kind: self._handlers[kind] for kind in self._FAREWELL}

    def _kill_those_that_stay(self) -> None:
        """Name the workers that have not ended in time, and end them; their results are here."""
        nodes = self._pool.nodes.values()
        names = [node.gateway.id for node in nodes if node.pid is not None and not node.has_exited]
        self._screen.notice(
            f"{', '.join(names) or 'the template'} did not end within {EXIT_TIMEOUT:g} s after the last test and will "
            "be killed: an exit function, a thread or a C library may hang"
        )
        self._pool.note_killing()
        self._server.kill()

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Repeat why not all tests have run."""
        if self.config.option.verbose >= 0 and self._pool.summary:
            terminalreporter.write_sep("=", f"xdist: {self._pool.summary}")

    # ------------------------------------------------------------------ events

    def _on_ready(self, worker: int, info: dict[str, Any]) -> None:
        if worker == _core.Engine.TEMPLATE:
            self._pool.template_ready(info)
        else:
            self._pool.worker_ready(self._pool.nodes[worker], info)

    def _on_reason(self, worker: int, reason: str) -> None:
        if self._startup.expect_early(reason):
            self._pool.start_others_early()

    def _on_inventory(self, worker: int, collection: list[str], about: tuple[list[str | None], dict[str, Any]]) -> None:
        groups, extras = about
        if worker != _core.Engine.TEMPLATE:
            self._pool.collected(self._pool.nodes[worker], collection)
            return
        self._dispatch.node_ids = collection
        self._completeness.expect(collection)
        self._pool.facts = extras["facts"]
        # Else the session would end as one that collected nothing.
        self._session.testscollected = len(collection)
        serial = [index for index, is_serial, _ in extras["facts"]["needs"] if is_serial]
        deselected = extras["deselected"]
        self._journal_writer.collected(collection, len(deselected[0]), groups, serial)
        self._journal_writer.marked(extras["facts"]["marks"])
        self._screen.show_collection_notes(self._session, extras["lines"], *deselected)
        self._collected = True
        verdict = self._startup.decide(extras["reasons"], extras["conftests"])
        number = self._pool.choose_number(len(collection))
        if not self._startup.is_settled:
            self._screen.show_start(verdict.words(self.config.getoption("verbose", 0)), number)
        if self._startup.is_early:
            self._pool.go_on_early(collection, groups)
        else:
            self._pool.start(collection, groups)
            self._startup.retire_fork_server()

    def _on_forked(self, worker: int, pid: int, _: None) -> None:
        self.log("forked", f"gw{worker}", pid)
        self._journal_writer.journal.worker(worker, pid)
        self._pool.nodes[worker].pid = pid
        self._memory.forked(worker, pid)

    def _on_done(self, worker: int, test: int, duration: float) -> None:
        self._completeness.account(test)
        self._pool.sched.mark_test_complete(self._pool.nodes[worker], test, duration)

    def _on_unscheduled(self, worker: int, tests: list[int], _: None) -> None:
        node = self._pool.nodes[worker]
        node.taken_back.extend(tests)
        # One that has left meanwhile is no longer known to the scheduler, and neither are its tests its own.
        if not node.down:
            self._pool.sched.remove_pending_tests_from_node(node, tests)

    def _on_output(self, worker: int, text: str, _: None) -> None:
        several = worker in self._pool.nodes and len(self._pool.nodes) > 1
        self._screen.show_output(text, f"gw{worker}" if several else None)

    def _on_finished(self, worker: int, workeroutput: dict[str, Any]) -> None:
        # Nobody is to take the place of a worker that has reported the last failure.
        self._stop_at_limit()
        if worker != _core.Engine.TEMPLATE:
            if self._pool.is_leaving(self._pool.nodes[worker]):
                # No worker of this run after all.
                return
            self._pool.finished(self._pool.nodes[worker], workeroutput)
        reason = workeroutput["shouldfail"] or workeroutput["shouldstop"]
        if reason and not self.shouldstop:
            self._stop(reason)

    def _on_exited(self, worker: int, about: tuple[int, int | None], finished: bool) -> None:
        status, running = about
        node = self._pool.nodes[worker]
        node.has_exited = True
        if self._pool.is_leaving(node):
            self._pool.left(node)
            return
        self._memory.gone(node, status, running, finished=finished)
        self._pool.active.discard(node)
        if not self._pool.has_collected(node):
            self._died_before_tests(f"worker {node.gateway.id}", worker, status)
        elif not finished:
            crashed = self._pool.lost(node, status, running, self._dispatch)
            if crashed is not None:
                self._completeness.account_crash(crashed, running)
            if running is None:
                self._show_stack(node)
        elif status not in (0, pytest.ExitCode.USAGE_ERROR) and not self._is_interrupted(status):
            how = death(status, is_sent=node.is_killed)
            self._screen.notice(f"{node.gateway.id} ended badly after its session had finished: {how}")
            self._show_stack(node)
        if node.crash_files is not None:
            node.crash_files.close()
            node.crash_files = None

    def _show_stack(self, node: WorkerController) -> None:
        """Show where a worker crashed that was in no test."""
        stack = "" if node.crash_files is None else node.crash_files.stack()
        if stack:
            self._screen.show_output(f"{stack}\n", node.gateway.id)

    def _is_interrupted(self, status: int) -> bool:
        """Whether a process that ended so was interrupted on its way out, by a Ctrl-C that has ended the run, too."""
        return self._interrupt.arrived and status == pytest.ExitCode.INTERRUPTED

    def _on_interrupted(self, worker: int, about: dict[str, Any]) -> None:
        """A session was ended from inside, by ``pytest.exit`` or an interrupt of its own: so is the run."""
        if self._ending is not None or self.shouldstop:
            return
        if about["exit"] is not None:
            self._ending = pytest.exit.Exception(about["exit"], returncode=about["returncode"])
            self._pool.stop()
        else:
            node = self._pool.nodes.get(worker, "the template")
            self._stop(f"{node} received keyboard-interrupt")

    def _on_internal_error(self, worker: int, text: str) -> None:
        for line in text.splitlines():
            self._screen.internal_error(line)
        self._tell_of_internal_error(text)
        where = "the template" if worker == _core.Engine.TEMPLATE else f"worker gw{worker}"
        self._ending = pytest.exit.Exception(f"internal error in {where}", returncode=pytest.ExitCode.INTERNAL_ERROR)
        self._pool.stop()

    def _tell_of_internal_error(self, text: str) -> None:
        """Let plugins know, JUnit files for one; the terminal has it already."""
        plugins = self.config.pluginmanager
        terminal = plugins.get_plugin("terminalreporter")
        hook = plugins.subset_hook_caller("pytest_internalerror", [] if terminal is None else [terminal])
        try:
            raise AssertionError(text)
        except AssertionError:
            excinfo = pytest.ExceptionInfo.from_current()
        hook(excrepr=excinfo.getrepr(style="value"), excinfo=excinfo)

    def _on_usage_error(self, worker: int, messages: list[str]) -> None:
        self._ending = pytest.UsageError(*messages)
        self._pool.stop()

    def _on_broken(self, worker: int, text: str, _: None) -> None:
        self._screen.notice(f"{text}; it is killed")
        if worker == _core.Engine.TEMPLATE:
            self._pool.note_killing()
            self._server.kill()
        else:
            self._pool.nodes[worker].is_killed = True
            self._server.signal_worker(worker, signal.SIGKILL)

    def _on_template_exited(self, worker: int, status: int, _: None) -> None:
        if self._template_status is not None:
            return
        self._template_status = status
        if not self._collected or self._pool.active:
            name = f"worker {self._pool.nodes[0].gateway.id}" if self._startup.is_early else "the template process"
            self._died_before_tests(name, worker, status)

    def _died_before_tests(self, who: str, worker: int, status: int) -> None:
        """A process died that others cannot stand in for: end the run."""
        if self._ending is not None or self.shouldstop:
            return
        self._pool.template_lost()
        file, _ = self._status_request.collecting.get(worker, (None, 0.0))
        where = f" while collecting {file}" if file else " before collecting"
        if worker == _core.Engine.TEMPLATE and self._collected:
            where = " before all tests had run"
        how = death(status).removeprefix("Not properly terminated ")
        self._ending = pytest.exit.Exception(
            f"{who} died{where} {how}; run with -n0 to see it happen in one process",
            returncode=pytest.ExitCode.TESTS_FAILED,
        )
        self._pool.stop()
