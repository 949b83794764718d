"""How many workers the memory is enough for, once the template has collected.

A worker shares the template's memory until it writes to it. What it will come to need is not known, and estimated: half
of what the template has, and what workers have grown by in the last run of the same command.

The hazard it handles: a worker that finds no memory left is killed, and a test with it. But a wrong estimate makes a
run slower than it could be; so it is only made for ``-n auto``, and the run says what it has come to.
"""

from __future__ import annotations

import os
import resource
from pathlib import Path

from rustpar import _core

# Bytes that a worker needs at least. A worker of a suite of trivial tests comes to write to 6 to 10 MiB; the rest is
# for what its tests need where nothing is known of them.
_LEAST = 32 << 20


# Where a worker's output has :func:`peak`, on its way to the controller.
PEAK = "rustpar_peak"


def workers_that_fit(template: int, growth: int | None) -> tuple[int, str] | None:
    """For how many workers there is memory, at least 1, and the figures behind it; None where that cannot be told.

    Args:
        template: Bytes that the template has.
        growth: Bytes by which a worker grew beyond the template in the last run, if that is known.
    """
    left = _core.memory_left()
    if left is None:
        return None
    each = max(_LEAST, template // 2 + (growth or 0))
    return max(1, left // each), f"memory: {in_words(left)} left, {in_words(each)} each"


def resident(pid: int) -> int | None:
    """Bytes of memory that a process has, shared or not; None where that cannot be read."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def peak() -> int:
    """Bytes of memory that this process has had at most, shared or not."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def in_words(size: int) -> str:
    """A number of bytes, as people say it."""
    mebibytes = size / (1 << 20)
    return f"{mebibytes / 1024:.1f} GiB" if mebibytes >= 1000 else f"{mebibytes:.0f} MiB"
