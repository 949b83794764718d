"""Workers that start at a later time: those of ``--ramp``, and replacements of lost ones.

The hazard it handles: a worker that waits is part of the run, but has no process, or one without tests. It has to be
dropped when the run is stopped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rustpar import _core

if TYPE_CHECKING:
    from rustpar.controller.nodes import WorkerController


class WaitingWorkers:
    """The workers that wait for their start."""

    def __init__(self) -> None:
        """Let no worker wait yet."""
        self._waiting: list[tuple[float, WorkerController]] = []

    def add(self, node: WorkerController, at: float) -> None:
        """Let a worker wait until this time of the monotonic clock."""
        self._waiting.append((at, node))

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
