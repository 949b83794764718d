"""Workers that start one after the other, over the duration that ``--ramp`` gives.

Worker i of n starts i/n of the duration after the first. One that is forked from the template is forked then; an early
worker starts and collects with the others, because all collections are compared, and gets its first test then.

The hazard it handles: a worker that waits is part of the run, but has no process, or one without tests. So it is
dropped when the run is stopped, or when another worker has found nothing left to run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rustpar import _core

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from rustpar.controller.nodes import WorkerController


class Ramp:
    """The workers that wait for their start."""

    def __init__(self, config: pytest.Config) -> None:
        """Start workers over the duration that `config` gives."""
        option: Any = config.option
        self.seconds: float = option.ramp
        self._waiting: list[tuple[float, WorkerController]] = []

    def begin(self, nodes: Sequence[WorkerController]) -> Sequence[WorkerController]:
        """Begin the ramp with these workers; return those that start at once, as the others wait."""
        if not self.seconds:
            return nodes
        now, interval = _core.monotonic(), self.seconds / len(nodes)
        self._waiting = [(now + place * interval, node) for place, node in enumerate(nodes)][1:]
        return nodes[:1]

    def waiting(self) -> set[WorkerController]:
        """Return the workers that wait."""
        return {node for _, node in self._waiting}

    def take_due(self) -> list[WorkerController]:
        """Return the workers that start now."""
        now = _core.monotonic()
        due = [node for at, node in self._waiting if at <= now]
        self._waiting = [(at, node) for at, node in self._waiting if at > now]
        return due

    def drop(self) -> list[WorkerController]:
        """Let no further worker start; return those that have waited."""
        dropped = [node for _, node in self._waiting]
        self._waiting.clear()
        return dropped

    def forget(self, node: WorkerController) -> None:
        """Do not wait for a worker that has exited."""
        self._waiting = [(at, other) for at, other in self._waiting if other is not node]
