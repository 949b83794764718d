"""The state of every process of a run, printed when the controller gets SIGUSR1, or SIGINFO where that exists.

`status_signals.py` receives the signals. The hazard it handles: whoever sends one has a run that seems to hang. So
the answer needs nothing from a worker's interpreter, and the run goes on as if nobody had asked.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rustpar import _core
from rustpar.process import stack_dump

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rustpar.controller.nodes import WorkerController
    from rustpar.controller.startup import Launch
    from rustpar.controller.status_signals import StatusSignals
    from rustpar.controller.worker_pool import Crew
    from rustpar.terminal.live_block import LiveBlock
    from rustpar.terminal.reporter import DistTerminal


class StatusRequest:
    """Prints what the workers, and the template while it collects, are doing.

    Attributes:
        collecting: The file that each process is collecting, and since when, by the process's number.
    """

    def __init__(
        self, signals: StatusSignals, crew: Crew, launch: Launch, screen: DistTerminal, live: LiveBlock
    ) -> None:
        """Prepare to print the state of the workers of `crew` and of the template of `launch`."""
        self.collecting: dict[int, tuple[str, float]] = {}
        self._crew = crew
        self._launch = launch
        self._screen = screen
        self._live = live
        self._signals = signals

    def note_file(self, process: int, file: str) -> None:
        """Remember that a process has started to collect a file."""
        self.collecting[process] = (file, _core.monotonic())

    def answer(self, engine: _core.Engine, node_ids: Sequence[str]) -> None:
        """Print the state of all processes, if a signal has asked for it."""
        if not self._signals.is_pending:
            return
        self._signals.is_pending = False
        self._screen.new_line_before_errors()
        self._live.make_way()
        status = engine.status()
        _print(f"{status.finished} of {status.tests} tests have run" if status.tests else "tests are being collected")
        running = {worker: (test, seconds) for worker, test, seconds in status.workers}
        if not status.tests and not self._launch.is_early and self._launch.template_pid is not None:
            self._print_with_stack("the template", self._launch.template_pid, self._collecting(_core.Engine.TEMPLATE))
        for node in sorted(self._crew.active, key=lambda node: node.number):
            self._print_worker(node, running.get(node.number), node_ids)

    def _print_worker(
        self, node: WorkerController, running: tuple[int | None, float] | None, node_ids: Sequence[str]
    ) -> None:
        if node.pid is None:
            _print(f"{node.gateway.id} is starting")
        elif running is None:
            self._print_with_stack(node.gateway.id, node.pid, self._collecting(node.number))
        elif running[0] is None:
            _print(f"{node.gateway.id} (process {node.pid}) has been idle for {_core.spoken(running[1])}")
        else:
            self._print_with_stack(
                node.gateway.id, node.pid, f"has been running {node_ids[running[0]]} for {_core.spoken(running[1])}"
            )

    def _collecting(self, process: int) -> str:
        if process not in self.collecting:
            return "has not started to collect"
        file, begun = self.collecting[process]
        return f"has been collecting {file} for {_core.spoken(_core.monotonic() - begun)}"

    def _print_with_stack(self, name: str, pid: int, state: str) -> None:
        """Print the state of a process, with its stack below."""
        _print(f"{name} (process {pid}) {state}")
        reason = stack_dump.write_stack(pid)
        if reason is not None:
            _print(f"could not get the stack of {name}: {reason}")


def _print(line: str) -> None:
    print(f"rustpar: {line}", file=sys.stderr, flush=True)
