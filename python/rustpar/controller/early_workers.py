"""The workers that collect for themselves, until all have collected and their tests are scheduled.

The template, which has collected and must not be forked, waits meanwhile; it becomes gw0. If the others have collected
different tests, which would end a run of xdist, they exit, and all workers are forked from the template.

The hazard it handles: the run may be stopped, or a worker may die, while the template is held or workers are leaving.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from rustpar.controller.leaving_workers import LeavingWorkers

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from rustpar import _core
    from rustpar.controller.nodes import WorkerController
    from rustpar.controller.startup import Startup
    from rustpar.terminal.reporter import DistTerminal

    class Pool(Protocol):
        """The workers of a run, as of `WorkerPool`."""

        config: pytest.Config
        nodes: dict[int, WorkerController]
        active: set[WorkerController]
        scheduled: list[str] | None
        stopping: bool

        def needed_nodes(self) -> list[WorkerController]:
            """Return the workers that are started when the template has collected."""

        def fork(self, node: WorkerController) -> None:
            """Have a worker forked."""

        def announce_ready(self, node: WorkerController) -> None:
            """Tell plugins that a worker's session has started."""

        def announce_collected(self, node: WorkerController, collection: list[str]) -> None:
            """Tell plugins that a worker has collected."""

        def is_same_collection(
            self, first: list[str], other: list[str], node: WorkerController, first_node: WorkerController
        ) -> bool:
            """Whether two workers have collected the same tests."""

        def show_collected(self, nodes: Sequence[WorkerController], collection: list[str]) -> None:
            """Show how many workers have collected how many tests."""

        def begin_ramp(self, nodes: Sequence[WorkerController]) -> Sequence[WorkerController]:
            """Return the workers that start at once."""

        def start_forked(
            self, nodes: Sequence[WorkerController], collection: list[str], groups: Sequence[str | None]
        ) -> None:
            """Fork workers from the template and schedule the tests."""

        def schedule(
            self, nodes: Sequence[WorkerController], collection: list[str], groups: Sequence[str | None]
        ) -> None:
            """Schedule the tests over these workers."""

        def stop(self) -> None:
            """Let no further test start."""


class EarlyWorkers:
    """The early workers of a run.

    Attributes:
        template_collects: Whether the template, which will become gw0, is still collecting while others do.
    """

    def __init__(self, pool: Pool, startup: Startup, screen: DistTerminal) -> None:
        """Start the workers of `pool`, with `startup`."""
        self._pool = pool
        self._startup = startup
        self._screen = screen
        self._engine: _core.Engine
        self.template_collects = False
        # The collections, until all have collected.
        self._collections: dict[WorkerController, list[str]] = {}
        self._groups: Sequence[str | None] = ()
        # The worker that the template will become, while it is held.
        self._held: WorkerController | None = None
        # Those that have collected different tests.
        self._leaving = LeavingWorkers(startup)

    def use(self, engine: _core.Engine) -> None:
        """Set the engine that runs the workers."""
        self._engine = engine

    def start_others(self) -> None:
        """Start the other workers while the template is still collecting, because it will certainly become gw0."""
        self.template_collects = True
        for node in list(self._pool.nodes.values())[1:]:
            self._pool.fork(node)

    def start_from(self, collection: list[str], groups: Sequence[str | None]) -> None:
        """Start the other workers early: the template has collected but must not be forked, and will become gw0."""
        first, *others = self._pool.needed_nodes()
        self._pool.announce_ready(first)
        self._held = first
        self._pool.active.add(first)
        if self.template_collects:
            self.template_collects = False
        else:
            for node in others:
                self._pool.fork(node)
        self._groups = groups
        self.collected(first, collection)
        if self._pool.stopping:
            # The run was stopped before the template could be held.
            self.release_template()

    def release_template(self) -> None:
        """Let the template continue as gw0, if it is held."""
        if self._held is not None:
            held, self._held = self._held, None
            self._startup.become_worker(held)

    def collected(self, node: WorkerController, collection: list[str]) -> None:
        """Record the collection of a worker; schedule if it is the last one."""
        node.test_count = len(collection)
        self._collections[node] = collection
        self.schedule_when_complete()

    def has_collected(self, node: WorkerController) -> bool:
        """Whether a worker has collected before anything was scheduled."""
        return node in self._collections

    def schedule_when_complete(self) -> None:
        """Schedule if all workers have collected, the template included."""
        if self.template_collects or self._pool.scheduled is not None or self._pool.stopping:
            return
        if not self._collections or not self._pool.active <= set(self._collections):
            return
        nodes = sorted(self._pool.active, key=lambda node: node.number)
        if not nodes:
            return
        collection = self._collections[nodes[0]]
        self._pool.scheduled = collection
        differing = [node for node in nodes[1:] if self._collections[node] != collection]
        if differing and self._held is not None:
            self._restart_from_template(nodes, differing[0])
            return
        self.release_template()
        for node in nodes:
            self._pool.announce_collected(node, self._collections[node])
        # No short-circuit: each difference is reported, not only the first.
        if not all(
            [self._pool.is_same_collection(collection, self._collections[node], node, nodes[0]) for node in nodes[1:]]
        ):
            self._pool.stop()
            return
        self._pool.show_collected(nodes, collection)
        for node in self._pool.begin_ramp(nodes):
            self._engine.join(node.number, node.first)
        self._pool.schedule(nodes, collection, self._groups)

    def _restart_from_template(self, nodes: Sequence[WorkerController], differing: WorkerController) -> None:
        """Tell all early workers except gw0 to exit; when they are gone, workers are forked from the template."""
        mine, others = self._collections[nodes[0]], self._collections[differing]
        verdict = self._startup.decide_after_mismatch(nodes[0].gateway.id, differing.gateway.id, mine, others)
        self._screen.show_start(verdict.words(self._pool.config.getoption("verbose", 0)), None)
        self._leaving.dismiss(nodes[1:], self._engine)

    def is_leaving(self, node: WorkerController) -> bool:
        """Whether an early worker was told to exit in favour of a fork of the template."""
        return node in self._leaving

    def left(self, node: WorkerController) -> None:
        """Record that such an early worker has exited; fork workers if it was the last one."""
        self._leaving.discard(node)
        if self._held is None:
            # The run has been stopped meanwhile, so the worker is not replaced.
            node.down = True
            self._pool.active.discard(node)
            self._pool.config.hook.pytest_testnodedown(node=node, error=None)
        if self._leaving or self._held is None or self._pool.scheduled is None:
            return
        self._held = None
        nodes = [one for one in self._pool.nodes.values() if one in self._collections]
        self._startup.fork_from_template()
        for one in nodes:
            self._pool.announce_collected(one, self._pool.scheduled)
        self._pool.start_forked(nodes, self._pool.scheduled, self._groups)
        self._startup.retire_fork_server()

    def kill_overdue(self) -> None:
        """Kill early workers that were told to exit and have not within the limit."""
        self._leaving.kill_overdue()
