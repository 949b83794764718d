"""Memory of the workers: written to the journal while they run, and reported at the end.

A worker itself reports when its peak has grown, and in which test. The controller samples the current values.

The hazard it handles: sampling takes the controller's time, and the kernel stops a process for a moment to count its
shared pages. So it is done rarely, and the longer it takes, the more rarely.
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

# Seconds between samples of the resident memory of all workers; 7 µs each.
_INTERVAL = 0.5

# Seconds between samples of one worker's proportional memory, and the least ratio of this interval to the sample's
# duration: 0.2 % of the time. A sample takes 6 ms for 200 MiB of private memory.
_PROPORTIONAL_INTERVAL = 1.0
_PROPORTIONAL_SHARE = 500


class MemoryWatch:
    """Samples the memory of workers, and reports it."""

    def __init__(self, config: pytest.Config, dispatch: HookDispatch, screen: DistTerminal) -> None:
        """Watch the workers of the run of `config`."""
        self.config = config
        self._dispatch = dispatch
        self._screen = screen
        self._limit = limit_of(config)
        self._journal_writer = journal_writer_of(config)
        self._processes: dict[int, int] = {}
        # Workers that have reported their memory before the first test, in the order in which they are sampled next.
        self._watched: list[int] = []
        # The last measured resident bytes of each worker.
        self._last: dict[int, int] = {}
        self._next_sample = 0.0
        self._next_proportional = 0.0
        self._has_warned = False

    def handlers(self) -> dict[int, Callable[[int, Any, Any], None]]:
        """Return the handlers of memory events."""
        engine = _core.Engine
        return {engine.PEAK: self._on_peak, engine.OVER_MEMORY_LIMIT: self._on_over_memory_limit}

    def forked(self, worker: int, process: int) -> None:
        """Record a worker's process id."""
        self._processes[worker] = process

    def last_of(self, worker: int) -> int:
        """Return the resident bytes of a worker when they were last measured; 0 if they were not."""
        return self._last.get(worker, 0)

    def gone(self, node: WorkerController, status: int, running: int | None, *, finished: bool) -> None:
        """Write to the journal that a worker has exited, and the reason if it is replaced because of its memory.

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
        number = None if running is None else self._journal_writer.number_of(running)
        self._journal_writer.journal.gone(worker, how, status, running=number, why=why)

    def _on_peak(self, worker: int, test: int | None, resident: int) -> None:
        if test is not None:
            self._journal_writer.journal.peak(self._journal_writer.number_of(test), worker, resident)
            return
        self._journal_writer.journal.memory(worker, resident, None)
        self._last[worker] = resident
        self._watched.append(worker)
        if self._limit is not None and resident > self._limit and not self._has_warned:
            self._has_warned = True
            self._screen.notice(_core.limit_without_effect(resident, self._limit))

    def _on_over_memory_limit(self, worker: int, test: int, resident: int) -> None:
        self._journal_writer.journal.memory(worker, resident, None)
        self._dispatch.nodes[worker].over_limit = (test, resident)

    def sample(self) -> None:
        """Sample the memory of workers, if it is time to."""
        now = _core.monotonic()
        if now < self._next_sample:
            return
        self._next_sample = now + _INTERVAL
        for place, worker in enumerate(list(self._watched)):
            process = self._processes.get(worker)
            resident = None if process is None else _core.resident_memory(process)
            if resident is not None:
                self._last[worker] = resident
                proportional = self._sample_proportional(process, now) if place == 0 else None
                self._journal_writer.journal.memory(worker, resident, proportional)

    def _sample_proportional(self, process: int | None, now: float) -> int | None:
        """Return the proportional memory of the next worker in turn, or None if the last sample was too recent."""
        if now < self._next_proportional:
            return None
        begin = _core.monotonic()
        proportional = _core.proportional_memory(process)
        took = _core.monotonic() - begin
        self._next_proportional = now + max(_PROPORTIONAL_INTERVAL, took * _PROPORTIONAL_SHARE)
        self._watched.append(self._watched.pop(0))
        return proportional

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Report which workers were replaced, and with ``-v`` the memory of each."""
        verbosity = self.config.option.verbose
        if self._limit is None and verbosity <= 0:
            # Nothing to report, so the journal need not be read.
            return
        known = [(node, node.over_limit) for node in self._dispatch.nodes.values() if node.is_replaced]
        replaced = [
            (over_limit[1], node.gateway.id, self._dispatch.node_ids[over_limit[0]])
            for node, over_limit in known
            if over_limit is not None
        ]
        lines = _core.memory_lines(self._limit, replaced, self._journal_writer.complete_file(), verbosity)
        if lines:
            terminalreporter.write_sep("=", "memory")
            for line in lines:
                terminalreporter.write_line(line)
