"""The workers of a run, from the node objects that plugins see to the exit status of each process.

Workers forked from the template have collected when they are forked. Early workers and their replacements collect for
themselves, and scheduling starts when all have (``early_workers.py``).

The hazard it handles: workers start, crash and exit at any moment, and for each of them plugins' hooks and messages
must be as with xdist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core
from rustpar.collection.time_limits import default_limit
from rustpar.compat.xdist_controller import collection_difference
from rustpar.config.repeat_option import repeat_of
from rustpar.controller.crash_retries import CrashRetries
from rustpar.controller.early_workers import EarlyWorkers
from rustpar.controller.nodes import Death, NodeManager, WorkerController
from rustpar.controller.parallel_collection import ParallelCollection
from rustpar.controller.ramp import Ramp
from rustpar.controller.replacements import PAUSE, Replacements
from rustpar.controller.worker_count import chosen
from rustpar.process.memory import USAGE_KEY, Usage
from rustpar.recording.journal import journal_writer_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rustpar.controller.hook_dispatch import HookDispatch
    from rustpar.controller.scheduling import NativeScheduling, PythonScheduling
    from rustpar.controller.startup import Startup
    from rustpar.terminal.reporter import DistTerminal


class WorkerPool:
    """The workers of a run.

    Attributes:
        manager: The specifications and the run's id.
        nodes: All workers of the run, including lost ones, by number.
        active: The workers whose session has not finished, or that have yet to report a usage error.
        sched: The scheduling; set when the run loop starts.
        facts: What `inventory.facts` returned for the collection, once it is known.
        retries: Decides whether a test is tried again in which a worker has crashed.
        early: Those that collect for themselves.
        parallel: Those that collect a part of the files each.
        scheduled: The collection that is scheduled; None before.
        stopping: Whether lost workers are no longer replaced.
        summary: Why not all tests were run, for the end of the run.
        workerinfo: What the template, or a worker, has reported of itself.
        needed: How many workers are started when the template has collected.
        on_scheduled: Called when the workers have been given their first tests.
        on_decision: Called with a lost worker, and whether it is replaced.
    """

    sched: NativeScheduling | PythonScheduling

    def __init__(self, config: pytest.Config, startup: Startup, screen: DistTerminal) -> None:
        """Create a pool whose workers are forked by `startup`."""
        self.config = config
        self.manager = NodeManager(config)
        self.nodes: dict[int, WorkerController] = {}
        self.active: set[WorkerController] = set()
        self.facts: dict[str, Any] = {}
        self.retries = CrashRetries(self)
        self.stopping = False
        self.summary: str | None = None
        self.on_scheduled: Callable[[], None] = lambda: None
        self.on_decision: Callable[[int, bool], None] = lambda _worker, _is_replaced: None
        self._startup = startup
        self._screen = screen
        self._engine: _core.Engine
        self._replacements = Replacements(config)
        self.workerinfo: dict[str, Any] = {}
        self.scheduled: list[str] | None = None
        self.early = EarlyWorkers(self, startup, screen)
        self.parallel = ParallelCollection(self, startup, screen)
        self._ramp = Ramp(config)
        self.needed = 0

    def announce(self) -> list[WorkerController]:
        """Create the nodes that were asked for and let plugins configure them."""
        self.config.hook.pytest_xdist_setupnodes(config=self.config, specs=self.manager.specs)
        return [self._announce(spec) for spec in self.manager.specs]

    def _announce(self, spec: Any) -> WorkerController:
        node = WorkerController(self.manager, spec)
        self.nodes[node.number] = node
        self.config.hook.pytest_xdist_newgateway(gateway=node.gateway)
        self.config.hook.pytest_configure_node(node=node)
        return node

    def identity_keys(self) -> list[str]:
        """Return the keys of ``workerinput`` whose values differ between workers."""
        inputs = [node.workerinput for node in self.nodes.values()]
        keys = {key for one in inputs for key in one}
        return sorted(key for key in keys if any(one.get(key) != inputs[0].get(key) for one in inputs))

    @property
    def engine(self) -> _core.Engine:
        """The engine that runs the workers."""
        return self._engine

    def use(self, engine: _core.Engine) -> None:
        """Set the engine that runs the workers."""
        self._engine = engine
        self.early.use(engine)
        self.parallel.use_engine(engine)
        for node in self.nodes.values():
            node.engine = engine

    def template_ready(self, workerinfo: dict[str, Any]) -> None:
        """Record what the template, whose session has started as gw0's, reports of itself, and so of all its forks."""
        self.workerinfo = workerinfo

    def worker_ready(self, node: WorkerController, workerinfo: dict[str, Any]) -> None:
        """Announce that an early worker's session has started."""
        self.template_ready(workerinfo)
        self.announce_ready(node)

    def announce_ready(self, node: WorkerController) -> None:
        """Tell plugins that a worker's session has started."""
        node.reported = self.workerinfo
        self.config.hook.pytest_testnodeready(node=node)

    def start(self, collection: list[str], groups: Sequence[str | None]) -> None:
        """Fork the workers and schedule the tests, when the template has collected."""
        nodes = self.needed_nodes()
        for node in nodes:
            self.announce_ready(node)
            self.announce_collected(node, collection)
        self.start_forked(nodes, collection, groups)

    def start_forked(
        self, nodes: Sequence[WorkerController], collection: list[str], groups: Sequence[str | None]
    ) -> None:
        """Fork workers from the template and schedule the tests; plugins know that they have collected."""
        self.show_collected(nodes, collection)
        for node in self.begin_ramp(nodes):
            self.fork(node)
            self._engine.join(node.number, node.first)
        self.schedule(nodes, collection, groups)

    def begin_ramp(self, nodes: Sequence[WorkerController]) -> Sequence[WorkerController]:
        """Return the workers that start at once; the others do with ``--ramp`` when they are due."""
        if self._ramp.seconds:
            duration, workers = f"{self._ramp.seconds:g}s", _core.counted(len(nodes), "worker")
            self._screen.report_line(f"ramping test start over {duration} across {workers}")
        self.active.update(nodes)
        return self._ramp.begin(nodes)

    def choose_number(self, tests: int) -> str | None:
        """Settle how many workers are started, when the template has collected so many tests.

        Returns:
            The number and the reason as a text; None if the number was given.
        """
        asked = chosen(self.config)
        choice = asked or _core.Choice.explicit(len(self.nodes), "")
        if self.sched.may_use_fewer_workers and not self.early.template_collects:
            repeat = repeat_of(self.config)
            runs = tests if repeat is None else tests * (repeat.times or choice.count)
            choice = self._startup.within_memory(choice.for_tests(runs))
        self.needed = choice.count
        return None if asked is None else choice.description

    def needed_nodes(self) -> list[WorkerController]:
        """Return the workers that are started when the template has collected."""
        return list(self.nodes.values())[: self.needed]

    def collected(self, node: WorkerController, collection: list[str]) -> None:
        """Record the collection of an early worker, or of the replacement of one."""
        if self.scheduled is None:
            self.early.collected(node, collection)
            return
        self.announce_collected(node, collection)
        if self.is_same_collection(self.scheduled, collection, node):
            self._engine.join(node.number, node.first)
            self.sched.add_node(node)
        else:
            self._engine.close(node.number)

    def announce_collected(self, node: WorkerController, collection: list[str]) -> None:
        """Tell plugins that a worker has collected."""
        node.test_count = len(collection)
        self.config.hook.pytest_xdist_node_collection_finished(node=node, ids=collection)

    def has_collected(self, node: WorkerController) -> bool:
        """Whether a worker's collection is known."""
        if self.parallel.is_collecting(node):
            return False
        return not self._startup.is_early or self.early.has_collected(node) or self.scheduled is not None

    def is_same_collection(
        self, first: list[str], other: list[str], node: WorkerController, first_node: WorkerController | None = None
    ) -> bool:
        """Whether two workers have collected the same tests; a difference is reported in xdist's words."""
        if first is other:
            return True
        first_id = self.nodes[0].gateway.id if first_node is None else first_node.gateway.id
        message = collection_difference(first, other, first_id, node.gateway.id)
        if message:
            report = pytest.CollectReport(nodeid=node.gateway.id, outcome="failed", longrepr=message, result=[])
            self.config.hook.pytest_collectreport(report=report)
        return not message

    def show_collected(self, nodes: Sequence[WorkerController], collection: list[str]) -> None:
        """Show how many workers have collected how many tests."""
        self._screen.show_collected([node.gateway for node in nodes], len(collection), self.sched.name)

    def schedule(self, nodes: Sequence[WorkerController], collection: list[str], groups: Sequence[str | None]) -> None:
        """Schedule the tests over these workers; all but those of the ramp have joined the engine."""
        self.scheduled = collection
        start = "early" if self._startup.is_early else "template"
        told = nodes[0].workerinput
        journal_writer_of(self.config).journal.start(
            start, len(nodes), self.config.option.dist, told["workercount"], told["testrunuid"]
        )
        waiting = self._ramp.waiting()
        load = self.facts["load"]
        if load:
            # First: a worker may ask for its users as soon as it has a test.
            self._engine.load(load, len(nodes))
        self.sched.start([node for node in nodes if node not in waiting], len(nodes), collection, groups, self.facts)
        expected = self.sched.expected
        if load:
            expected = [_core.LoadPlan.loads(plan).seconds for _, plan in load]
        self._engine.set_expected(expected, self.runs_of_each(len(nodes)))
        # The marks of load tests say how long they take.
        if not load:
            self._engine.time_limits(default_limit(self.config), self.facts["time_limits"])
        self.on_scheduled()

    def runs_of_each(self, workers: int) -> int:
        """Return how often every test is to be run; 0 if a time decides."""
        repeat = repeat_of(self.config)
        times = 1 if repeat is None else repeat.times or 0
        return times * (workers if self.config.option.dist == "each" else 1)

    def fork(self, node: WorkerController) -> None:
        """Have a worker forked."""
        self._startup.start_worker(node)
        self.active.add(node)

    def finished(self, node: WorkerController, workeroutput: dict[str, Any]) -> None:
        """Process the end of a worker's session."""
        held = Usage(*workeroutput.pop(USAGE_KEY))
        journal_writer_of(self.config).journal.memory(node.number, held.resident, held.proportional)
        if self._startup.template_size is not None:
            node.growth = max(0, held.peak - self._startup.template_size)
        node.workeroutput = workeroutput
        node.down = True
        self.config.hook.pytest_testnodedown(node=node, error=None)
        # pytest reports a usage error only after the end of the session, so this worker stays active.
        is_usage_error = workeroutput["exitstatus"] == pytest.ExitCode.USAGE_ERROR
        if not is_usage_error:
            self.active.discard(node)
        if is_usage_error or node.over_limit is not None or not self.has_collected(node):
            # All other workers exit together, because exit functions may remove what another worker's test still needs.
            self._startup.dismiss(node)
        self._ramp.forget(node)
        if node.over_limit is None:
            if not self.sched.keeps_tests and self.scheduled is not None:
                # It has found nothing left to run.
                self._drop_ramp()
            self.sched.remove_node(node, None)
            self.early.schedule_when_complete()
        else:
            self._replace_over_limit(node)

    def _replace_over_limit(self, node: WorkerController) -> None:
        """Replace a worker that has exited because it exceeded the memory limit, unless the run is being stopped."""
        self.sched.release_node(node)
        if not self.stopping:
            node.is_replaced = True
            self._replace(node, 0.0)

    def lost(self, node: WorkerController, death: Death, running: int | None, dispatch: HookDispatch) -> str | None:
        """Process the loss of a worker whose session had not finished; return the test that has crashed, if any.

        A test that is tried again is not returned.
        """
        node.down = True
        how = _core.describe_exit(death.status, node.is_killed)
        if node.timed_out is not None:
            how = "time limit of a test exceeded"
        error = f"Not properly terminated ({how})"
        self.config.hook.pytest_testnodedown(node=node, error=error)
        self._ramp.forget(node)
        crashed = self.sched.remove_node(node, running)
        delay = 0.0
        if crashed is not None:
            retry = self.retries.after_crash(node, running, dispatch.last_report_of(node, crashed))
            dispatch.crash(node, crashed, self.sched, death, retry)
            self.retries.decide(self.sched, node, running, retry)
            if retry is not None:
                crashed = None
                delay = retry.delay if self.sched.keeps_tests else 0.0
        if node.timed_out is not None:
            # Its end was intended, and says nothing about the stability of workers.
            if not self.stopping:
                self._screen.report_line(f"\nreplacing worker {node.gateway.id}")
                self._replace(node, delay)
                self.on_decision(node.number, True)
            return crashed
        self._replacements.count_loss()
        if not self.stopping:
            self._replace_lost(node, max(delay, PAUSE))
        return crashed

    def has_successors(self, node: WorkerController) -> bool:
        """Whether there are workers to run the tests of one that is being lost: others, or a replacement."""
        is_replaced = node.timed_out is not None or self._replacements.allow_loss()
        return is_replaced or (not self.sched.keeps_tests and bool(self.active - {node}))

    def _replace_lost(self, node: WorkerController, pause: float) -> None:
        obstacle = self._replacements.obstacle(node)
        if obstacle is not None:
            self.summary = obstacle
            self._screen.report_line(f"\n{self.summary}")
            self.active.difference_update(self._replacements.drop())
            self.on_decision(node.number, False)
        else:
            self._screen.report_line(f"\nreplacing crashed worker {node.gateway.id}")
            self._replace(node, pause)
            self.on_decision(node.number, True)

    def _replace(self, lost: WorkerController, pause: float) -> None:
        spec = lost.gateway.spec
        self.manager.allocate_id(spec)
        node = self._announce(spec)
        node.engine = self._engine
        node.first = lost.first
        node.test_count = lost.test_count
        if not self._startup.is_early:
            self.announce_ready(node)
        self.active.add(node)
        self._replacements.add(node, _core.monotonic() + pause)

    def start_due(self) -> None:
        """Start the replacements and the workers of the ramp that are due."""
        self.early.kill_overdue()
        self.parallel.kill_overdue()
        if self.stopping:
            self.active.difference_update(self._replacements.drop())
            self._drop_ramp()
        for node in self._ramp.take_due():
            if node.slot is None:
                self.fork(node)
            self._engine.join(node.number, node.first)
            self.sched.add_node(node)
        for node in self._replacements.take_due():
            self.fork(node)
            if not self._startup.is_early:
                self._engine.join(node.number, node.first)
                self.sched.add_node(node)

    def _drop_ramp(self) -> None:
        """Start no further worker of the ramp; an early one finishes its session."""
        for node in self._ramp.drop():
            if node.slot is not None:
                self._engine.close(node.number)
            else:
                node.down = True
                self.active.discard(node)
                self.config.hook.pytest_testnodedown(node=node, error=None)

    def template_lost(self) -> None:
        """Handle the loss of the template before workers exist; xdist has a message for ``--max-worker-restart=0``."""
        if self._replacements.are_disabled:
            self.summary = self._replacements.obstacle(self.nodes[0])

    def mark_killed(self) -> None:
        """Record that this process is about to kill all active workers."""
        for node in self.active:
            node.is_killed = True

    def stop(self) -> None:
        """Let no further test start, and replace no worker."""
        if not self.stopping:
            self.stopping = True
            self._engine.stop()
            # Its session has to finish.
            self.early.release_template()
