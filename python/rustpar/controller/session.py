"""The controller: the plugin in the place of xdist's ``dsession``.

It implements pytest's hooks: starts the template, and handles the engine's events (``event_handlers.py``) until every
worker has left. It never imports a test module.

The hazard it handles: whatever happens to its child processes, this process must end, with every reported result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core
from rustpar.compat.node_ids import id_attribute, node_id_parser
from rustpar.compat.xdist_controller import Interrupted, Producer
from rustpar.config.load_option import is_load_run
from rustpar.config.repeat_option import repeat_of
from rustpar.controller.completeness import Completeness
from rustpar.controller.debugger import DebuggedWorkers
from rustpar.controller.event_handlers import EventHandlers, RunParts
from rustpar.controller.hook_dispatch import HookDispatch
from rustpar.controller.interrupts import Interrupt, InterruptedWorkers, Termination
from rustpar.controller.memory_watch import MemoryWatch
from rustpar.controller.new_failures import NewFailures
from rustpar.controller.once_fixtures import OnceFixtureEvents
from rustpar.controller.scheduling import NativeScheduling, PythonScheduling
from rustpar.controller.startup import Startup, output_pipe, run_ended_if_impossible
from rustpar.controller.status_request import StatusRequest
from rustpar.controller.watchdog import Watchdog
from rustpar.controller.worker_deaths import WorkerDeaths
from rustpar.controller.worker_pool import WorkerPool
from rustpar.coverage import measuring, summary
from rustpar.forkserver.server import EXIT_TIMEOUT
from rustpar.process import gc_freeze, report_memory, stack_dump
from rustpar.recording.journal import journal_writer_of
from rustpar.recording.resumed_run import resumption_of
from rustpar.terminal.live_block import LiveBlock
from rustpar.terminal.reporter import DistTerminal

if TYPE_CHECKING:
    from rustpar.controller.nodes import WorkerController
    from rustpar.controller.start_decision import StartDecision
    from rustpar.controller.status_signals import StatusSignals
    from rustpar.forkserver.server import ForkServer

# Seconds to wait for events before checking the time and signals.
_EVENT_TIMEOUT = 0.1

# Seconds for processes to exit after their last test when the user interrupts the wait for them.
_INTERRUPTED_EXIT_TIMEOUT = 1.0


class Controller:
    """A distributed test session.

    Attributes that plugins know from xdist's ``DSession``: ``config``, ``nodemanager``, ``sched``, ``terminal``,
    ``trdist``, ``shouldstop``, ``maxfail``.
    """

    def __init__(
        self, config: pytest.Config, server: ForkServer, status_signals: StatusSignals, termination: Termination
    ) -> None:
        """Run the session of `config` with workers from `server`.

        Status requests arrive through `status_signals`, termination signals through `termination`.
        """
        self.config = config
        self.log = Producer("dsession", enabled=config.option.debug)
        self.maxfail: int = config.getvalue("maxfail")
        self.sched: Any = None
        self.terminal = config.pluginmanager.get_plugin("terminalreporter")
        self.trdist = config.pluginmanager.get_plugin("terminaldistreporter")
        self._server = server
        self._startup = Startup(config, server)
        self._screen = DistTerminal(config)
        self._pool = WorkerPool(config, self._startup, self._screen)
        self._dispatch = HookDispatch(config, self._pool.nodes)
        if is_load_run(config):
            from rustpar.controller import load_tests

            self._dispatch = load_tests.load_dispatch(config, self._pool)
        self._completeness = Completeness(self._screen)
        self._journal_writer = journal_writer_of(config)
        self._journal_writer.journal.use_batches()
        self._live = LiveBlock(config, self._screen)
        self._status_signals = status_signals
        self._status_request = StatusRequest(status_signals, self._pool, self._startup, self._screen, self._live)
        self._memory = MemoryWatch(config, self._dispatch, self._screen)
        self._deaths = WorkerDeaths(server, self._dispatch, self._memory)
        config.pluginmanager.register(self._dispatch, "rustpar-hook-dispatch")
        config.pluginmanager.register(self._memory, "rustpar-memory")
        config.pluginmanager.register(self._completeness, "rustpar-completeness")
        config.pluginmanager.register(NewFailures(config, self._startup), "rustpar-new-failures")
        summary.register(config)
        self.nodemanager = self._pool.manager
        resumption = resumption_of(config)
        earlier_data = [] if resumption is None else resumption.data_files()
        measuring.combine_at_exit(config, self.nodemanager.testrunuid, earlier_data)
        self._engine: _core.Engine | None = None
        self._session: pytest.Session
        self._watchdog = Watchdog(config, status_signals)
        repeat = repeat_of(config)
        # For how long tests are repeated, if a time decides, and when that is over; tests that are running then end.
        self._repeat_seconds = None if repeat is None else repeat.seconds
        self._repeat_end: float | None = None
        self._events: list[tuple[int, int, Any, Any]] = []
        self._interrupt = Interrupt()
        self._termination = termination
        self._debugged = DebuggedWorkers(self._pool.nodes, server, self._screen, self._live, self._interrupt)
        self._has_debugged = False
        self._once = OnceFixtureEvents(config, self._dispatch, self._screen)
        self._handlers = EventHandlers(
            RunParts(
                config=config,
                log=self.log,
                server=server,
                startup=self._startup,
                screen=self._screen,
                pool=self._pool,
                dispatch=self._dispatch,
                completeness=self._completeness,
                journal_writer=self._journal_writer,
                memory=self._memory,
                deaths=self._deaths,
                status_request=self._status_request,
                interrupt=self._interrupt,
                once=self._once,
                debugged=self._debugged,
            )
        )

    # ------------------------------------------------------------------ pytest's hooks

    @property
    def shouldstop(self) -> bool | str:
        """The reason to assign no further tests; False if there is none."""
        return self._handlers.shouldstop

    @shouldstop.setter
    def shouldstop(self, reason: bool | str) -> None:
        self._handlers.shouldstop = reason

    @property
    def verdict(self) -> StartDecision | None:
        """How workers start, and why; None before that is decided."""
        return self._startup.verdict

    @property
    def reasons(self) -> tuple[str, ...]:
        """The reasons against forking the template that it has detected."""
        return self._startup.reasons

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Create the nodes, and start the template or all workers."""
        self._session = self._handlers.session = session
        nodes = self._pool.announce()
        with run_ended_if_impossible("the process that collects"), output_pipe() as (reading, writing):
            self._start_engine(nodes[0], reading)
            self._startup.start_template(nodes[0], writing)
        if self._startup.is_early:
            self._pool.early.start_others()

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
        report_memory.hide(self.config, self._events)
        if self.maxfail:
            self._engine.failure_limit(self.maxfail)
        self._watchdog.use(self._engine, stack_dump.enable(self.config))
        self._startup.use(self._engine, self._pool.identity_keys())
        self._pool.use(self._engine)
        self._deaths.use(self._engine)

    @pytest.hookimpl
    def pytest_collection(self) -> bool:
        """Collect nothing, because the template collects."""
        return True

    @pytest.hookimpl(trylast=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Producer) -> NativeScheduling:
        """Return the native scheduler, unless a plugin returns its own."""
        assert self._engine is not None
        return NativeScheduling(config, self._engine)

    @pytest.hookimpl
    def pytest_runtestloop(self) -> bool:
        """Handle events until all workers have exited."""
        sched = self.config.hook.pytest_xdist_make_scheduler(config=self.config, log=self.log)
        native = isinstance(sched, NativeScheduling)
        assert self._engine is not None
        self._pool.sched = sched if native else PythonScheduling(self.config, sched, self._engine)
        self.sched = sched
        # While the template collects tests, the controller has nothing else to do.
        gc_freeze.refreeze()
        settle = gc_freeze.collect_rarely()
        flushing, live = self._screen.flushing_rarely(), self._live.shown(self._engine)
        self._termination.redirect_to(self._interrupt)
        self._watchdog.watch()
        with self._interrupt, self._status_signals.in_loop(), flushing, live:
            try:
                self._run()
            except Exception:
                # A plugin's hook has failed, and would fail again for further events.
                self._handlers.ignore_all_but_exits()
                raise
            finally:
                settle()
                self._watchdog.ignore_limit()
        if self._handlers.ending is not None:
            raise self._handlers.ending
        if self.shouldstop:
            raise Interrupted(str(self.shouldstop))
        # If too many workers crashed, their tests have usually failed. If none has, missing tests must fail the run.
        if not self._pool.stopping and (self._pool.summary is None or not self._session.testsfailed):
            times = self._pool.runs_of_each(len(self._pool.manager.specs)) if native else 1
            nodes = self._pool.nodes.values()
            self._completeness.check(self._session, nodes, times=times, all_are_to_run=native)
        return True

    def _run(self) -> None:
        try:
            while not self._is_over():
                self._handle_events()
                if self._interrupt.arrived or self._watchdog.is_over():
                    workers = InterruptedWorkers(self._pool, self._server, self._screen)
                    workers.end(
                        self._handle_events,
                        self._is_running,
                        has_collected=lambda: not self._handlers.awaits_template(),
                    )
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            if not self._watchdog.is_over():
                raise
            raise self._watchdog.end() from None

    def _is_over(self) -> bool:
        return self._handlers.template_status is not None or (
            not self._handlers.awaits_template() and not self._pool.active
        )

    def _handle_events(self) -> None:
        assert self._engine is not None
        self._screen.flush()
        self._live.show(self._dispatch.node_ids)
        self._status_request.answer(self._engine, self._dispatch.node_ids)
        self._engine.events(self._events, _EVENT_TIMEOUT)
        if self._has_debugged:
            self._has_debugged = False
            self._watchdog.watch()
        self._dispatch.prepare_batch()
        done = 0
        try:
            for kind, worker, first, second in self._events:
                done += 1
                handler = self._handlers.by_kind.get(kind)
                if handler is not None:
                    handler(worker, first, second)
        finally:
            del self._events[:done]
            self._journal_writer.journal.flush()
        self._serve_debuggers()
        self._pool.start_due()
        self._server.check_retirement()
        self._memory.sample()
        self._handlers.stop_at_limit()
        if self._repeat_seconds is not None and self._pool.scheduled is not None:
            self._end_repetitions(self._repeat_seconds)

    def _end_repetitions(self, seconds: float) -> None:
        """Stop the workers when tests have been repeated for so long; collecting them does not count."""
        now = _core.monotonic()
        if self._repeat_end is None:
            self._repeat_end = now + seconds
        elif now > self._repeat_end and not self._pool.stopping:
            self._pool.stop()

    def _serve_debuggers(self) -> None:
        if not self._debugged.is_due():
            return
        before = self._debugged.waited
        self._watchdog.pause()
        self._debugged.serve(is_stopped=self._pool.stopping)
        waited = self._debugged.waited - before
        self._watchdog.postpone(waited)
        if self._repeat_end is not None:
            self._repeat_end += waited
        # Not at once: this process has been busy for as long as the engine's thread knows.
        self._has_debugged = True

    def _is_running(self) -> bool:
        return self._handlers.template_status is None and (bool(self._pool.active) or self._handlers.awaits_template())

    @pytest.hookimpl
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Wait until all processes have exited; an interrupt makes that shorter and does not prevent the summary."""
        if self._engine is None:
            return
        interrupt = Interrupt()
        self._termination.redirect_to(interrupt)
        with interrupt:
            self._end_processes(self._engine, interrupt)
        if interrupt.arrived:
            session.exitstatus = pytest.ExitCode.INTERRUPTED
        elif self._once.has_failed and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _end_processes(self, engine: _core.Engine, interrupt: Interrupt) -> None:
        if self.sched is None:
            # The session has ended before there was a scheduler.
            self._handlers.ignore_all_but_exits()
        self._pool.stop()
        self._server.request_exit()
        # While the workers exit.
        gc_freeze.freeze_more()
        begin, limit = _core.monotonic(), EXIT_TIMEOUT
        interrupted_at: float | None = None
        while self._handlers.template_status is None:
            if _core.monotonic() > begin + limit and (interrupt.arrived or not self._once.is_tearing_down):
                break
            self._handle_events()
            if interrupt.arrived and interrupted_at is None:
                interrupted_at = _core.monotonic() - begin
                # Shared fixtures get as long for their teardown as those of a worker that is interrupted.
                more = EXIT_TIMEOUT if self._once.is_tearing_down else _INTERRUPTED_EXIT_TIMEOUT
                limit = interrupted_at + more if self._once.is_tearing_down else min(limit, interrupted_at + more)
        if self._handlers.template_status is None:
            self._kill_remaining(limit)
        elif self._once.is_tearing_down:
            self._once.has_failed = True
            self._screen.notice("the process that tears down the fixtures set up once has died before it had done so")
        self._server.close()
        engine.shut_down()

    def _kill_remaining(self, limit: float) -> None:
        """Report and kill the workers that have not exited in time; all their results have arrived."""
        nodes = self._pool.nodes.values()
        names = [node.gateway.id for node in nodes if node.pid is not None and not node.has_exited]
        if self._once.is_tearing_down:
            self._once.has_failed = True
            reason = "the teardown of the fixtures that are set up once may hang"
        else:
            reason = "an exit function, a thread or a C library may hang"
        self._screen.notice(
            f"{', '.join(names) or 'the template'} did not end within {limit:.2g} s after the last test and will "
            f"be killed: {reason}"
        )
        self._pool.mark_killed()
        self._server.kill()

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Repeat the reason why not all tests have run."""
        if self.config.option.verbose >= 0 and self._pool.summary:
            terminalreporter.write_sep("=", f"xdist: {self._pool.summary}")
