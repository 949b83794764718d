"""Reopening of files after a fork, so that each process has its own file descriptions.

The hazard it handles: a forked process shares open files with its parent and siblings, including their positions. What
one worker reads is skipped in another: lines of a text, members of an archive. So files that are open for reading are
reopened under the same numbers and at the same positions, through ``/proc/self/fd``, which also works for files that
were deleted or renamed.

Not reopened are: files that are only written, because workers with separate positions would overwrite each other's
data; files with locks, which belong to the description; pipes, sockets and devices; and files that cannot be reopened.
"""

from __future__ import annotations

import contextlib
import fcntl
import stat
from pathlib import Path
from typing import NamedTuple

from rustpar import _core
from rustpar.process.system import os

# Flags that must not be used for reopening, because they concern the name or create a file.
_NAME_FLAGS = os.O_CREAT | os.O_EXCL | os.O_TRUNC | os.O_NOFOLLOW | (os.O_TMPFILE & ~os.O_DIRECTORY)

# The descriptors of the standard streams, which are inherited or replaced as a whole, and the files that they referred
# to in this process and its ancestors: capturing keeps duplicates of them.
_STANDARD = range(3)
_standard: set[tuple[int, int]] = set()


class OpenFile(NamedTuple):
    """A file description shared with the parent process, and its descriptors."""

    descriptors: list[int]
    identity: tuple[int, int]
    flags: int


def shared() -> list[OpenFile]:
    """Find the files that forks of this process should reopen; call this before the fork, or right after it."""
    found: list[OpenFile] = []
    for fd in _STANDARD:
        with contextlib.suppress(OSError):
            _standard.add(_identity(os.fstat(fd)))
    for fd in [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]:
        # OSError: the descriptor of the directory listing itself is closed by now.
        with contextlib.suppress(OSError):
            status = os.fstat(fd)
            if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
                continue
            identity, flags = _identity(status), fcntl.fcntl(fd, fcntl.F_GETFL)
            if identity in _standard or not _is_for_reading(flags) or _core.holds_lock(fd):
                continue
            for other in found:
                if other.identity == identity and _core.share_description(other.descriptors[0], fd):
                    other.descriptors.append(fd)
                    break
            else:
                found.append(OpenFile([fd], identity, flags))
    return found


def reopen(files: list[OpenFile]) -> None:
    """Replace the inherited descriptions of `files` by this process's own, unless they have changed meanwhile."""
    for file in files:
        first = file.descriptors[0]
        with contextlib.suppress(OSError):
            if _identity(os.fstat(first)) != file.identity:
                continue
            own = os.open(f"/proc/self/fd/{first}", file.flags & ~_NAME_FLAGS)
            try:
                os.lseek(own, os.lseek(first, 0, os.SEEK_CUR), os.SEEK_SET)
                for fd in file.descriptors:
                    os.dup2(own, fd, inheritable=os.get_inheritable(fd))
            finally:
                os.close(own)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _is_for_reading(flags: int) -> bool:
    """Whether reading advances the position; a bare path (`O_PATH`) has none."""
    return not flags & os.O_PATH and flags & os.O_ACCMODE != os.O_WRONLY
