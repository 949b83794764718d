"""The status of every process of a run, printed when the controller gets SIGUSR1, or SIGINFO where that exists.

`status_signals.py` receives the signals. The hazard it handles: the run may hang. So the answer needs nothing from a
worker's interpreter, and does not affect the run.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rustpar import _core
from rustpar.process import stack_dump

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rustpar.controller.startup import Startup
    from rustpar.controller.status_signals import StatusSignals
    from rustpar.controller.worker_pool import WorkerPool
    from rustpar.terminal.live_block import LiveBlock
    from rustpar.terminal.reporter import DistTerminal


class StatusRequest:
    """Prints what the workers, and the template while it collects, are doing.

    Attributes:
        collecting: The file that each process is collecting, and since when, by the process's number.
    """

    def __init__(
        self, signals: StatusSignals, pool: WorkerPool, startup: Startup, screen: DistTerminal, live: LiveBlock
    ) -> None:
        """Prepare to print the status of the workers of `pool` and of the template of `startup`."""
        self.collecting: dict[int, tuple[str, float]] = {}
        self._pool = pool
        self._startup = startup
        self._screen = screen
        self._live = live
        self._signals = signals

    def note_file(self, process: int, file: str) -> None:
        """Record that a process has started to collect a file."""
        self.collecting[process] = (file, _core.monotonic())

    def answer(self, engine: _core.Engine, node_ids: Sequence[str]) -> None:
        """Print the status of all processes, if a signal has asked for it."""
        if not self._signals.is_pending:
            return
        self._signals.is_pending = False
        self._screen.new_line_before_errors()
        self._live.hide()
        status = engine.status()
        _print(_core.progress_line(status.finished, status.tests))
        running = {worker: (test, seconds) for worker, test, seconds in status.workers}
        if not status.tests and not self._startup.is_early and self._startup.template_pid is not None:
            self._print_process("the template", self._startup.template_pid, _core.Engine.TEMPLATE)
        for node in sorted(self._pool.active, key=lambda node: node.number):
            self._print_process(node.gateway.id, node.pid, node.number, running.get(node.number), node_ids)

    def _print_process(
        self,
        name: str,
        pid: int | None,
        number: int,
        running: tuple[int | None, float] | None = None,
        node_ids: Sequence[str] = (),
    ) -> None:
        """Print what a process does; if it is not idle, with its stack."""
        collects = runs = None
        if number in self.collecting:
            file, begun = self.collecting[number]
            collects = (file, _core.monotonic() - begun)
        if running is not None:
            test, seconds = running
            runs = (None if test is None else node_ids[test], seconds)
        _print(_core.process_line(name, pid, collects, runs))
        is_idle = runs is not None and runs[0] is None
        if pid is None or is_idle:
            return
        reason = stack_dump.write_stack(pid)
        if reason is not None:
            _print(f"could not get the stack of {name}: {reason}")


def _print(line: str) -> None:
    print(f"rustpar: {line}", file=sys.stderr, flush=True)
