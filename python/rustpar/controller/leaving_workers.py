"""Workers that are told to exit before the first test, because other processes take their place.

Plugins do not learn of their end. Their teardown is complete before those other workers start, which may use the same
resources.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rustpar import _core
from rustpar.process.system import signal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rustpar.controller.nodes import WorkerController
    from rustpar.controller.startup import Startup

# Seconds for them to exit. They only tear down what they have set up while collecting; xdist gives a gateway as long
# (EXIT_TIMEOUT).
_LIMIT = 10.0


class LeavingWorkers:
    """The workers that are told to exit and have not yet done so."""

    def __init__(self, startup: Startup) -> None:
        """Tell workers to exit that `startup` has started."""
        self._startup = startup
        self._nodes: set[WorkerController] = set()
        self._deadline = 0.0

    def dismiss(self, nodes: Iterable[WorkerController], engine: _core.Engine) -> None:
        """Tell workers of `engine` to exit."""
        self._nodes.update(nodes)
        self._deadline = _core.monotonic() + _LIMIT
        for node in self._nodes:
            self._startup.dismiss(node)
            engine.close(node.number)

    def __contains__(self, node: WorkerController) -> bool:
        """Whether a worker was told to exit."""
        return node in self._nodes

    def __bool__(self) -> bool:
        """Whether any has not exited."""
        return bool(self._nodes)

    def discard(self, node: WorkerController) -> None:
        """Record that a worker has exited."""
        self._nodes.discard(node)

    def kill_overdue(self) -> None:
        """Kill those that have not exited within the limit."""
        if self._nodes and _core.monotonic() > self._deadline:
            self._deadline = _core.monotonic() + _LIMIT
            for node in self._nodes:
                self._startup.server.signal_worker(node.number, signal.SIGKILL)
