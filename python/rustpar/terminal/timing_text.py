"""Where the time of a run went, in words: slow tests, percentiles, workers, the bound, and thresholds.

Lines for a terminal, made from what :class:`rustpar._core.Timing` knows of a run: at its end, or later from its
journal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rustpar._core import counted, spoken
from rustpar.terminal.table import aligned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rustpar import _core

# A slow test that took so many times its usual time is shown in another colour.
_STANDS_OUT = 2.0

# Slow tests that are listed. Where more are slow, the limit is too low, and a longer list would hide the failures.
_MOST_SLOW = 25

_PHASES = ("tests", "set-up", "call", "teardown")


def slow_lines(timing: _core.Timing, place: Callable[[str], str]) -> Iterator[tuple[str, bool]]:
    """The slow tests, the longest first.

    Args:
        timing: The run.
        place: What a node id is shown as.

    Yields:
        Lines, and whether each is of a test that took far longer than usual; nothing without slow tests. Where there
        are many, the last line says how many are not listed.
    """
    found = timing.slow()
    if not found:
        return
    rows: list[tuple[str, ...]] = [("whole", *_PHASES[1:], "worker", "", "test")]
    stand_out = [False]
    for node_id, worker, whole, times, phases in found[:_MOST_SLOW]:
        usual = "" if times is None else f"{times:.1f}x its usual"
        rows.append((spoken(whole), *map(_or_nothing, phases), worker, usual, place(node_id)))
        stand_out.append(times is not None and times >= _STANDS_OUT)
    yield from zip(aligned(rows, left=(4, 6)), stand_out, strict=True)
    if len(found) > _MOST_SLOW:
        yield f"and {len(found) - _MOST_SLOW} more", False


def timing_lines(timing: _core.Timing, place: Callable[[str], str]) -> Iterator[str]:
    """Percentiles, and where workers ran the tests, what these did and how close the run came to its bound.

    Args:
        timing: The run.
        place: What a node id is shown as.

    Yields:
        Lines; nothing when no test ran.
    """
    yield from percentile_lines(timing)
    workers = timing.workers()
    if workers and workers[0][0] != "main":
        yield ""
        yield from aligned([("worker", "tests", "busy", "", "set-up", "shared fixtures", "idle"), *_rows(workers)])
        yield from bound_lines(timing, place)


def percentile_lines(timing: _core.Timing) -> Iterator[str]:
    """Percentiles of durations, whole and by phase; nothing when no test ran."""
    percentiles = timing.percentiles()
    if any(percentiles):
        rows = [
            (name, str(row[0]), *map(spoken, row[1:]))
            for name, row in zip(_PHASES, percentiles, strict=True)
            if row is not None
        ]
        yield from aligned([("", "count", "p50", "p95", "p99", "max"), *rows])


def _rows(workers: Sequence[tuple[str, int, float, float, float, float]]) -> Iterator[tuple[str, ...]]:
    for name, tests, busy, set_up, shared, idle in workers:
        share = round(100 * busy / (busy + idle)) if busy + idle else 0
        yield (name, str(tests), spoken(busy), f"{share} %", spoken(set_up), spoken(shared), spoken(idle))


def bound_lines(timing: _core.Timing, place: Callable[[str], str]) -> Iterator[str]:
    """How close the run came to what it could not be shorter than, and why; nothing where there is no such bound."""
    bound = timing.bound()
    if bound is None:
        return
    took, least, even, workers, kind, name, tests = bound
    above = round((took / least - 1) * 100) if least else 0
    yield f"tests ran for {spoken(took)}; lower bound {spoken(least)} ({above} % above)"
    rest = f"everything divided by {counted(workers, 'worker')} would be {spoken(even)}"
    decided = {
        "work": "the work as a whole",
        "test": f"{place(name)} alone takes {spoken(least)}",
        "group": f"{name} ({counted(tests, 'test')}) alone takes {spoken(least)}",
        "serial": f"nothing runs beside {counted(tests, 'serial test')}",
    }
    yield f"what decides it: {decided[kind]}; {rest}"


def threshold_lines(judgements: Sequence[dict[str, Any]]) -> Iterator[tuple[str, bool]]:
    """What became of thresholds: a line each, and whether it is broken."""
    if judgements:
        rows = [("broken" if one["broken"] else "kept", one["text"], one["value"]) for one in judgements]
        yield from zip(aligned(rows, left=(0, 1)), (one["broken"] for one in judgements), strict=True)


def _or_nothing(seconds: float | None) -> str:
    return "" if seconds is None else spoken(seconds)
