"""Detection of native libraries' threads, which the interpreter does not know and which do not survive a fork.

The hazard it handles: threads start and end at any moment. Threads that exist only briefly do not count.
"""

from __future__ import annotations

import _thread
import sys
import time
from typing import NamedTuple

from rustpar import _core

# Seconds for threads to settle. A thread that Python has joined still exists for some microseconds, on a busy machine
# for tens of milliseconds.
_SETTLE = 0.3


class UnknownThreads(NamedTuple):
    """Threads that are neither Python's nor prepared for a fork.

    Attributes:
        number: How many there are.
        libraries: The names of libraries that they wait in, as far as known.
    """

    number: int
    libraries: list[str]


def known_threads() -> int:
    """Return the number of Python's threads."""
    return max(len(sys._current_frames()), _thread._count() + 1)


def unknown_threads(expected: int = 0) -> UnknownThreads:
    """Find threads that are neither Python's nor prepared for a fork, except `expected` ones; lets them settle."""
    deadline = time.monotonic() + _SETTLE
    while True:
        found = UnknownThreads(*_core.unknown_threads(known_threads() + expected))
        if found.number == 0 or time.monotonic() > deadline:
            return found
        time.sleep(0.005)
