"""Interval timers and alarms, which a forked process does not inherit (fork(2)).

A conftest that sets a limit for the whole run (``signal.alarm``, ``signal.setitimer``) sets it in each worker with
pytest-xdist. So a worker starts with the time that was left at its template's fork. In the template the timers are
stopped.
"""

from __future__ import annotations

from typing import TypeAlias

from rustpar.process.system import signal

_KINDS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)

# By kind: seconds left, and the interval in seconds.
Timers: TypeAlias = dict[int, tuple[float, float]]


def running() -> Timers:
    """Return the active timers of this process."""
    found = {kind: signal.getitimer(kind) for kind in _KINDS}
    return {kind: times for kind, times in found.items() if times[0]}


def stop() -> Timers:
    """Stop the timers of this process; return what :func:`start` needs."""
    found = running()
    for kind in found:
        signal.setitimer(kind, 0)
    return found


def start(timers: Timers) -> None:
    """Start the timers in this process."""
    for kind, (left, interval) in timers.items():
        signal.setitimer(kind, left, interval)
