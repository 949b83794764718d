"""Workers that start one after the other, over the duration that ``--ramp`` gives.

Worker i of n starts i/n of the duration after the first. One that is forked from the template is forked then; an early
worker starts and collects with the others, because all collections are compared, and gets its first test then.

The hazard it handles: no worker should start for nothing, so those that wait are dropped when another worker has found
nothing left to run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rustpar import _core
from rustpar.controller.waiting_workers import WaitingWorkers

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from rustpar.controller.nodes import WorkerController


class Ramp(WaitingWorkers):
    """The workers that wait for their start."""

    def __init__(self, config: pytest.Config) -> None:
        """Start workers over the duration that `config` gives."""
        super().__init__()
        option: Any = config.option
        self.seconds: float = option.ramp

    def begin(self, nodes: Sequence[WorkerController]) -> Sequence[WorkerController]:
        """Begin the ramp with these workers; return those that start at once, as the others wait."""
        if not self.seconds:
            return nodes
        now, interval = _core.monotonic(), self.seconds / len(nodes)
        for place, node in enumerate(nodes[1:], start=1):
            self.add(node, now + place * interval)
        return nodes[:1]
