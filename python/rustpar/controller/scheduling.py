"""Scheduling: either a native policy in the engine, or a scheduler written in Python.

A scheduler that a plugin returns from ``pytest_xdist_make_scheduler`` is called through xdist's own protocol
(``xdist/scheduler/protocol.py``), in the same order of events as by xdist's ``DSession``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core
from rustpar.compat.xdist_controller import give_second_test, is_by_scope, runs_all_tests_everywhere
from rustpar.config.load_option import is_load_run
from rustpar.config.repeat_option import repeat_of
from rustpar.config.values import is_given
from rustpar.controller.worker_count import plan_option
from rustpar.process import memory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rustpar.controller.nodes import WorkerController


def remembered(config: pytest.Config, node_ids: list[str], fixtures: list[str]) -> dict[str, Any]:
    """Return what the history knows of these tests and shared fixtures, for ``Engine.schedule``."""
    from rustpar.recording.history import history_of

    history = history_of(config)
    if history is None or len(history) == 0:
        return {"seconds": [], "failed": [], "setup_seconds": []}
    return {
        "seconds": history.expected(node_ids),
        "failed": history.failed(node_ids),
        "setup_seconds": history.fixture_seconds(fixtures),
    }


def _retries_last(config: pytest.Config, facts: dict[str, Any]) -> bool | None:
    """Whether failed tests are tried again after all others; None if none is tried again."""
    if is_load_run(config) or (not facts["retries"] and not is_given(config, "rustpar_retries")):
        return None
    from rustpar.collection.retry_rules import settings_of

    settings = settings_of(config)
    return settings.last if facts["retries"] or settings.rule is not None else None


class NativeScheduling:
    """Represents the engine's policy; ``pytest_handlecrashitem`` gets this as ``sched``.

    Attributes:
        expected: The expected duration of each test in seconds, None if unknown; set by `start`.
    """

    def __init__(self, config: pytest.Config, engine: _core.Engine) -> None:
        """Represent the policy named by ``--dist``."""
        self.config = config
        self.dist: str = config.getoption("dist")
        self.name = _core.scheduler_name(self.dist)
        self.nodes: list[WorkerController] = []
        self.collection: list[str] = []
        self.expected: list[float | None] = []
        self._engine = engine

    @property
    def may_use_fewer_workers(self) -> bool:
        """Whether the run may start fewer workers than were asked for."""
        return not self.keeps_tests

    @property
    def keeps_tests(self) -> bool:
        """Whether the tests of a lost worker are run by its replacement only."""
        return self.dist == "each"

    @property
    def may_retry_crashes(self) -> bool:
        """Whether a test can be tried again in which a worker has crashed."""
        return True

    def start(
        self,
        nodes: Sequence[WorkerController],
        workers: int,
        collection: list[str],
        groups: Sequence[str | None],
        facts: dict[str, Any],
    ) -> None:
        """Schedule `collection`, described by `facts`, over `nodes`, the first of so many workers.

        The engine already has the groups.
        """
        self.nodes = list(nodes)
        self.collection = collection
        option: Any = self.config.option
        reorder = getattr(option, "loadscopereorder", True)  # an option since xdist 3.7
        known = facts | remembered(self.config, collection, facts["kinds"])
        self.expected = known["seconds"] or [None] * len(collection)
        repeat = repeat_of(self.config)
        self._engine.schedule(
            self.dist,
            workers,
            max_chunk=option.maxschedchunk,
            reorder=reorder,
            plan=plan_option(self.config),
            facts=known,
            retries_last=_retries_last(self.config, facts),
            repeats=None if repeat is None else repeat.times or 0,
        )

    def add_node(self, node: WorkerController) -> None:
        """Add a replacement, or a worker that starts later."""
        self.nodes.append(node)

    def mark_test_complete(self, node: WorkerController, item_index: int, duration: float = 0) -> None:
        """Do nothing: the engine already knows."""

    def mark_test_pending(self, item: str) -> None:
        """Run a test once more."""
        self._engine.run_again(self.collection.index(item))

    def retry(self, node: WorkerController, test: int, tried: int, delay: float) -> None:
        """Try a test again in which a worker has crashed, and which was tried so many times, after `delay` seconds.

        If the replacement tries it, that is to start after the delay.
        """
        if self.keeps_tests:
            self._engine.retry_in_replacement(node.first, test, tried)
        else:
            self._engine.retry(node.number, test, tried, delay)

    def settle(self, test: int) -> None:
        """Do not try a test again in which a worker has crashed."""
        self._engine.settle(test)

    def remove_pending_tests_from_node(self, node: WorkerController, indices: Sequence[int]) -> None:
        """Do nothing: the engine already knows."""

    def remove_node(self, node: WorkerController, running: int | None) -> str | None:
        """Remove a worker, whose tests the engine has already reassigned.

        Args:
            node: The worker.
            running: The index of the test in which it died.

        Returns:
            The node id of that test.
        """
        if node in self.nodes:
            self.nodes.remove(node)
        return None if running is None else self.collection[running]

    def release_node(self, node: WorkerController) -> None:
        """Remove a worker that is being replaced; the engine has already reassigned its tests."""
        self.remove_node(node, None)


class PythonScheduling:
    """Calls a scheduler written in Python.

    Attributes:
        expected: As of :class:`NativeScheduling`.
    """

    def __init__(self, config: pytest.Config, scheduler: Any, engine: _core.Engine) -> None:
        """Call `scheduler`; its nodes are workers of `engine`."""
        self.config = config
        self._engine = engine
        self.scheduler = scheduler
        self.name: str = type(scheduler).__name__
        self.expected: list[float | None] = []
        self._ids: list[str] = []
        self._plain_ids: list[str] = []

    @property
    def nodes(self) -> list[WorkerController]:
        """The workers that the scheduler knows."""
        nodes: list[WorkerController] = self.scheduler.nodes
        return nodes

    @property
    def may_use_fewer_workers(self) -> bool:
        """False, because the scheduler waits for the collection of each worker."""
        return False

    @property
    def keeps_tests(self) -> bool:
        """False: the scheduler decides."""
        return False

    @property
    def may_retry_crashes(self) -> bool:
        """As of :class:`NativeScheduling`; not if the scheduler cannot have another worker run it."""
        return not runs_all_tests_everywhere(self.scheduler)

    def start(
        self,
        nodes: Sequence[WorkerController],
        workers: int,
        collection: list[str],
        groups: Sequence[str | None],
        facts: dict[str, Any],
    ) -> None:
        """Give the scheduler the workers and their collection; `facts` are ignored.

        With ``--dist loadgroup`` the ids that the scheduler gets end in ``@group``, as xdist's schedulers expect. The
        tests' own ids do not.
        """
        if repeat_of(self.config) is not None:
            raise pytest.UsageError(f"--rustpar-repeat does not work with {self.name}, a scheduler written in Python")
        if len(nodes) < workers:
            raise pytest.UsageError(f"--ramp does not work with {self.name}, a scheduler written in Python; omit it")
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
        if runs_all_tests_everywhere(self.scheduler) and memory.limit_of(self.config) is not None:
            raise pytest.UsageError(
                f"{memory.LIMIT_OPTION} does not work with {self.name}, which cannot reassign tests; omit one of them"
            )

    def add_node(self, node: WorkerController) -> None:
        """Add a replacement."""
        self.scheduler.add_node(node)
        self._collected(node)
        self._assign_second_tests()

    def _assign_second_tests(self) -> None:
        """Have schedulers by scope assign each worker a second test, or tell it that there is none.

        A worker finishes a test only when it knows the next. When a worker is lost or added, these schedulers assign a
        single unit. It may contain one test, or none if all its tests have been run.
        """
        scheduler = self.scheduler
        if is_by_scope(scheduler) and scheduler.collection is not None:
            for node in self.nodes:
                give_second_test(scheduler, node)

    def _collected(self, node: WorkerController) -> None:
        self.scheduler.add_node_collection(node, list(self._ids))
        if self.scheduler.collection_is_completed:
            self.scheduler.schedule()
            # A replacement may become ready after the others have run everything.
            self._shut_down_when_finished()

    def mark_test_complete(self, node: WorkerController, item_index: int, duration: float = 0) -> None:
        """Tell the scheduler that a test is complete."""
        self.scheduler.mark_test_complete(node, item_index, duration)
        self._shut_down_when_finished()

    def mark_test_pending(self, item: str) -> None:
        """Run a test once more."""
        index = self._plain_ids.index(item)
        self._engine.run_again(index)
        self.scheduler.mark_test_pending(self._ids[index])

    def retry(self, node: WorkerController, test: int, tried: int, delay: float) -> None:
        """Try a test again in which a worker has crashed; schedulers know no delay."""
        self._engine.retry(node.number, test, tried, 0.0)
        self.scheduler.mark_test_pending(self._ids[test])

    def settle(self, test: int) -> None:
        """Do nothing: the scheduler takes a crash as a result."""

    def remove_pending_tests_from_node(self, node: WorkerController, indices: Sequence[int]) -> None:
        """Tell the scheduler which tests a worker gave back."""
        self.scheduler.remove_pending_tests_from_node(node, indices)
        self._shut_down_when_finished()

    def remove_node(self, node: WorkerController, running: int | None) -> str | None:
        """Remove a worker; return the node id of the test in which it died."""
        if node not in self.nodes:
            return None
        if is_by_scope(self.scheduler) and running is not None:
            # Otherwise they would reassign the test that crashed, with the rest of its group, until no worker is left.
            self.scheduler.mark_test_complete(node, running)
            self.scheduler.remove_node(node)
            self._assign_second_tests()
            return self._plain_ids[running]
        crashed = self.scheduler.remove_node(node)
        self._shut_down_when_finished()
        return None if crashed is None else self._plain_ids[self._ids.index(crashed)]

    def release_node(self, node: WorkerController) -> None:
        """Remove a worker that is being replaced, and have the tests that it has not started reassigned."""
        # Schedulers assume that a removed worker has crashed in its first test that is not complete. That test has not
        # started, so schedule it again. Schedulers by scope do so themselves.
        not_started = self.scheduler.remove_node(node)
        if not_started is not None and not is_by_scope(self.scheduler):
            self.scheduler.mark_test_pending(not_started)
        self._shut_down_when_finished()
        self._assign_second_tests()

    def _shut_down_when_finished(self) -> None:
        if self.scheduler.collection_is_completed and self.scheduler.tests_finished:
            for node in self.nodes:
                node.shutdown()
