"""Open files after a fork: each process gets file descriptions of its own.

The hazard it handles: a forked process shares with its parent, and with all its other children, not only open files
but the positions in them. What one worker reads is skipped in another one: lines of a text, members of an archive. So
files that are open for reading are opened again under the same numbers, at the same positions. That works by way of
``/proc/self/fd``, so also for a file that has been removed or renamed meanwhile.

Left as they are: what is only written to, where workers with positions of their own would write over each other;
what holds a lock, which belongs to the description; pipes, sockets and devices; and what may not be opened again.
"""

from __future__ import annotations

import contextlib
import fcntl
import stat
from pathlib import Path
from typing import NamedTuple

from rustpar import _core
from rustpar.process.system import os

# Flags with which a file was opened, but is not to be opened again: they are about its name, or make one.
_ABOUT_NAMES = os.O_CREAT | os.O_EXCL | os.O_TRUNC | os.O_NOFOLLOW | (os.O_TMPFILE & ~os.O_DIRECTORY)

# Descriptors of standard streams, which are inherited or replaced as a whole, and the files that they have stood for in
# this process and those that it was forked from: capturing keeps descriptors of them.
_STANDARD = range(3)
_standard: set[tuple[int, int]] = set()


class OpenFile(NamedTuple):
    """A file description that is shared with the parent process, and each of its descriptors."""

    descriptors: list[int]
    identity: tuple[int, int]
    flags: int


def shared() -> list[OpenFile]:
    """The files that forks of this process are to open again; to be called before the fork, or right after it."""
    found: list[OpenFile] = []
    for fd in _STANDARD:
        with contextlib.suppress(OSError):
            _standard.add(_identity(os.fstat(fd)))
    for fd in [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]:
        # The directory that is read here is closed by now.
        with contextlib.suppress(OSError):
            about = os.fstat(fd)
            if not (stat.S_ISREG(about.st_mode) or stat.S_ISDIR(about.st_mode)):
                continue
            identity, flags = _identity(about), fcntl.fcntl(fd, fcntl.F_GETFL)
            if identity in _standard or not _is_for_reading(flags) or _holds_lock(fd):
                continue
            for other in found:
                if other.identity == identity and _core.share_description(other.descriptors[0], fd):
                    other.descriptors.append(fd)
                    break
            else:
                found.append(OpenFile([fd], identity, flags))
    return found


def open_again(files: list[OpenFile]) -> None:
    """Give this process its own descriptions of `files`, where the parent's still are what they were."""
    for file in files:
        first = file.descriptors[0]
        with contextlib.suppress(OSError):
            if _identity(os.fstat(first)) != file.identity:
                continue
            own = os.open(f"/proc/self/fd/{first}", file.flags & ~_ABOUT_NAMES)
            try:
                os.lseek(own, os.lseek(first, 0, os.SEEK_CUR), os.SEEK_SET)
                for fd in file.descriptors:
                    os.dup2(own, fd, inheritable=os.get_inheritable(fd))
            finally:
                os.close(own)


def _identity(about: os.stat_result) -> tuple[int, int]:
    return about.st_dev, about.st_ino


def _is_for_reading(flags: int) -> bool:
    """Whether there is a position that reading moves on; a bare path (`O_PATH`) has none."""
    return not flags & os.O_PATH and flags & os.O_ACCMODE != os.O_WRONLY


def _holds_lock(fd: int) -> bool:
    """Whether a lock belongs to the description: one of flock, or of fcntl's newer kind. Older ones are a process's."""
    lines = Path(f"/proc/self/fdinfo/{fd}").read_text().splitlines()
    return any(line.startswith("lock:") and " POSIX " not in line for line in lines)
