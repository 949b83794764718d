"""The lines that have created sockets, threads and child processes, for resources that are found later."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from contextlib import suppress
from pathlib import Path
from time import CLOCK_BOOTTIME, clock_gettime
from typing import TYPE_CHECKING, Any

from rustpar import _core
from rustpar.process.system import os

if TYPE_CHECKING:
    from collections.abc import Iterator

# The maximum number of remembered starts: each test module may run a command, and only the last ones can be alive.
_MOST_CHILDREN = 10_000


class Origins:
    """Remembers which line created an object; objects that were garbage-collected are ignored."""

    def __init__(self) -> None:
        """Start empty."""
        self._sockets: list[tuple[weakref.ref[Any], str]] = []
        self._threads: list[tuple[weakref.ref[Any], str]] = []
        self._children: deque[tuple[float, str]] = deque(maxlen=_MOST_CHILDREN)
        # The last line of each kind, for objects that cannot be identified.
        self._last: dict[str, str] = {}

    def note_socket(self, socket: object, place: str) -> None:
        """Record that `place` creates a socket, which has no descriptor yet."""
        self._last["socket"] = place
        _remember(self._sockets, socket, place)

    def note_thread(self, function: object, place: str) -> None:
        """Record that `place` starts a thread that runs this function; for `threading.Thread` it is a method."""
        self._last["thread"] = place
        _remember(self._threads, getattr(function, "__self__", None), place)

    def note_child(self, place: str) -> None:
        """Record that `place` starts a child process."""
        self._children.append((clock_gettime(CLOCK_BOOTTIME), place))

    def of_socket(self, fd: int) -> str | None:
        """Return the line that has created the socket with this descriptor."""
        for socket, place in _alive(self._sockets):
            with suppress(Exception):
                if socket.fileno() == fd:
                    return place
        return self._last.get("socket")

    def of_thread(self, thread: threading.Thread | None) -> str | None:
        """Return the line that has started a thread; None stands for one that `threading` does not know."""
        for started, place in _alive(self._threads):
            if started is thread:
                return place
        return self._last.get("thread")

    def of_child(self, pid: int | None) -> str | None:
        """Return the line that has started a child process; None stands for the last one."""
        ticks = None if pid is None else _core.start_of_process(pid)
        started = None if ticks is None else ticks / os.sysconf("SC_CLK_TCK")
        for noted, place in reversed(self._children):
            if started is None or noted <= started:
                return place
        return None


def children() -> list[int]:
    """Return the main thread's child processes, including zombies."""
    with suppress(OSError):
        return [int(pid) for pid in Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()]
    return []


def _remember(made: list[tuple[weakref.ref[Any], str]], item: object, place: str) -> None:
    # None, and sockets of the C module, do not support weak references.
    with suppress(TypeError):
        made.append((weakref.ref(item), place))


def _alive(made: list[tuple[weakref.ref[Any], str]]) -> Iterator[tuple[Any, str]]:
    for reference, place in made:
        item = reference()
        if item is not None:
            yield item, place
