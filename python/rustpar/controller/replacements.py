"""The workers that replace lost ones, within ``--max-worker-restart``.

The hazard it handles: tests that crash one worker tend to crash the next. A replacement waits, so that workers that are
lost at about the same time are counted before any of them is replaced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rustpar.compat.xdist_controller import get_default_max_worker_restart
from rustpar.controller.waiting_workers import WaitingWorkers

if TYPE_CHECKING:
    import pytest

    from rustpar.controller.nodes import WorkerController

# Seconds between the loss of a worker and its replacement. xdist takes longer to start one.
PAUSE = 0.05


class Replacements(WaitingWorkers):
    """The replacements that wait, and how many workers may be lost."""

    def __init__(self, config: pytest.Config) -> None:
        """Replace as many workers as `config` allows."""
        super().__init__()
        self._most: int | None = get_default_max_worker_restart(config)
        self._lost = 0

    @property
    def are_disabled(self) -> bool:
        """Whether no worker is replaced."""
        return self._most == 0

    def count_loss(self) -> None:
        """Count a lost worker."""
        self._lost += 1

    def allow_loss(self) -> bool:
        """Whether one more worker that is lost would be replaced."""
        return self._most is None or self._lost < self._most

    def obstacle(self, node: WorkerController) -> str | None:
        """Return in xdist's words why this worker is not replaced after the counted losses; None if it is."""
        if self.are_disabled:
            return f"worker {node.gateway.id} crashed and worker restarting disabled"
        if self._most is not None and self._lost > self._most:
            return f"maximum crashed workers reached: {self._most}"
        return None
