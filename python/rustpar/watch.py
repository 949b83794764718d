"""What the template must not have done, if its forks are to be workers.

Under pytest-xdist each worker configures and collects for itself. Mostly it does no harm that forked workers share what
the template did; where it would, the template says so before it is forked:

- A name made from the worker's id (a database, a log file) would be gw0's in every worker. So it is watched who reads
  ``PYTEST_XDIST_WORKER`` or a key of ``workerinput`` that is not the same for all workers.
- An object that remembers the process it was made in (``filelock`` locks, for one) refuses to work in another. So it
  is watched who asks for the process id.
- A thread does not survive a fork, and a connection, an event loop, a child process or a file that is being written
  cannot be used by several workers at once. So it is looked at what is alive that was not there before.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
import sysconfig
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, KeysView
    from types import FrameType

    import pytest

# Packages that ask for the process id and keep nothing that would be wrong in a fork: pytest and its own machinery,
# coverage (file names, made when data is saved) and hypothesis (temporary names, used at once).
# pytest-cov reads the worker's id for the data it sends back, pytest-benchmark to switch itself off.
_HARMLESS = (
    "_pytest",
    "pytest_cov",
    "pytest_benchmark",
    "pluggy",
    "xdist",
    "execnet",
    "rustpar",
    "coverage",
    "hypothesis",
)


class Watch:
    """Watches a template while it configures and collects."""

    def __init__(self) -> None:
        """Begin to watch."""
        self._reason: str | None = None
        self._open_before = _open_files()
        self._getpid = os.getpid
        paths = sysconfig.get_paths()
        # Where the standard library really is: a virtual environment names a directory above its packages.
        self._library = (paths["stdlib"], "<frozen")
        self._packages = {paths["purelib"], paths["platlib"]}
        os.getpid = self._watched
        _WatchedEnvironment.note = self._note
        os.environ.__class__ = _WatchedEnvironment

    def stop(self, config: pytest.Config) -> str | None:
        """Watch no longer.

        Returns:
            Why this process must not be forked into workers, in words; None when it may.
        """
        if os.getpid == self._watched:
            os.getpid = self._getpid
        os.environ.__class__ = _Environment
        workerinput = config.workerinput  # type: ignore[attr-defined]
        if isinstance(workerinput, _WatchedInput):
            workerinput.note = _note_nothing
        return self._reason or self._alive(config)

    def _alive(self, config: pytest.Config) -> str | None:
        threads = [thread.name for thread in threading.enumerate() if thread is not threading.current_thread()]
        if threads:
            return f"the thread {threads[0]} was started while collecting and is still alive"
        children = Path(f"/proc/self/task/{threading.get_native_id()}/children")
        with contextlib.suppress(OSError):
            if children.read_text():
                return "a child process was started while collecting and is still alive"
        log_file = getattr(config.pluginmanager.get_plugin("logging-plugin"), "log_file_handler", None)
        # Capturing duplicates descriptors: what counts is the file, not its number.
        harmless = {getattr(log_file, "baseFilename", None), os.devnull, *self._open_before.values()}
        for fd, target in _open_files().items():
            if target in harmless:
                continue
            if target.startswith("socket:"):
                return "a socket was opened while collecting and is still open"
            if target == "anon_inode:[eventpoll]":
                return "an event loop was made while collecting and is still open"
            if target.startswith("/") and not target.startswith("/dev/") and _is_being_written(fd):
                return f"{target} was opened for writing while collecting and is still open"
        return None

    def _watched(self) -> int:
        self._note(sys._getframe(1), "keeps the process id")
        return self._getpid()

    def _note(self, frame: FrameType, what: str) -> None:
        if self._reason is None and not self._is_harmless(frame.f_code.co_filename):
            place = self._place(frame)
            if place is not None:
                self._reason = f"{place} {what}"

    def input_of(self, values: dict[str, Any], identity: Collection[str]) -> dict[str, Any]:
        """A ``workerinput`` that notes who reads a key in `identity`."""
        return _WatchedInput(values, self._note, frozenset(identity))

    def _is_harmless(self, file: str) -> bool:
        for packages in self._packages:
            if file.startswith(packages + os.sep):
                return Path(file).relative_to(packages).parts[0].removesuffix(".py") in _HARMLESS
        return file.startswith(self._library)

    def _place(self, frame: FrameType) -> str | None:
        """The nearest caller outside installed packages, or the caller itself; None while a package is imported.

        What a package keeps from its import it has in every program that imports it and then forks, so it copes.
        """
        caller: FrameType | None = frame
        while caller is not None:
            file = caller.f_code.co_filename
            if file.startswith(tuple(self._packages)):
                if caller.f_code.co_name == "<module>":
                    return None
            elif not file.startswith(self._library):
                return f"{os.path.relpath(file)}:{caller.f_lineno}"
            caller = caller.f_back
        return f"{frame.f_code.co_filename}:{frame.f_lineno}"


_Environment = type(os.environ)


class _WatchedEnvironment(_Environment):  # type: ignore[misc,valid-type]
    """The environment, noting who reads the worker's name.

    Looking whether there is one tells nothing about which, and copying the whole environment is for others.
    """

    note: Callable[[FrameType, str], None]
    copying = 0

    def __getitem__(self, key: str) -> str:
        if self.copying:
            type(self).copying -= 1
        elif key == "PYTEST_XDIST_WORKER":
            self.note(_reader(sys._getframe(1)), f"reads {key}")
        return super().__getitem__(key)  # type: ignore[no-any-return]

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.encodekey(key) in self._data

    def keys(self) -> KeysView[str]:
        """Called by ``dict(os.environ)``, which then gets each item."""
        type(self).copying = len(self._data)
        return super().keys()  # type: ignore[no-any-return]

    def copy(self) -> dict[str, str]:
        return {key: _Environment.__getitem__(self, key) for key in self}


def _reader(frame: FrameType) -> FrameType:
    """Who reads, past the methods that read for others."""
    while frame.f_code.co_name in ("get", "getenv", "pop", "setdefault") and frame.f_back is not None:
        frame = frame.f_back
    return frame


class _WatchedInput(dict[str, Any]):
    """``config.workerinput``, noting who reads what differs between workers."""

    def __init__(self, values: dict[str, Any], note: Callable[[FrameType, str], None], keys: frozenset[str]) -> None:
        super().__init__(values)
        self.note = note
        self._keys = keys

    def __getitem__(self, key: str) -> Any:
        if key in self._keys:
            self.note(sys._getframe(1), f"reads workerinput[{key!r}]")
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        if key in self._keys:
            self.note(sys._getframe(1), f"reads workerinput[{key!r}]")
        return super().get(key, default)


def _note_nothing(frame: FrameType, what: str) -> None:
    """After the fork, each worker may read what is its own."""


def _open_files() -> dict[int, str]:
    """The descriptors of this process and what they stand for."""
    found = {}
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found[int(link.name)] = str(link.readlink())
    return found


def _is_being_written(fd: int) -> bool:
    """Whether a file that still has a name is open for writing."""
    with contextlib.suppress(OSError):
        writable = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
        return writable and os.fstat(fd).st_nlink > 0
    return False
