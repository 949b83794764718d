"""Whether anything has changed that a warm server has imported, or that decides what it imports.

The hazard it handles: an upgraded package must never be tested with modules of the version before. Files are compared
by size, time of modification and inode; so are package directories, which every installation changes.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

_Identity = tuple[int, int, int]


class Snapshot:
    """The files and directories that were there."""

    def __init__(self, modules: Iterable[ModuleType], directories: Iterable[str], files: Iterable[str]) -> None:
        """Record the files of modules, directories of packages, what imports have read, and the interpreter."""
        paths = {os.path.realpath("/proc/self/exe"), os.path.join(sys.prefix, "pyvenv.cfg"), *directories}
        read = {os.path.abspath(file) for file in files}
        paths |= {file for file in read if not file.startswith(("/proc/", "/sys/", "/dev/"))}
        for module in modules:
            about = getattr(module, "__spec__", None)
            for path in (getattr(module, "__file__", None), getattr(about, "origin", None)):
                if isinstance(path, str) and os.path.isabs(path):
                    paths.add(path)
        for directory in list(directories):
            paths |= {
                os.path.join(directory, name) for name in _listed(directory) if name.endswith((".pth", ".egg-link"))
            }
        self._identities = {path: _identity(path) for path in sorted(paths)}
        self._real: set[str] | None = None

    def __len__(self) -> int:
        return len(self._identities)

    def is_newer(self, time: int) -> bool:
        """Whether one of them has changed since `time`, in nanoseconds since the epoch."""
        return any(_changed_at(path) >= time for path in self._identities)

    def has(self, path: str) -> bool:
        """Whether a file is one of those."""
        if self._real is None:
            self._real = {os.path.realpath(one) for one in self._identities}
        return os.path.realpath(path) in self._real

    def changed(self) -> str | None:
        """Return a path that has changed since; None if there is none."""
        for path, identity in self._identities.items():
            if _identity(path) != identity:
                return path
        return None


def _listed(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []


def _changed_at(path: str) -> int:
    try:
        return os.stat(path).st_ctime_ns
    except OSError:
        return 0


def _identity(path: str) -> _Identity | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns, status.st_ino
