"""What the workers hold in memory: written to the journal while they run, and told in the end.

A worker tells by itself when its peak has grown, and in which test. In between, what it holds is looked up here.

The hazard it handles: looking takes time from the controller, and the kernel stops a process for a moment to count what
it shares. So that is done seldom, the more seldom the longer it takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rustpar import _core
from rustpar.process.memory import LIMIT_OPTION, in_words, limit_of
from rustpar.recording.journal import journaling_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from rustpar.controller.hook_dispatch import Relay
    from rustpar.controller.nodes import WorkerController
    from rustpar.terminal.reporter import DistTerminal

# Seconds between two looks at the resident memory of all workers: 7 µs each.
_INTERVAL = 0.5

# Seconds between two looks at the proportional memory of one of them, and how many times longer they are than the look
# itself: 0.2 % of the time. It takes 6 ms for 200 MiB that are the worker's own.
_PROPORTIONAL_INTERVAL = 1.0
_PROPORTIONAL_SHARE = 500

# Lines that are shown; -vv shows all.
_MOST_WORKERS = 10
_MOST_REPLACED = 5

# Bytes of growth that are worth a name.
_LEAST_GROWTH = 1 << 20


class MemoryWatch:
    """Looks at what workers hold, and tells of it."""

    def __init__(self, config: pytest.Config, relay: Relay, screen: DistTerminal) -> None:
        """Watch the workers of the run of `config`."""
        self.config = config
        self._relay = relay
        self._screen = screen
        self._limit = limit_of(config)
        self._journaling = journaling_of(config)
        self._processes: dict[int, int] = {}
        # Workers that have said what they held before their first test, longest ago looked at first.
        self._watched: list[int] = []
        self._next_look = 0.0
        self._next_proportional = 0.0
        self._is_without_effect = False

    def handlers(self) -> dict[int, Callable[[int, Any, Any], None]]:
        """The events that concern the memory of a worker."""
        engine = _core.Engine
        return {engine.PEAK: self._on_peak, engine.OUTGROWN: self._on_outgrown}

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
        if finished and node.is_replaced and node.outgrown is not None and self._limit is not None:
            running, resident = node.outgrown
            how, after = "replaced", self._relay.node_ids[running]
            why = f"resident {in_words(resident)}, limit {in_words(self._limit)}, after {after}"
        self._journaling.journal.gone(worker, how, status, running=running, why=why)

    def _on_peak(self, worker: int, test: int | None, resident: int) -> None:
        if test is not None:
            self._journaling.journal.peak(test, worker, resident)
            return
        self._journaling.journal.memory(worker, resident, None)
        self._watched.append(worker)
        if self._limit is not None and resident > self._limit and not self._is_without_effect:
            self._is_without_effect = True
            self._screen.notice(
                f"{LIMIT_OPTION} has no effect: a worker holds {in_words(resident)} before its first test, more than "
                f"{in_words(self._limit)}; give more"
            )

    def _on_outgrown(self, worker: int, test: int, resident: int) -> None:
        self._journaling.journal.memory(worker, resident, None)
        self._relay.nodes[worker].outgrown = (test, resident)

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
                self._journaling.journal.memory(worker, resident, proportional)

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
        verbose = self.config.option.verbose
        replaced = [node for node in self._relay.nodes.values() if node.is_replaced]
        lines = self._replaced_lines(replaced)
        if verbose > 0 or (self._limit is not None and verbose >= 0):
            lines += self._table()
        if lines:
            terminalreporter.write_sep("=", "memory")
            for line in lines:
                terminalreporter.write_line(line)

    def _replaced_lines(self, nodes: list[WorkerController]) -> list[str]:
        if self._limit is None:
            return []
        if not nodes and self.config.option.verbose < 0:
            return []
        if not nodes:
            return [f"no worker was replaced for holding more than {in_words(self._limit)}"]
        known = [(node.outgrown, node.gateway.id) for node in nodes if node.outgrown is not None]
        largest = sorted(((resident, worker, test) for (test, resident), worker in known), reverse=True)
        shown = largest if self.config.option.verbose > 1 else largest[:_MOST_REPLACED]
        were = "worker was" if len(nodes) == 1 else "workers were"
        lines = [f"{len(nodes)} {were} replaced for holding more than {in_words(self._limit)}, after:"]
        lines += [f"  {self._relay.node_ids[test]} ({worker}, {in_words(held)})" for held, worker, test in shown]
        if len(shown) < len(largest):
            lines.append(f"  and {_core.counted(len(largest) - len(shown), 'more test')}; -vv shows all")
        return lines

    def _table(self) -> list[str]:
        from rustpar.terminal.table import aligned

        path = self._journaling.whole_file()
        if path is None:
            return []
        try:
            rows = sorted(_core.memory_of_run(path), key=lambda row: row[1], reverse=True)
        except ValueError as error:
            return [f"not known: {error}"]
        shown = rows if self.config.option.verbose > 1 else rows[:_MOST_WORKERS]
        head = ("worker", "peak", "proportional", "largest growth")
        lines = list(aligned([head, *map(_cells, shown)], left=(0, 3)))
        if len(shown) < len(rows):
            lines.append(f"and {_core.counted(len(rows) - len(shown), 'worker')} that held less; -vv shows all")
        return lines if rows else []


def _cells(row: tuple[str, int, int | None, tuple[str, int] | None, str | None]) -> tuple[str, str, str, str]:
    worker, peak, proportional, growth, replaced_after = row
    grown = "-"
    if growth is not None and growth[1] >= _LEAST_GROWTH:
        grown = f"{in_words(growth[1])} in {growth[0]}"
    name = worker if replaced_after is None else f"{worker} (replaced)"
    return name, in_words(peak), "-" if proportional is None else in_words(proportional), grown
