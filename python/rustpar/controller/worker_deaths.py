"""What is known of a worker when it dies: its memory, what ran beside it, and whether the kernel needed its memory."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from rustpar import _core
from rustpar.controller.nodes import Death

if TYPE_CHECKING:
    from rustpar.controller.hook_dispatch import HookDispatch
    from rustpar.controller.memory_watch import MemoryWatch
    from rustpar.controller.nodes import WorkerController
    from rustpar.forkserver.server import ForkServer


class WorkerDeaths:
    """Gathers what is known of workers that die."""

    def __init__(self, server: ForkServer, dispatch: HookDispatch, memory: MemoryWatch) -> None:
        """Name tests as `dispatch` does; `server` has forked the workers, and `memory` has measured them."""
        self._server = server
        self._dispatch = dispatch
        self._memory = memory
        self._engine: _core.Engine
        self._kills_before = _core.memory_kills()

    def use(self, engine: _core.Engine) -> None:
        """Use the engine, which knows what each worker runs."""
        self._engine = engine

    def death_of(self, node: WorkerController, status: int, peak: int) -> Death:
        """Describe the death of a worker, from its exit status and its peak of resident bytes."""
        group, machine = (now > before for now, before in zip(_core.memory_kills(), self._kills_before, strict=True))
        beside = self.beside(node) if node.beside is None else node.beside
        has_lost_parent = status == -signal.SIGKILL and not node.is_killed and self._server.is_lost()
        memory = (self._memory.last_of(node.number), peak)
        return Death(status, memory, (group, machine), has_lost_parent, beside)

    def beside(self, node: WorkerController) -> list[tuple[str, str, float]]:
        """Return the tests that other workers are running."""
        ids = self._dispatch.node_ids
        return [
            (f"gw{worker}", ids[test], seconds)
            for worker, test, seconds in self._engine.status().workers
            if worker != node.number and test is not None
        ]
