"""What a fixture that is set up once must not leave, because the workers forked afterwards could not use it.

The hazard it handles: a thread does not survive a fork, and a connection, an event loop or a lock would be used by
several processes at once. That shows late and far away: a test hangs, or gets another test's answer. Memory that only
this process changes, however large, is no problem, and neither is a process that was started.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rustpar import _core
from rustpar.fork_safety import native_threads

if TYPE_CHECKING:
    from collections.abc import Iterator

# How deep values are searched: a list of objects that hold a lock is found, the inside of a library is not.
_DEPTH = 2
_MOST_ELEMENTS = 1000

# Descriptors that belong to a connection or an event loop, by the target of their link in /proc.
_DESCRIPTORS = {
    "socket:": "a socket",
    "anon_inode:[eventpoll]": "an event loop",
    "anon_inode:[io_uring]": "an event loop",
    "/dev/nvidia": "a CUDA context",
    "/dev/kfd": "a GPU context",
}

# Modules whose objects hold locks that are prepared for a fork, or that only their owner uses.
_HARMLESS_MODULES = ("builtins", "types", "logging", "subprocess")

# Types of values, by module and name: their modules need not be imported.
_TYPES = {
    ("threading", "Thread"): "a thread",
    ("_thread", "lock"): "a lock",
    ("_thread", "RLock"): "a lock",
    ("threading", "Condition"): "a lock",
    ("threading", "Semaphore"): "a lock",
    ("threading", "Event"): "a lock",
    ("multiprocessing.synchronize", "SemLock"): "a lock",
    ("socket", "socket"): "a socket",
    ("_socket", "socket"): "a socket",
    ("ssl", "SSLSocket"): "a socket",
    ("asyncio.events", "AbstractEventLoop"): "an event loop",
    ("selectors", "BaseSelector"): "an event loop",
    ("concurrent.futures._base", "Executor"): "a pool of threads or processes",
    ("multiprocessing.pool", "Pool"): "a pool of threads or processes",
    ("sqlite3", "Connection"): "a database connection",
}

# What to do instead, for the end of the message.
_INSTEAD = {
    "a thread": "start a process instead, and return its address",
    "a socket": "return the address, and connect in each worker",
    "a lock": "return plain data or a path, and create locks in each worker",
    "an event loop": "return plain data, and create event loops in each worker",
    "a CUDA context": "load it to the CPU, and move it to the GPU in each worker",
    "a process, which only the process that has started it can wait for": "return its address or its pid",
    "a database connection": "return the path or address, and connect in each worker",
}


class ProcessState:
    """The threads and descriptors of this process, for comparison."""

    def __init__(self) -> None:
        """Record what there is."""
        self._threads = set(threading.enumerate())
        self._native = _native_threads()
        self._descriptors = _descriptors()

    def changes(self) -> Iterator[str]:
        """Yield what there is now in addition, and must not be forked."""
        for thread in threading.enumerate():
            if thread not in self._threads:
                yield f"the thread {thread.name}"
        if _native_threads() > self._native and threading.active_count() <= len(self._threads):
            yield "a thread of a native library"
        for fd, what in _descriptors().items():
            if self._descriptors.get(fd) != what:
                yield what


def _native_threads() -> int:
    return 0 if _core.thread_count() <= 1 else native_threads.unknown_threads().number


def _descriptors() -> dict[str, str]:
    """Return connections and the like, by descriptor and target."""
    found = {}
    for link in Path("/proc/self/fd").iterdir():
        try:
            target = str(link.readlink())
        except OSError:
            continue
        for prefix, what in _DESCRIPTORS.items():
            if target.startswith(prefix):
                found[f"{link.name} {target}"] = what
    return found


def part_of_value(value: object) -> str | None:
    """Return what a value holds that cannot be shared between processes; None if nothing was found."""
    if type(value).__module__ == "subprocess":
        return "a process, which only the process that has started it can wait for"
    waiting: list[tuple[object, int]] = [(value, 0)]
    seen: set[int] = set()
    while waiting and len(seen) < _MOST_ELEMENTS:
        one, depth = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        for kind in type(one).__mro__:
            what = _TYPES.get((kind.__module__, kind.__name__))
            if what is not None:
                return what
        if depth < _DEPTH:
            waiting += [(part, depth + 1) for part in _parts(one)]
    return None


def _parts(value: object) -> list[object]:
    """Return the elements of a container, or the attributes of an instance."""
    if isinstance(value, dict):
        return list(value.values())[:_MOST_ELEMENTS]
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value)[:_MOST_ELEMENTS]
    if isinstance(value, type) or callable(value) or type(value).__module__ in _HARMLESS_MODULES:
        return []
    attributes: Any = getattr(value, "__dict__", None)
    return list(attributes.values()) if isinstance(attributes, dict) else []


def advice(what: str) -> str:
    """Return what to do instead of leaving something that cannot be shared."""
    kind = "a thread" if "thread" in what else what
    return _INSTEAD.get(kind, "return plain data, a path or an address")
