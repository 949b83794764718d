"""The controller's side of a debugger in a worker: it lends its terminal, and waits.

Meanwhile no test starts, nothing is written to the terminal, and no time limit runs. Workers that want the terminal at
the same time get it one after the other.

The hazard it handles: the worker may die while it has the terminal, and a signal may end the run.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from rustpar import _core
from rustpar.process.system import os, signal

if TYPE_CHECKING:
    from rustpar.controller.interrupts import Interrupt
    from rustpar.controller.nodes import WorkerController
    from rustpar.forkserver.server import ForkServer
    from rustpar.terminal.live_block import LiveBlock
    from rustpar.terminal.reporter import DistTerminal

# Seconds before the next worker gets the terminal: quitting a debugger ends the run, which has to be noticed.
_PAUSE = 0.05

# Seconds between checks whether the worker has given the terminal back.
_POLL_INTERVAL = 0.01


class DebuggedWorkers:
    """The workers that want the terminal.

    Attributes:
        waited: Seconds for which debuggers have had the terminal.
    """

    def __init__(
        self,
        nodes: dict[int, WorkerController],
        server: ForkServer,
        screen: DistTerminal,
        live: LiveBlock,
        interrupt: Interrupt,
    ) -> None:
        """Lend the terminal on which `screen` and `live` write to workers of `nodes`."""
        self._nodes = nodes
        self._server = server
        self._screen = screen
        self._live = live
        self._interrupt = interrupt
        self._waiting: list[tuple[int, str]] = []
        self._due = 0.0
        self.waited = 0.0

    def request(self, worker: int, node_id: str) -> None:
        """Record that a worker wants the terminal."""
        self._waiting.append((worker, node_id))
        # From now on, no worker starts a test.
        self._server.shared.pause(True)

    def is_due(self) -> bool:
        """Whether a worker wants the terminal, and may have it."""
        return bool(self._waiting) and _core.monotonic() >= self._due

    def serve(self, *, is_stopped: bool) -> None:
        """Lend the terminal to the next one that wants it, unless the run `is_stopped`; wait until it is given back."""
        begin = _core.monotonic()
        worker, node_id = self._waiting.pop(0)
        try:
            if not is_stopped:
                self._lend(self._nodes[worker], node_id)
        finally:
            if not self._waiting:
                self._server.shared.pause(False)
            self._due = _core.monotonic() + _PAUSE
            self.waited += self._due - begin

    def _lend(self, node: WorkerController, node_id: str) -> None:
        shared, slot = self._server.shared, node.slot
        if slot is None or node.has_exited or not _is_alive(node.pid):
            return
        self._screen.notice(f"a debugger has stopped {node_id} in {node.gateway.id}; other workers start no test")
        self._screen.flush()
        self._live.hide()
        shared.lend_terminal(slot)
        while shared.has_terminal(slot) and _is_alive(node.pid) and not self._interrupt.arrived:
            _core.sleep(_POLL_INTERVAL)
        if not _is_alive(node.pid):
            _take_foreground()


def _is_alive(pid: int | None) -> bool:
    if pid is None:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _take_foreground() -> None:
    """Become the terminal's process group again, after a worker has died that was."""
    with contextlib.suppress(OSError):
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC)
        before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        try:
            os.tcsetpgrp(terminal, os.getpgrp())
        finally:
            signal.signal(signal.SIGTTOU, before)
            os.close(terminal)
