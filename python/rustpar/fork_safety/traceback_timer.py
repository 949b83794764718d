"""Whether ``faulthandler`` is to dump the stacks later, by ``faulthandler.dump_traceback_later``.

A thread waits for that of which the interpreter knows nothing. The hazard it handles: in a fork that thread is gone,
and cancelling, which pytest does when a test fails, or setting the time anew, waits for its end for ever.
"""

from __future__ import annotations

import contextlib
import faulthandler
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rustpar.process.system import os, signal

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


# The signals that a thread can block, as bits of a mask: not those that the C library keeps to itself.
_BLOCKABLE = sum(1 << (number - 1) for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})

# How often a thread is looked at again, and seconds in between. To be made takes some microseconds, of which it sleeps
# at most a moment; on a busy machine it is not asleep but waits for its turn.
_LOOKS = 4
_PAUSE = 0.003

# How often one that is not asleep yet is looked at.
_MOST_LOOKS = 100


class TracebackTimer:
    """Notes who has ``faulthandler`` dump the stacks later.

    Attributes:
        is_due: Whether it has been told to, and not been told to leave it.
        place: Where that was done, if known.
    """

    def __init__(self, place_of: Callable[[FrameType], str | None]) -> None:
        """Begin to note; `place_of` is that of :class:`rustpar.fork_safety.leaked_resources.Traces`."""
        self.is_due = False
        self.place: str | None = None
        self._place_of = place_of
        self._dump, self._cancel = faulthandler.dump_traceback_later, faulthandler.cancel_dump_traceback_later
        self._noting_dump, self._noting_cancel = self._dump_later, self._cancel_dump
        faulthandler.dump_traceback_later = self._noting_dump
        faulthandler.cancel_dump_traceback_later = self._noting_cancel

    def _dump_later(self, *args: Any, **kwargs: Any) -> None:
        self._dump(*args, **kwargs)
        self.is_due, self.place = True, self._place_of(sys._getframe(1))

    def _cancel_dump(self) -> None:
        self._cancel()
        self.is_due, self.place = False, None

    def put_back(self) -> None:
        """Note nothing more, where nobody else has replaced the functions."""
        if faulthandler.dump_traceback_later is self._noting_dump:
            faulthandler.dump_traceback_later = self._dump
        if faulthandler.cancel_dump_traceback_later is self._noting_cancel:
            faulthandler.cancel_dump_traceback_later = self._cancel


def is_waited_for() -> bool:
    """Whether there is such a thread, whoever has started it.

    It blocks every signal that can be blocked, and is called like the thread that has started it. Threads of native
    libraries block none, or have names of their own. But for a moment any thread is like that, when it is being made
    and when it ends: so what counts is found asleep again and again.
    """
    found: set[int] = set()
    times = 0
    for _ in range(_MOST_LOOKS):
        alike, asleep = _waiting()
        if not alike:
            return False
        # One that has just begun is not asleep yet, on a busy machine.
        found, times = (found & asleep, times + 1) if found else (asleep, 0)
        if found and times >= _LOOKS:
            return True
        time.sleep(_PAUSE)
    return False


def _waiting() -> tuple[set[int], set[int]]:
    """The threads that block every signal and are called like the main one, and those of them that are asleep now."""
    names = {}
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError, KeyError):
            lines = (task / "status").read_text(encoding="ascii", errors="replace").splitlines()
            about = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
            blocks_all = ~int(about["SigBlk"], 16) & _BLOCKABLE == 0
            names[int(task.name)] = about["Name"], blocks_all, about["State"].startswith("S")
    own, *_ = names.pop(os.getpid(), ("", False, False))
    alike = {task for task, (name, blocks_all, _) in names.items() if blocks_all and name == own}
    return alike, {task for task in alike if names[task][2]}
