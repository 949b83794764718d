"""What every process of a run is doing, printed when the controller gets SIGUSR1, or SIGINFO where that exists.

When it is answered is the business of `heeding.py`. The hazard it handles: who asks has a run that seems to hang. So
nothing is asked of a worker's interpreter, and the run goes on as if nobody had asked.
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
    from rustpar.controller.status_signals import Heeding
    from rustpar.controller.worker_pool import Crew
    from rustpar.terminal.live_block import LiveBlock
    from rustpar.terminal.reporter import DistTerminal


class OnRequest:
    """Tells what the workers, and the template while it collects, are doing.

    Attributes:
        collecting: The file that each process collects, and when it began, by the process's number.
    """

    def __init__(self, heeding: Heeding, crew: Crew, launch: Launch, screen: DistTerminal, live: LiveBlock) -> None:
        """Tell of the workers of `crew` and of the template of `launch` when `heeding` is asked."""
        self.collecting: dict[int, tuple[str, float]] = {}
        self._crew = crew
        self._launch = launch
        self._screen = screen
        self._live = live
        self._heeding = heeding

    def note_file(self, process: int, file: str) -> None:
        """A process begins to collect a file."""
        self.collecting[process] = (file, _core.monotonic())

    def answer(self, engine: _core.Engine, node_ids: Sequence[str]) -> None:
        """Print what was asked for, if it was."""
        if not self._heeding.is_asked:
            return
        self._heeding.is_asked = False
        self._screen.new_line_before_errors()
        self._live.make_way()
        status = engine.status()
        _say(f"{status.finished} of {status.tests} tests have run" if status.tests else "tests are being collected")
        running = {worker: (test, seconds) for worker, test, seconds in status.workers}
        if not status.tests and not self._launch.is_early and self._launch.template_pid is not None:
            self._tell("the template", self._launch.template_pid, self._collects(_core.Engine.TEMPLATE))
        for node in sorted(self._crew.active, key=lambda node: node.number):
            self._tell_worker(node, running.get(node.number), node_ids)

    def _tell_worker(
        self, node: WorkerController, running: tuple[int | None, float] | None, node_ids: Sequence[str]
    ) -> None:
        if node.pid is None:
            _say(f"{node.gateway.id} is being started")
        elif running is None:
            self._tell(node.gateway.id, node.pid, self._collects(node.number))
        elif running[0] is None:
            _say(f"{node.gateway.id} (process {node.pid}) has been idle for {_core.spoken(running[1])}")
        else:
            self._tell(
                node.gateway.id, node.pid, f"has been running {node_ids[running[0]]} for {_core.spoken(running[1])}"
            )

    def _collects(self, process: int) -> str:
        if process not in self.collecting:
            return "has not begun to collect"
        file, begun = self.collecting[process]
        return f"has been collecting {file} for {_core.spoken(_core.monotonic() - begun)}"

    def _tell(self, name: str, pid: int, what: str) -> None:
        """Say what a process does, with its stack below."""
        _say(f"{name} (process {pid}) {what}")
        reason = stack_dump.write_stack(pid)
        if reason is not None:
            _say(f"no stack of {name}: {reason}")


def _say(line: str) -> None:
    print(f"rustpar: {line}", file=sys.stderr, flush=True)
