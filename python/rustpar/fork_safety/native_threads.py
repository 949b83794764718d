"""Threads of native libraries, of which the interpreter knows nothing.

A thread does not survive a fork, and a library that waits in a fork for threads of its own waits for ever. The pools of
OpenBLAS do: it ends them before a fork, and starts them anew when they are needed. So those are told from all others,
by the code that a thread waits in. The hazard it handles: threads come and go at any moment. What is there for a moment
only, because it has just begun or is about to end, does not count.
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

# Libraries with threads that are prepared for a fork, by a part of their file's name.
_PREPARED = ("openblas",)

# Symbols by which the kinds of OpenBLAS tell how many threads they use, where it cannot be seen where a thread waits.
_COUNTS = tuple(
    f"{prefix}openblas_get_num_threads{suffix}" for prefix in ("", "scipy_") for suffix in ("", "64_", "_64")
)

# Libraries that every thread is in.
_BELOW = ("libc.", "libc-", "libpthread", "ld-linux", "ld-musl", "[vdso]")

# Bytes of a waiting thread's stack that are looked at: the frames of the C library's waiting, and of who called it.
_STACK = 4096

# Seconds for threads to settle. A thread that Python has joined is there for some microseconds more, on a busy machine
# for some ten milliseconds.
_SETTLE = 0.3


class Strangers(NamedTuple):
    """Threads that are neither Python's nor prepared for a fork.

    Attributes:
        number: How many.
        libraries: The names of libraries that they wait in, as far as that can be told.
    """

    number: int
    libraries: list[str]


def count() -> int:
    """How many threads this process has."""
    try:
        return Path("/proc/self/task").stat().st_nlink - 2
    except OSError:
        return 1


def strangers(expected: int = 0) -> Strangers:
    """Threads that are neither Python's nor prepared for a fork, beyond so many `expected`; looks for a moment."""
    deadline = time.monotonic() + _SETTLE
    while True:
        found = _strangers(expected)
        if found.number <= 0 or time.monotonic() > deadline:
            return found
        time.sleep(0.005)


def _strangers(expected: int) -> Strangers:
    # Each count lags behind now and then.
    known = max(len(sys._current_frames()), _thread._count() + 1)
    unknown = count() - known - expected
    if unknown <= 0:
        return Strangers(0, [])
    owners = _owners()
    if owners is None:
        return Strangers(max(0, unknown - _threads_of_openblas()), [])
    prepared = sum(any(part in owner for part in _PREPARED) for owner in owners)
    others = {
        owner
        for owner in owners
        if owner and not owner.startswith(("python", "libpython")) and not any(part in owner for part in _PREPARED)
    }
    return Strangers(max(0, unknown - prepared), sorted(others))


def _owners() -> list[str] | None:
    """The names of the libraries that other threads than the main one wait in; None where that cannot be seen."""
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
    """The library nearest on a stack that is not the C library."""
    memory.seek(stack)
    read = memory.read(_STACK)
    for address in array.array("Q", read[: len(read) // 8 * 8]):
        at = bisect_right(starts, address) - 1
        if at >= 0 and address < ends[at] and not names[at].startswith(_BELOW):
            return names[at]
    return ""


def _code() -> tuple[list[int], list[int], list[str]]:
    """Where the code of each library lies: begins and ends, ascending, and names."""
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
    """How many threads all kinds of OpenBLAS have that are there, besides the one that they are called in."""
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
            counts = [getattr(library, name)() for name in _COUNTS if hasattr(library, name)]
            total += max(counts, default=1) - 1
    return total
