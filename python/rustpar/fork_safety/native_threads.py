"""Detection of native libraries' threads, which the interpreter does not know.

A thread does not survive a fork, and a library that waits for its own threads after a fork waits forever. OpenBLAS is
safe: it ends its thread pools before a fork, and restarts them when needed. So its threads are distinguished from
others by the code in which a thread waits.

The hazard it handles: threads start and end at any moment. Threads that exist only briefly do not count.
"""

from __future__ import annotations

import _thread
import array
import contextlib
import sys
import time
from bisect import bisect_right
from pathlib import Path
from typing import Any, NamedTuple

from rustpar.process.system import os

# Libraries whose threads are prepared for a fork, by a part of the file name.
_PREPARED = ("openblas",)

# Functions of OpenBLAS's variants that return the number of threads, used if it cannot be seen where a thread waits.
COUNT_FUNCTIONS = tuple(
    f"{prefix}openblas_get_num_threads{suffix}" for prefix in ("", "scipy_") for suffix in ("", "64_", "_64")
)

# Libraries that are on every thread's stack.
_IGNORED = ("libc.", "libc-", "libpthread", "ld-linux", "ld-musl", "[vdso]")

# How many bytes of a waiting thread's stack are searched: the frames of the C library, and of its caller.
_STACK_SIZE = 4096

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


def count() -> int:
    """Return the number of this process's threads."""
    try:
        return Path("/proc/self/task").stat().st_nlink - 2
    except OSError:
        return 1


def unknown_threads(expected: int = 0) -> UnknownThreads:
    """Find threads that are neither Python's nor prepared for a fork, except `expected` ones; lets them settle."""
    deadline = time.monotonic() + _SETTLE
    while True:
        found = _count_unknown(expected)
        if found.number <= 0 or time.monotonic() > deadline:
            return found
        time.sleep(0.005)


def _count_unknown(expected: int) -> UnknownThreads:
    # Each count may lag for a moment.
    known = max(len(sys._current_frames()), _thread._count() + 1)
    unknown = count() - known - expected
    if unknown <= 0:
        return UnknownThreads(0, [])
    owners = _owners()
    if owners is None:
        return UnknownThreads(max(0, unknown - _threads_of_openblas()), [])
    prepared = sum(any(part in owner for part in _PREPARED) for owner in owners)
    others = {
        owner
        for owner in owners
        if owner and not owner.startswith(("python", "libpython")) and not any(part in owner for part in _PREPARED)
    }
    return UnknownThreads(max(0, unknown - prepared), sorted(others))


def _owners() -> list[str] | None:
    """Return the libraries in which threads other than the main thread wait; None if that is not visible."""
    starts, ends, names = _code()
    found = []
    try:
        with Path("/proc/self/mem").open("rb", buffering=0) as memory:
            for task in Path("/proc/self/task").iterdir():
                if int(task.name) == os.getpid():
                    continue
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    words = (task / "syscall").read_text(encoding="ascii").split()
                    found.append("" if len(words) < 3 else _owner(memory, int(words[-2], 16), starts, ends, names))
    except OSError:
        return None
    return found


def _owner(memory: Any, stack: int, starts: list[int], ends: list[int], names: list[str]) -> str:
    """Return the innermost library on a stack that is not the C library."""
    memory.seek(stack)
    read = memory.read(_STACK_SIZE)
    for address in array.array("Q", read[: len(read) // 8 * 8]):
        at = bisect_right(starts, address) - 1
        if at >= 0 and address < ends[at] and not names[at].startswith(_IGNORED):
            return names[at]
    return ""


def _code() -> tuple[list[int], list[int], list[str]]:
    """Return the address ranges of all libraries' code: starts and ends, ascending, and names."""
    starts, ends, names = [], [], []
    for line in Path("/proc/self/maps").read_text(errors="surrogateescape").splitlines():
        where, access, *_, name = line.split(maxsplit=5)
        if "x" in access and name.startswith(("/", "[vdso]")):
            begin, _, end = where.partition("-")
            starts.append(int(begin, 16))
            ends.append(int(end, 16))
            names.append(Path(name).name)
    return starts, ends, names


def _threads_of_openblas() -> int:
    """Return the number of threads of all loaded OpenBLAS libraries, except the calling threads."""
    import ctypes

    files = {
        line.split(maxsplit=5)[-1]
        for line in Path("/proc/self/maps").read_text(errors="surrogateescape").splitlines()
        if "openblas" in line
    }
    total = 0
    for file in files:
        with contextlib.suppress(OSError):
            library = ctypes.CDLL(file, mode=os.RTLD_NOLOAD | os.RTLD_NOW)
            counts = [getattr(library, name)() for name in COUNT_FUNCTIONS if hasattr(library, name)]
            total += max(counts, default=1) - 1
    return total
