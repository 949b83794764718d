"""The workers that collect a part of the files each, until all have and their tests are scheduled.

The template, which has found the files, waits meanwhile, and forks replacements later. If the parts cannot be joined,
or have to be compared with a collection by one process, these workers exit, and the template collects all files.

The hazard it handles: the run may be stopped, or a worker may die, while others collect or leave.

Every run with workers has this object, so what only a parallel collection needs is imported by that: 2 ms.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Protocol

from rustpar import _core
from rustpar.controller import collect_decision
from rustpar.controller.leaving_workers import LeavingWorkers
from rustpar.controller.scheduling import NativeScheduling
from rustpar.process.system import os

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rustpar.collection import parts
    from rustpar.controller import early_workers
    from rustpar.controller.nodes import WorkerController
    from rustpar.controller.startup import Startup
    from rustpar.terminal.reporter import DistTerminal

    class Pool(early_workers.Pool, Protocol):
        """The workers of a run, as of `WorkerPool`."""

        @property
        def sched(self) -> object:
            """The scheduling."""

        def choose_number(self, tests: int) -> str | None:
            """Settle how many workers are started."""


# Instead of a worker's number, for what the template has collected.
_TEMPLATE = -1


class ParallelCollection:
    """A collection of which each worker makes a part.

    Attributes:
        is_used: Whether the joined parts are the collection of this run.
        number: The number of workers as a text, with the reason; None if it was given.
        use: Called with the tests, their groups and the further contents of the inventory when the parts are joined.
        report: Called with each collection report that has not passed.
    """

    def __init__(self, pool: Pool, startup: Startup, screen: DistTerminal) -> None:
        """Collect with the workers of `pool`, which `startup` starts."""
        self._pool = pool
        self._startup = startup
        self._screen = screen
        self._engine: _core.Engine
        self.is_used = False
        self.number: str | None = None
        self.use: Callable[[list[str], Sequence[str | None], dict[str, Any]], None]
        self.report: Callable[[int, Any], None]
        self._count = 0
        # Those that collect, and the parts of those that have.
        self._collecting: set[WorkerController] = set()
        self._parts: list[parts.Part] = []
        self._is_running = False
        # Whether the template waits, with the files that it has found.
        self._holds_template = False
        self._leaving = LeavingWorkers(startup)
        self._whole: parts.Whole | None = None
        # The errors in a part.
        self._failed: parts.Obstacle | None = None

    def use_engine(self, engine: _core.Engine) -> None:
        """Set the engine that runs the workers."""
        self._engine = engine

    def keeps_template(self) -> bool:
        """Whether the template waits for requests and is not going to collect."""
        return self._holds_template and (not self._leaving or self._pool.stopping)

    @functools.cached_property
    def _cache(self) -> collect_decision.ComparisonCache:
        return collect_decision.ComparisonCache(self._pool.config)

    def found_files(self, count: int, obstacle: str | None) -> None:
        """Have workers collect `count` files, or with an `obstacle` say why the template collects them."""
        if obstacle is not None:
            self._show_serial(obstacle)
            return
        obstacle = self._obstacle(count) or self._create_order()
        if obstacle is not None or self._pool.stopping:
            if obstacle is not None:
                self._show_serial(obstacle)
            self._startup.server.collect_in_template()
            return
        self._count = count
        known = self._cache.recall()
        self._startup.is_compared = known is None
        self._is_running = self._holds_template = True
        nodes = self._pool.needed_nodes()
        for node in nodes:
            self._pool.fork(node)
        self._collecting = set(nodes)

    def _obstacle(self, count: int) -> str | None:
        if self._startup.is_early:
            return "workers start early"
        if not isinstance(self._pool.sched, NativeScheduling):
            return "a plugin has a scheduler of its own"
        obstacle = collect_decision.obstacle(self._pool.config)
        if obstacle is not None:
            return obstacle
        known = self._cache.recall()
        if known is not None and known.obstacle is not None:
            return f"{known.obstacle}, as seen in an earlier run"
        self.number = self._pool.choose_number(count)
        return "there is only one worker" if len(self._pool.needed_nodes()) < 2 else None

    def _create_order(self) -> str | None:
        """Create the file by which workers learn the order of all tests; return why that is impossible."""
        from rustpar.collection.shared_order import SharedOrder

        try:
            self._startup.order = order = SharedOrder()
        except OSError as error:
            return f"no file can be created: {error.strerror}"
        self._pool.config.add_cleanup(order.close)
        return None

    def _show_serial(self, obstacle: str) -> None:
        self._screen.show_lines([f"collect: serial ({obstacle})"])

    def is_collecting(self, node: WorkerController) -> bool:
        """Whether a worker collects, or waits for others that do."""
        return self._is_running and (
            node in self._collecting or any(part.worker == node.number for part in self._parts)
        )

    def collected(self, node: WorkerController, collection: list[str], about: tuple[Any, dict[str, Any]]) -> None:
        """Record the part of a worker; join the parts if it is the last one."""
        from rustpar.collection import parts

        self._collecting.discard(node)
        self._parts.append(parts.Part(node.number, collection, *about))
        if not self._collecting and not self._pool.stopping:
            self._join()

    def has_stopped(self, node: WorkerController, workeroutput: dict[str, Any]) -> bool:
        """Return whether a worker has ended its session while it collected; the template collects then.

        With ``-x``, a worker ends at the next file after an error, and has not told anybody of the error.
        """
        if node not in self._collecting or self._pool.stopping:
            return False
        self._collect_serially("there are errors" if workeroutput["shouldfail"] else f"{node.gateway.id} has stopped")
        return True

    def _join(self) -> None:
        from rustpar.collection import known_tests, parts

        self._parts.sort(key=lambda part: part.worker)
        obstacle, conftests = parts.obstacle(self._parts), self._parts[0].extras["conftests"]
        if obstacle is not None:
            self._failed = obstacle if obstacle.is_error else None
            if not obstacle.is_error:
                self._remember(obstacle, conftests)
            self._collect_serially(obstacle.text)
            return
        whole = parts.join(self._parts, self._count)
        tests = self._tests(whole.node_ids, whole.extras)
        known = self._cache.recall()
        if known is None:
            self._whole = whole
            self._collect_serially("it is compared with a parallel collection")
            return
        if known.conftests != frozenset(conftests):
            self._cache.forget()
            self._collect_serially("there are other conftests than before")
            return
        other = known_tests.differing(self._pool.config.rootpath, known.tests, tests)
        if other is not None:
            self._cache.forget()
            self._collect_serially(f"{other} has other tests than before")
            return
        if tests != known.tests:
            self._cache.remember(conftests, None, tests=tests)
        assert self._startup.order is not None
        try:
            self._startup.order.write(whole.node_ids, whole.counts, whole.modules, whole.paths)
        except OSError as error:
            self._collect_serially(f"the order of the tests cannot be written: {error.strerror}")
            return
        self._is_running = False
        self.is_used = self._startup.is_divided = True
        self._engine.use_collection(whole.node_ids, whole.groups)
        self._screen.show_lines([f"collect: parallel ({_core.counted(len(self._parts), 'worker')})"])
        for report in whole.reports:
            self.report(self._parts[0].worker, report)
        self.use(whole.node_ids, whole.groups, whole.extras)

    def start(self, collection: list[str], groups: Sequence[str | None]) -> None:
        """Schedule the tests over the workers that have collected them."""
        nodes = [self._pool.nodes[part.worker] for part in self._parts]
        for node in nodes:
            self._pool.announce_ready(node)
            self._pool.announce_collected(node, collection)
        self._pool.show_collected(nodes, collection)
        for node in nodes:
            self._engine.join(node.number, node.first)
        self._pool.schedule(nodes, collection, groups)

    def _collect_serially(self, obstacle: str) -> None:
        """Have all workers exit, and then the template collect: it must not have children that it does not know."""
        self._show_serial(obstacle)
        self._is_running = False
        self._collecting.clear()
        self._leaving.dismiss(self._pool.active, self._engine)
        self._pool.active.clear()

    def is_leaving(self, node: WorkerController) -> bool:
        """Whether a worker was told to exit because the template collects."""
        return node in self._leaving

    def exited(self, node: WorkerController) -> None:
        """Record that a worker has exited that was told to, or that has died while it collected."""
        self._pool.active.discard(node)
        self._leaving.discard(node)
        if node.crash_files is not None:
            node.crash_files.close()
            node.crash_files = None
        if self._is_running:
            self._collecting.discard(node)
            self._collect_serially(f"{node.gateway.id} has died while collecting")
        if self._holds_template and not self._leaving and not self._pool.stopping:
            self._holds_template = False
            self._startup.server.collect_in_template()

    def compare(
        self, collection: list[str], groups: Sequence[str | None], extras: dict[str, Any], *, has_errors: bool
    ) -> None:
        """Compare the template's collection with the parts of workers, if there are any, and store the result."""
        if self._failed is None and self._whole is None:
            return
        from rustpar.collection import parts

        if self._failed is not None and not has_errors:
            file = self._failed.node_ids[0]
            self._remember(parts.Obstacle(f"{file} cannot be collected before other files", file), extras["conftests"])
        if self._whole is None:
            return
        serial = parts.Part(_TEMPLATE, collection, groups, extras)
        difference = parts.difference(self._whole, self._parts, serial)
        self._whole = None
        if difference is None:
            self._screen.show_lines(["collect: a parallel collection has the same tests; the next run uses it"])
            self._cache.remember(extras["conftests"], None, tests=self._tests(collection, extras))
        else:
            difference.text = f"a parallel collection differs: {difference.text}"
            self._screen.show_lines([f"collect: {difference.text}"])
            self._remember(difference, extras["conftests"])

    def _tests(self, node_ids: Sequence[str], extras: dict[str, Any]) -> dict[str, list[int | str]]:
        from rustpar.collection import known_tests

        deselected = [str(about[0]) for about in extras["deselected"][0]]
        return known_tests.describe(self._pool.config.rootpath, [*node_ids, *deselected])

    def _remember(self, obstacle: parts.Obstacle, conftests: Iterable[str]) -> None:
        """Have later runs collect serially at once, until a conftest or a file with a cause of `obstacle` changes."""
        root = self._pool.config.rootpath
        files = {str(root / node_id.partition("::")[0]) for node_id in obstacle.node_ids}
        if files and all(map(os.path.isfile, files)):
            self._cache.remember(conftests, obstacle.text, files)

    def kill_overdue(self) -> None:
        """Kill workers that were told to exit and have not within the limit."""
        self._leaving.kill_overdue()
