"""Who decides which worker runs what: a native policy in the engine, or a scheduler written in Python.

A scheduler that a plugin returns from ``pytest_xdist_make_scheduler`` is driven through xdist's own protocol
(``xdist/scheduler/protocol.py``), in the order of events in which xdist's ``DSession`` drives it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rustpar.compat.xdist_controller import give_second_test, is_by_scope, takes_no_test_back
from rustpar.controller.worker_count import asked_plan
from rustpar.process import memory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rustpar import _core
    from rustpar.controller.nodes import WorkerController

# The names that xdist's schedulers have, for `-v`.
_NAMES = {
    "load": "LoadScheduling",
    "worksteal": "WorkStealingScheduling",
    "loadscope": "LoadScopeScheduling",
    "loadfile": "LoadFileScheduling",
    "loadgroup": "LoadGroupScheduling",
    "each": "EachScheduling",
}


def remembered(config: pytest.Config, node_ids: list[str], fixtures: list[str]) -> dict[str, Any]:
    """What earlier runs have shown of these tests and shared fixtures, for ``Engine.schedule``."""
    from rustpar.recording.history import history_of

    history = history_of(config)
    if history is None or len(history) == 0:
        return {"seconds": [], "failed": [], "setup_seconds": []}
    return {
        "seconds": history.expected(node_ids),
        "failed": history.failed(node_ids),
        "setup_seconds": history.fixture_seconds(fixtures),
    }


def workers_needed(dist: str, asked: int, tests: int) -> int:
    """How many workers a native policy has use for: no more than there are tests, but for ``each``."""
    return asked if dist == "each" else max(1, min(asked, tests))


class NativeScheduling:
    """Stands for the policy in the engine; this is what ``pytest_handlecrashitem`` gets as ``sched``.

    Attributes:
        expected: The seconds that each test will probably take, None where nothing is known; once it has started.
    """

    def __init__(self, config: pytest.Config, engine: _core.Engine) -> None:
        """Stand for the policy that ``--dist`` names."""
        self.config = config
        self.dist: str = config.getoption("dist")
        self.name = _NAMES[self.dist]
        self.nodes: list[WorkerController] = []
        self.collection: list[str] = []
        self.expected: list[float | None] = []
        self._engine = engine

    @property
    def takes_fewer(self) -> bool:
        """Whether fewer workers than were asked for will do."""
        return self.dist != "each"

    def start(
        self,
        nodes: Sequence[WorkerController],
        collection: list[str],
        groups: Sequence[str | None],
        facts: dict[str, Any],
    ) -> None:
        """Schedule `collection`, of which `facts` tell, over `nodes`; the groups the engine has got with it."""
        self.nodes = list(nodes)
        self.collection = collection
        option: Any = self.config.option
        reorder = getattr(option, "loadscopereorder", True)  # an option since xdist 3.7
        known = facts | remembered(self.config, collection, facts["kinds"])
        self.expected = known["seconds"] or [None] * len(collection)
        self._engine.schedule(
            self.dist,
            len(nodes),
            max_chunk=option.maxschedchunk,
            reorder=reorder,
            plan=asked_plan(self.config),
            facts=known,
        )

    def add_node(self, node: WorkerController) -> None:
        """Let a replacement take part."""
        self.nodes.append(node)

    def mark_test_complete(self, node: WorkerController, item_index: int, duration: float = 0) -> None:
        """Nothing to do: the engine has seen it."""

    def mark_test_pending(self, item: str) -> None:
        """Run a test once more."""
        self._engine.run_again(self.collection.index(item))

    def remove_pending_tests_from_node(self, node: WorkerController, indices: Sequence[int]) -> None:
        """Nothing to do: the engine has seen it."""

    def remove_node(self, node: WorkerController, running: int | None) -> str | None:
        """Forget a worker; the engine has given its tests to others.

        Args:
            node: The worker.
            running: The test in which it died, as the engine knows.

        Returns:
            The node id of that test.
        """
        if node in self.nodes:
            self.nodes.remove(node)
        return None if running is None else self.collection[running]

    def release_node(self, node: WorkerController) -> None:
        """Forget a worker that another one takes the place of; the engine has given its tests to others."""
        self.remove_node(node, None)


class PythonScheduling:
    """Drives a scheduler written in Python.

    Attributes:
        expected: As of :class:`NativeScheduling`.
    """

    def __init__(self, config: pytest.Config, scheduler: Any, engine: _core.Engine) -> None:
        """Drive `scheduler`, whose nodes are those of `engine`."""
        self.config = config
        self._engine = engine
        self.scheduler = scheduler
        self.name: str = type(scheduler).__name__
        self.expected: list[float | None] = []
        self._ids: list[str] = []
        self._plain_ids: list[str] = []

    @property
    def nodes(self) -> list[WorkerController]:
        """The workers that take part."""
        nodes: list[WorkerController] = self.scheduler.nodes
        return nodes

    @property
    def takes_fewer(self) -> bool:
        """No: a scheduler waits for the collection of each worker."""
        return False

    def start(
        self,
        nodes: Sequence[WorkerController],
        collection: list[str],
        groups: Sequence[str | None],
        facts: dict[str, Any],
    ) -> None:
        """Hand over the workers and their collection; what `facts` tell of it is nothing to such a scheduler.

        With ``--dist loadgroup`` the ids that the scheduler sees end in ``@group``, as xdist's schedulers expect; the
        tests' own ids stay as they are.
        """
        self._plain_ids = collection
        self.expected = remembered(self.config, collection, [])["seconds"] or [None] * len(collection)
        self._ids = [
            node_id if group is None else f"{node_id}@{group}"
            for node_id, group in zip(collection, groups, strict=True)
        ]
        self._check_limit()
        for node in nodes:
            self.scheduler.add_node(node)
        for node in nodes:
            self._collected(node)

    def _check_limit(self) -> None:
        if takes_no_test_back(self.scheduler) and memory.limit_of(self.config) is not None:
            raise pytest.UsageError(
                f"{memory.LIMIT_OPTION} cannot be kept by {self.name}, which takes no test back; leave one of them out"
            )

    def add_node(self, node: WorkerController) -> None:
        """Let a replacement take part."""
        self.scheduler.add_node(node)
        self._collected(node)
        self._supply()

    def _supply(self) -> None:
        """Have those by scope give each worker a second test, or tell it that there is none.

        A worker finishes a test when it knows what comes next. What they hand out when another worker is gone or has
        come is one unit, which may be one test, or none: they hand out again what was begun, even if nothing is left.
        """
        scheduler = self.scheduler
        if is_by_scope(scheduler) and scheduler.collection is not None:
            for node in self.nodes:
                give_second_test(scheduler, node)

    def _collected(self, node: WorkerController) -> None:
        self.scheduler.add_node_collection(node, list(self._ids))
        if self.scheduler.collection_is_completed:
            self.scheduler.schedule()
            # A replacement may come when the others have run everything.
            self._shut_down_when_finished()

    def mark_test_complete(self, node: WorkerController, item_index: int, duration: float = 0) -> None:
        """Pass on that a test has run."""
        self.scheduler.mark_test_complete(node, item_index, duration)
        self._shut_down_when_finished()

    def mark_test_pending(self, item: str) -> None:
        """Run a test once more."""
        index = self._plain_ids.index(item)
        self._engine.run_again(index)
        self.scheduler.mark_test_pending(self._ids[index])

    def remove_pending_tests_from_node(self, node: WorkerController, indices: Sequence[int]) -> None:
        """Pass on which tests a worker gave back."""
        self.scheduler.remove_pending_tests_from_node(node, indices)
        self._shut_down_when_finished()

    def remove_node(self, node: WorkerController, running: int | None) -> str | None:
        """Forget a worker; return the node id of the test in which it died."""
        if node not in self.nodes:
            return None
        if is_by_scope(self.scheduler) and running is not None:
            # They would hand the test that crashed out again, with the rest of its group, until no worker is left.
            self.scheduler.mark_test_complete(node, running)
            self.scheduler.remove_node(node)
            self._supply()
            return self._plain_ids[running]
        crashed = self.scheduler.remove_node(node)
        self._shut_down_when_finished()
        return None if crashed is None else self._plain_ids[self._ids.index(crashed)]

    def release_node(self, node: WorkerController) -> None:
        """Forget a worker that another one takes the place of, and have others run what it has not begun."""
        # Schedulers know crashes alone: the first test that a worker has not run is the one in which it died. Those by
        # scope schedule that one again themselves.
        unhurt = self.scheduler.remove_node(node)
        if unhurt is not None and not is_by_scope(self.scheduler):
            self.scheduler.mark_test_pending(unhurt)
        self._shut_down_when_finished()
        self._supply()

    def _shut_down_when_finished(self) -> None:
        if self.scheduler.collection_is_completed and self.scheduler.tests_finished:
            for node in self.nodes:
                node.shutdown()
