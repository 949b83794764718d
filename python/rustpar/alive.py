"""What configuring and collecting has left behind that several processes cannot use at once.

A thread does not survive a fork. A connection, an event loop, a child process or a file that is being written cannot be
used by several workers. A temporary file or directory that one worker removes is gone for all, and a port can be
listened on once. Where such things come from is learnt from the interpreter's audit events (PEP 578); whether they are
still there is looked at in the end, so what was made and is gone again counts for nothing.
"""

from __future__ import annotations

import _thread
import contextlib
import fcntl
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rustpar import _core, dumping

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    import pytest

_THREAD_EVENTS = ("_thread.start_new_thread", "_thread.start_joinable_thread")
_PATH_MODULES = ("os", "pathlib", "pathlib._local", "_pytest.tmpdir", "_pytest.pathlib")
_CHILD_EVENTS = ("subprocess.Popen", "os.fork", "os.posix_spawn")


class Traces:
    """Where threads, children, sockets, files and temporary names came from."""

    def __init__(self, place_of: Callable[[FrameType], str | None]) -> None:
        """Begin to listen.

        Args:
            place_of: The place in the project's code that a frame stands for; None when it counts for nothing.
        """
        self._place_of = place_of
        self._open_before = _open_files()
        self._mapped_before = _shared_mappings()
        self._files: dict[str, str] = {}
        self._temporary: dict[str, str] = {}
        self._directories: dict[str, str] = {}
        self._ports: list[str] = []
        self._last: dict[str, str] = {}
        self._dumping = dumping.DumpingLater(place_of)
        if not _hooked:
            # It stays, and is silent when nobody listens: a hook cannot be taken back.
            sys.addaudithook(_core.audit)
            _hooked.append(True)
        _core.listen(self._heard)

    def stop(self) -> None:
        """Listen no longer."""
        _core.listen(None)
        self._dumping.put_back()

    def _heard(self, event: str, args: tuple[Any, ...]) -> None:
        frame = sys._getframe(1)
        if event == "os.mkdir":
            # Made by tmp_path_factory, for the caller of that.
            frame = _behind_pytest_paths(frame)
        place = self._place_of(frame)
        if place is None:
            return
        if event in ("open", "sqlite3.connect"):
            if isinstance(args[0], (str, bytes)):
                self._files[os.path.realpath(os.fsdecode(args[0]))] = place
        elif event.startswith("tempfile."):
            self._temporary[os.fsdecode(args[0])] = place
        elif event == "os.mkdir":
            self._directories[os.fsdecode(args[0])] = place
        elif event == "socket.bind":
            address = args[1]
            if isinstance(address, tuple) and len(address) > 1 and address[1] == 0:
                self._ports.append(place)
        elif event in _THREAD_EVENTS:
            self._last["thread"] = place
        elif event in _CHILD_EVENTS:
            self._last["child"] = place
        elif event == "mmap.__new__":
            self._last["memory"] = place
        else:
            self._last["socket"] = place

    def note_shared_memory(self, frame: FrameType) -> None:
        """Note who makes a lock between processes, which is a piece of memory; there is no event for it."""
        place = self._place_of(frame)
        if place is not None:
            self._last["memory"] = place

    def reasons(self, config: pytest.Config) -> Iterator[tuple[str | None, str]]:
        """What must not be shared: the place where it comes from, if known, and what it is."""
        basetemp = config.option.basetemp
        own_directories = (
            (path, place)
            for path, place in self._directories.items()
            if basetemp is not None and path.startswith(str(basetemp) + os.sep)
        )
        for path, place in (*self._temporary.items(), *own_directories):
            if os.path.lexists(path):
                yield place, f"makes {path}"
        for place in self._ports:
            yield place, "picks a free port"
        for thread in threading.enumerate():
            if thread is not threading.current_thread():
                yield self._last.get("thread"), f"leaves the thread {thread.name} running"
        # Those that were started without the threading module. Each count lags behind now and then.
        if max(len(sys._current_frames()), _thread._count() + 1) > threading.active_count():
            yield self._last.get("thread"), "leaves a thread running"
        if self._dumping.is_due or dumping.is_waited_for():
            yield self._dumping.place, "leaves a timer of faulthandler running"
        if "memory" in self._last and _shared_mappings() > self._mapped_before:
            yield self._last["memory"], "leaves memory mapped, or a lock, that all forks share"
        if _has_children():
            yield self._last.get("child"), "leaves a child process running"
        yield from self._descriptors(config)

    def _descriptors(self, config: pytest.Config) -> Iterator[tuple[str | None, str]]:
        log_file = getattr(config.pluginmanager.get_plugin("logging-plugin"), "log_file_handler", None)
        # Capturing duplicates descriptors: what counts is the file, not its number.
        now = _open_files()
        harmless = {getattr(log_file, "baseFilename", None), os.devnull, *self._open_before.values()}
        harmless.update(now.get(fd) for fd in _capture_files(config))
        for fd, target in now.items():
            if target in harmless:
                continue
            if target.startswith("socket:"):
                yield self._last.get("socket"), "leaves a socket open"
            elif target == "anon_inode:[eventpoll]":
                yield None, "an event loop that was made while collecting is still open"
            elif target.startswith("pipe:"):
                yield self._last.get("child"), "leaves a pipe open"
            elif target.startswith("/") and not target.startswith("/dev/pts/") and _is_being_written(fd):
                name = target.removesuffix(" (deleted)")
                yield self._files.get(name), f"leaves {name} open for writing"


# Whether this process, or one that it was forked from, has the hook.
_hooked: list[bool] = []


def _has_children() -> bool:
    children = Path(f"/proc/self/task/{threading.get_native_id()}/children")
    with contextlib.suppress(OSError):
        return bool(children.read_text())
    return False


def _open_files() -> dict[int, str]:
    """The descriptors of this process and what they stand for."""
    found = {}
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found[int(link.name)] = str(link.readlink())
    return found


def _is_being_written(fd: int) -> bool:
    """Whether a file is open for writing."""
    with contextlib.suppress(OSError):
        return fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
    return False


def _capture_files(config: pytest.Config) -> Iterator[int]:
    """The descriptors of the files that capturing writes to; each worker opens its own."""
    manager: Any = config.pluginmanager.get_plugin("capturemanager")
    capturing = getattr(manager, "_global_capturing", None)
    for capture in (getattr(capturing, "out", None), getattr(capturing, "err", None)):
        if capture is not None and hasattr(capture, "targetfd_save"):
            yield capture.tmpfile.fileno()


def _shared_mappings() -> int:
    """How many pieces of memory this process can write to that a fork would share."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/self/maps").read_bytes().splitlines()
        return sum(line.split(b" ", 2)[1].startswith(b"rw-s") for line in lines)
    return 0


def _behind_pytest_paths(frame: FrameType) -> FrameType:
    """The first caller outside pytest's own handling of temporary directories."""
    while frame.f_back is not None and frame.f_globals.get("__name__") in _PATH_MODULES:
        frame = frame.f_back
    return frame
