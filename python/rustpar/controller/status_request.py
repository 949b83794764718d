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
        _say(_core.progress_line(status.finished, status.tests))
        running = {worker: (test, seconds) for worker, test, seconds in status.workers}
        if not status.tests and not self._launch.is_early and self._launch.template_pid is not None:
            self._tell("the template", self._launch.template_pid, _core.Engine.TEMPLATE)
        for node in sorted(self._crew.active, key=lambda node: node.number):
            self._tell(node.gateway.id, node.pid, node.number, running.get(node.number), node_ids)

    def _tell(
        self,
        name: str,
        pid: int | None,
        number: int,
        running: tuple[int | None, float] | None = None,
        node_ids: Sequence[str] = (),
    ) -> None:
        """Say what a process does, with its stack below where it does anything."""
        collects = runs = None
        if number in self.collecting:
            file, begun = self.collecting[number]
            collects = (file, _core.monotonic() - begun)
        if running is not None:
            test, seconds = running
            runs = (None if test is None else node_ids[test], seconds)
        _say(_core.process_line(name, pid, collects, runs))
        is_idle = runs is not None and runs[0] is None
        if pid is None or is_idle:
            return
        reason = stack_dump.write_stack(pid)
        if reason is not None:
            _say(f"no stack of {name}: {reason}")


def _say(line: str) -> None:
    print(f"rustpar: {line}", file=sys.stderr, flush=True)
