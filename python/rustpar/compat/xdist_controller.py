"""Parts of pytest-xdist's controller that plugins use and that have no public interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xdist import plugin
from xdist.dsession import Interrupted, get_default_max_worker_restart
from xdist.remote import Producer

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Interrupted", "Producer", "get_default_max_worker_restart", "plugin"]


def show_collected(reporter: Any, gateways: Sequence[Any], tests: int) -> None:
    """Have xdist's terminal plugin report how many workers have collected how many tests."""
    from xdist.dsession import WorkerStatus

    started = {gateway.id for gateway in gateways}
    for idle in set(reporter._status) - started:
        del reporter._status[idle]
    for gateway in gateways:
        reporter.setstatus(gateway.spec, WorkerStatus.CollectionDone, tests_collected=tests)
    reporter.ensure_show_status()


def collection_difference(first: list[str], other: list[str], first_id: str, other_id: str) -> str | None:
    """Return xdist's description of how two collections differ; None if they are equal."""
    from xdist.report import report_collection_diff

    difference: str | None = report_collection_diff(first, other, first_id, other_id)
    return difference


def runs_all_tests_everywhere(scheduler: object) -> bool:
    """Whether a scheduler has every worker run all tests (``--dist each``)."""
    from xdist.scheduler import EachScheduling

    return isinstance(scheduler, EachScheduling)


def is_by_scope(scheduler: object) -> bool:
    """Whether a scheduler distributes groups of tests, as ``loadscope``, ``loadfile`` and ``loadgroup`` do."""
    from xdist.scheduler import LoadScopeScheduling

    return isinstance(scheduler, LoadScopeScheduling)


def give_second_test(scheduler: Any, node: Any) -> None:
    """Have a scope scheduler assign work until the worker has two pending tests or is told to shut down."""
    while not node.shutting_down and scheduler._pending_of(scheduler.assigned_work[node]) < 2:
        scheduler._reschedule(node)
