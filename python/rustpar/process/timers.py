"""Interval timers and alarms, which a forked process does not inherit (fork(2)).

A conftest that sets a limit for the whole run (``signal.alarm``, ``signal.setitimer``) sets it in each worker under
pytest-xdist. So a worker begins with what was left at its template's fork; the template itself is not to be rung.
"""

from __future__ import annotations

from typing import TypeAlias

from rustpar.process.system import signal

_KINDS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)

# Seconds left, and between two signals, of each kind that is running.
Timers: TypeAlias = dict[int, tuple[float, float]]


def running() -> Timers:
    """The timers of this process that will ring."""
    found = {kind: signal.getitimer(kind) for kind in _KINDS}
    return {kind: times for kind, times in found.items() if times[0]}


def stop() -> Timers:
    """Stop the timers of this process; return what :func:`start` needs."""
    found = running()
    for kind in found:
        signal.setitimer(kind, 0)
    return found


def start(timers: Timers) -> None:
    """Have timers go on in this process."""
    for kind, (left, interval) in timers.items():
        signal.setitimer(kind, left, interval)
