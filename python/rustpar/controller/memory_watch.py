"""What the workers hold in memory: written to the journal while they run, and told in the end.

A worker tells by itself when its peak has grown, and in which test. In between, what it holds is looked up here.

The hazard it handles: looking takes time from the controller, and the kernel stops a process for a moment to count what
it shares. So that is done seldom, the more seldom the longer it takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rustpar import _core
from rustpar.process.memory import limit_of
from rustpar.recording.journal import journal_writer_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from rustpar.controller.hook_dispatch import HookDispatch
    from rustpar.controller.nodes import WorkerController
    from rustpar.terminal.reporter import DistTerminal

# Seconds between two looks at the resident memory of all workers: 7 µs each.
_INTERVAL = 0.5

# Seconds between two looks at the proportional memory of one of them, and how many times longer they are than the look
# itself: 0.2 % of the time. It takes 6 ms for 200 MiB that are the worker's own.
_PROPORTIONAL_INTERVAL = 1.0
_PROPORTIONAL_SHARE = 500


class MemoryWatch:
    """Looks at what workers hold, and tells of it."""

    def __init__(self, config: pytest.Config, dispatch: HookDispatch, screen: DistTerminal) -> None:
        """Watch the workers of the run of `config`."""
        self.config = config
        self._dispatch = dispatch
        self._screen = screen
        self._limit = limit_of(config)
        self._journal_writer = journal_writer_of(config)
        self._processes: dict[int, int] = {}
        # Workers that have said what they held before their first test, longest ago looked at first.
        self._watched: list[int] = []
        self._next_look = 0.0
        self._next_proportional = 0.0
        self._is_without_effect = False

    def handlers(self) -> dict[int, Callable[[int, Any, Any], None]]:
        """The events that concern the memory of a worker."""
        engine = _core.Engine
        return {engine.PEAK: self._on_peak, engine.OVER_MEMORY_LIMIT: self._on_over_memory_limit}

    def forked(self, worker: int, process: int) -> None:
        """A worker is there."""
        self._processes[worker] = process

    def gone(self, node: WorkerController, status: int, running: int | None, *, finished: bool) -> None:
        """A worker is gone: say so, and why another one takes its place if that is so.

        Args:
            node: The worker.
            status: Its exit code, or minus the signal that killed it.
            running: The test in which it died.
            finished: Whether its session had finished.
        """
        worker = node.number
        self._processes.pop(worker, None)
        if worker in self._watched:
            self._watched.remove(worker)
        how, why = "left" if finished else "crashed", None
        if finished and node.is_replaced and node.over_limit is not None and self._limit is not None:
            running, resident = node.over_limit
            how, why = "replaced", _core.replaced_because(resident, self._limit, self._dispatch.node_ids[running])
        self._journal_writer.journal.gone(worker, how, status, running=running, why=why)

    def _on_peak(self, worker: int, test: int | None, resident: int) -> None:
        if test is not None:
            self._journal_writer.journal.peak(test, worker, resident)
            return
        self._journal_writer.journal.memory(worker, resident, None)
        self._watched.append(worker)
        if self._limit is not None and resident > self._limit and not self._is_without_effect:
            self._is_without_effect = True
            self._screen.notice(_core.limit_without_effect(resident, self._limit))

    def _on_over_memory_limit(self, worker: int, test: int, resident: int) -> None:
        self._journal_writer.journal.memory(worker, resident, None)
        self._dispatch.nodes[worker].over_limit = (test, resident)

    def look(self) -> None:
        """Write down what the workers hold, if it is time to."""
        now = _core.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + _INTERVAL
        for place, worker in enumerate(list(self._watched)):
            process = self._processes.get(worker)
            resident = None if process is None else _core.resident_memory(process)
            if resident is not None:
                proportional = self._look_closer(process, now) if place == 0 else None
                self._journal_writer.journal.memory(worker, resident, proportional)

    def _look_closer(self, process: int | None, now: float) -> int | None:
        """The proportional memory of the worker that is first in turn, when there was time enough since the last."""
        if now < self._next_proportional:
            return None
        begin = _core.monotonic()
        proportional = _core.proportional_memory(process)
        took = _core.monotonic() - begin
        self._next_proportional = now + max(_PROPORTIONAL_INTERVAL, took * _PROPORTIONAL_SHARE)
        self._watched.append(self._watched.pop(0))
        return proportional

    # ------------------------------------------------------------------ in the end

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say which workers were replaced, and with ``-v`` what each has held."""
        verbosity = self.config.option.verbose
        if self._limit is None and verbosity <= 0:
            # Nobody has asked, and the journal need not be looked at.
            return
        known = [(node, node.over_limit) for node in self._dispatch.nodes.values() if node.is_replaced]
        replaced = [
            (over_limit[1], node.gateway.id, self._dispatch.node_ids[over_limit[0]])
            for node, over_limit in known
            if over_limit is not None
        ]
        lines = _core.memory_lines(self._limit, replaced, self._journal_writer.whole_file(), verbosity)
        if lines:
            terminalreporter.write_sep("=", "memory")
            for line in lines:
                terminalreporter.write_line(line)
