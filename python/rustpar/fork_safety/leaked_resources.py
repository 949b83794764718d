"""Detection of resources left by configuring and collecting that several processes cannot use at once.

A thread does not survive a fork. A connection, an event loop, a child process or a file that is open for writing cannot
be used by several workers. A temporary file or directory that one worker removes is gone for all, and only one process
can listen on a port. The origin of resources is learnt from the interpreter's audit events (PEP 578). Whether they
still exist is checked at the end, so resources that were released in time do not count.
"""

from __future__ import annotations

import contextlib
import fcntl
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rustpar import _core
from rustpar.compat.capture import captures
from rustpar.compat.plugins import reopened_sockets
from rustpar.fork_safety import native_threads, traceback_timer
from rustpar.fork_safety.resource_origins import Origins, children
from rustpar.process import audit_hook
from rustpar.process.system import os

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    import pytest

    from rustpar.process.code_origin import CodeOrigins

_THREAD_EVENTS = ("_thread.start_new_thread", "_thread.start_joinable_thread")
_PATH_MODULES = ("os", "pathlib", "pathlib._local", "_pytest.tmpdir", "_pytest.pathlib")
_CHILD_EVENTS = ("subprocess.Popen", "os.fork", "os.posix_spawn", "os.system")

# Events that create or write paths, with the number of arguments that are paths.
_PATH_EVENTS = {"open": 1, "os.mkdir": 1, "os.rename": 2, "os.link": 2, "os.symlink": 2}

# Descriptions of descriptors without a file.
_KINDS = {
    "eventpoll": "an event loop",
    "eventfd": "an eventfd",
    "timerfd": "a timerfd",
    "inotify": "an inotify instance",
    "signalfd": "a signalfd",
    "pidfd": "a pidfd",
    "io_uring": "an io_uring",
    "fanotify": "a fanotify group",
    "userfaultfd": "a userfaultfd",
}

# Seconds for an ending thread to end, even on a busy machine.
_SETTLE = 0.3

# The maximum number of recorded actions.
_MAX_ACTIONS = 20_000


class LeakedResources:
    """Records where threads, children, sockets, files and temporary names came from."""

    def __init__(self, places: CodeOrigins) -> None:
        """Start listening; `places` finds the line of the project's code that causes an event."""
        self._place_of = place_of = places.line_outside_library
        self._places = places
        # The line that calls native code with `ctypes`; the line that has started native threads, and by which import.
        self._native_call: str | None = None
        self._thread_origin: tuple[str | None, str | None] | None = None
        self._open_before = _open_files()
        self._mapped_before = _shared_mappings()
        self._files: dict[str, str] = {}
        self._temporary: dict[str, str] = {}
        self._directories: dict[str, str] = {}
        self._actions: list[tuple[str, str, bool]] = []
        # Called with the frame that binds a socket to a free port.
        self.on_port: Callable[[FrameType], None] = lambda frame: None
        self._origins = Origins()
        self._memory: str | None = None
        self._traceback_timer = traceback_timer.TracebackTimer(place_of)
        audit_hook.install()
        _core.set_audit_listener(self._on_audit_event)

    def stop(self) -> None:
        """Stop listening."""
        _core.set_audit_listener(None)
        self._traceback_timer.put_back()

    def _on_audit_event(self, event: str, args: tuple[Any, ...]) -> None:
        frame = sys._getframe(1)
        if event.startswith("ctypes."):
            self._native_call = self._places.own_line(frame)
            return
        if event == "rustpar.threads":
            self._note_threads(frame, *args)
            return
        if event == "os.mkdir":
            # tmp_path_factory creates directories for its caller.
            frame = _caller_of_pytest_paths(frame)
        place = self._place_of(frame)
        if place is None:
            return
        self._note_action(event, args)
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
                self.on_port(frame)
        elif event in _THREAD_EVENTS:
            self._origins.note_thread(args[0], place)
        elif event in _CHILD_EVENTS:
            self._origins.note_child(place)
        elif event == "mmap.__new__":
            self._memory = place
        elif event == "socket.__new__":
            self._origins.note_socket(args[0], place)

    def _note_threads(self, frame: FrameType, event: str, about: tuple[Any, ...]) -> None:
        """Record what has started native threads: the action before `event`."""
        if _core.thread_count() <= native_threads.known_threads():
            return
        if event.startswith("ctypes."):
            self._thread_origin = self._native_call, None
        else:
            module = about[0] if event == "import" else None
            place = self._places.own_line(frame) or self._places.last_own_import()
            self._thread_origin = place, module

    def _note_action(self, event: str, args: tuple[Any, ...]) -> None:
        """Record the texts of an action that has an effect outside this process."""
        if len(self._actions) >= _MAX_ACTIONS:
            return
        if event in _PATH_EVENTS:
            for path in args[: _PATH_EVENTS[event]]:
                if isinstance(path, (str, bytes)):
                    self._actions.append(("a path", str(Path.cwd() / os.fsdecode(path)), True))
        elif event == "sqlite3.connect":
            self._actions.append(("a database", os.fsdecode(args[0]), False))
        elif event == "socket.bind" and isinstance(args[1], (str, bytes)):
            self._actions.append(("a socket's path", os.fsdecode(args[1]), False))
        elif event in ("subprocess.Popen", "os.posix_spawn", "os.system"):
            for words in args:
                self._actions += [("a command", text, False) for text in _command_texts(words)]

    def actions(self) -> Iterator[tuple[str, str]]:
        """Return descriptions of actions, each with a text that was used; of paths only those that exist."""
        return ((what, text) for what, text, is_path in self._actions if not is_path or os.path.lexists(text))

    def note_shared_memory(self, frame: FrameType) -> None:
        """Record who creates a multiprocessing lock, which is in shared memory; there is no audit event for that."""
        place = self._place_of(frame)
        if place is not None:
            self._memory = place

    def reasons(self, config: pytest.Config) -> Iterator[tuple[str | None, str]]:
        """Yield resources that must not be shared: the line that they come from, if known, and a description."""
        basetemp = config.option.basetemp
        own_directories = (
            (path, place)
            for path, place in self._directories.items()
            if basetemp is not None and path.startswith(str(basetemp) + os.sep)
        )
        for path, place in (*self._temporary.items(), *own_directories):
            if os.path.lexists(path):
                yield place, f"creates {path}"
        for thread in threading.enumerate():
            if thread is not threading.current_thread():
                yield self._origins.of_thread(thread), f"leaves the thread {thread.name} running"
        if _has_unnamed_thread():
            yield self._origins.of_thread(None), "leaves a thread running"
        is_dumping = self._traceback_timer.is_due or traceback_timer.has_timer_thread()
        if is_dumping:
            yield self._traceback_timer.place, "leaves a faulthandler timer running"
        unknown_threads = native_threads.unknown_threads(expected=int(is_dumping))
        if unknown_threads.number:
            yield self._native_place(), self._describe_native_threads(unknown_threads)
        if self._memory is not None and _shared_mappings() > self._mapped_before:
            yield self._memory, "leaves shared memory or a multiprocessing lock that all forks would share"
        for pid in children():
            yield self._origins.of_child(pid), "leaves a child process running"
        yield from self._descriptors(config)

    def _native_place(self) -> str | None:
        if self._thread_origin is not None:
            return self._thread_origin[0]
        # No event has followed the action that started the threads.
        return self._native_call or self._places.last_own_import()

    def _describe_native_threads(self, unknown_threads: native_threads.UnknownThreads) -> str:
        number = "a native thread" if unknown_threads.number == 1 else f"{unknown_threads.number} native threads"
        of = f" of {', '.join(unknown_threads.libraries)}" if unknown_threads.libraries else ""
        importing = None if self._thread_origin is None else self._thread_origin[1]
        since = f", since the import of {importing}" if importing is not None else ""
        return f"leaves {number}{of} running{since}"

    def _descriptors(self, config: pytest.Config) -> Iterator[tuple[str | None, str]]:
        log_file = getattr(config.pluginmanager.get_plugin("logging-plugin"), "log_file_handler", None)
        # Capturing duplicates descriptors, so files are compared instead of descriptor numbers.
        now = _open_files()
        reopened = reopened_sockets(config)
        harmless = {getattr(log_file, "baseFilename", None), os.devnull, *self._open_before.values()}
        harmless.update(now.get(fd) for fd in _capture_files(config))
        for fd, target in now.items():
            kind = _anonymous_kind(target)
            # Descriptors of the same kind have the same name, so these are compared by number.
            if (self._open_before.get(fd) == target) if kind is not None else (target in harmless):
                continue
            if target.startswith("socket:"):
                if fd in reopened:
                    continue
                yield self._origins.of_socket(fd), "leaves a socket open"
            elif kind is not None:
                yield (
                    None,
                    f"{_KINDS.get(kind, f'a descriptor ({kind})')} that was created during collection is still open",
                )
            elif target.startswith("pipe:"):
                yield self._origins.of_child(None), "leaves a pipe open"
            elif target.startswith("/") and not target.startswith("/dev/pts/") and _is_being_written(fd):
                name = target.removesuffix(" (deleted)")
                yield self._files.get(name), f"leaves {name} open for writing"


def _command_texts(words: object) -> list[str]:
    """Return the texts in a command's arguments, or in its environment where that differs from this process's own."""
    if isinstance(words, (str, bytes)):
        return [os.fsdecode(words)]
    if isinstance(words, dict):
        own: Any = os.environ._data  # type: ignore[attr-defined]
        words = [value for key, value in words.items() if own.get(os.fsencode(key)) != os.fsencode(value)]
    if isinstance(words, (list, tuple)):
        return [os.fsdecode(word) for word in words if isinstance(word, (str, bytes, os.PathLike))]
    return []


def _has_unnamed_thread() -> bool:
    """Whether there are threads that were started without the threading module."""
    deadline = time.monotonic() + _SETTLE
    # Each count may lag: a thread that has just ended is still counted for a moment.
    while native_threads.known_threads() > threading.active_count():
        if time.monotonic() > deadline:
            return True
        time.sleep(0.005)
    return False


def _open_files() -> dict[int, str]:
    """Return the targets of this process's descriptors."""
    found = {}
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found[int(link.name)] = str(link.readlink())
    return found


def _anonymous_kind(target: str) -> str | None:
    """Return the kind of a descriptor without a file: eventfd, timerfd, inotify and the like; None for any other."""
    prefix, _, kind = target.partition(":")
    # Since Linux 6.9 pidfds have a different form, with a number.
    return kind.strip("[]") if prefix == "anon_inode" else "pidfd" if prefix == "pidfd" else None


def _is_being_written(fd: int) -> bool:
    """Whether a file is open for writing."""
    with contextlib.suppress(OSError):
        return fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
    return False


def _capture_files(config: pytest.Config) -> Iterator[int]:
    """Yield the descriptors of the files to which output is captured; each worker opens its own."""
    for _, capture in captures(config):
        yield capture.tmpfile.fileno()


def _shared_mappings() -> int:
    """Return the number of writable memory mappings that are shared with forks."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/self/maps").read_bytes().splitlines()
        return sum(line.split(b" ", 2)[1].startswith(b"rw-s") for line in lines)
    return 0


def _caller_of_pytest_paths(frame: FrameType) -> FrameType:
    """Return the first caller outside pytest's own handling of temporary directories."""
    while frame.f_back is not None and frame.f_globals.get("__name__") in _PATH_MODULES:
        frame = frame.f_back
    return frame
