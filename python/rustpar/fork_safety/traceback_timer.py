"""Detection of a pending ``faulthandler.dump_traceback_later``.

Its timer is a thread that the interpreter does not know. The hazard it handles: in a forked process that thread does
not exist, and cancelling the timer, which pytest does when a test fails, or setting it again, waits for the thread
forever.
"""

from __future__ import annotations

import faulthandler
import sys
import time
from typing import TYPE_CHECKING, Any

from rustpar import _core
from rustpar.process.system import signal

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


# The signals that a thread can block, as a bit mask, without those reserved by the C library.
_BLOCKABLE = sum(1 << (number - 1) for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})

# How often a thread is checked again, and the seconds in between. Creating a thread takes some microseconds, in which
# it sleeps briefly at most; on a busy machine it is not asleep but waiting for a CPU.
_LOOKS = 4
_PAUSE = 0.003

# How often a thread that is not yet asleep is checked.
_MOST_LOOKS = 100


class TracebackTimer:
    """Records calls of ``faulthandler.dump_traceback_later`` and of its cancellation.

    Attributes:
        is_due: Whether a dump is pending.
        place: The line that has requested it, if known.
    """

    def __init__(self, place_of: Callable[[FrameType], str | None]) -> None:
        """Start recording; `place_of` is that of :class:`rustpar.fork_safety.leaked_resources.Traces`."""
        self.is_due = False
        self.place: str | None = None
        self._place_of = place_of
        self._dump, self._cancel = faulthandler.dump_traceback_later, faulthandler.cancel_dump_traceback_later
        self._recording_dump, self._recording_cancel = self._dump_later, self._cancel_dump
        faulthandler.dump_traceback_later = self._recording_dump
        faulthandler.cancel_dump_traceback_later = self._recording_cancel

    def _dump_later(self, *args: Any, **kwargs: Any) -> None:
        self._dump(*args, **kwargs)
        self.is_due, self.place = True, self._place_of(sys._getframe(1))

    def _cancel_dump(self) -> None:
        self._cancel()
        self.is_due, self.place = False, None

    def put_back(self) -> None:
        """Stop recording, unless the functions have been replaced again since."""
        if faulthandler.dump_traceback_later is self._recording_dump:
            faulthandler.dump_traceback_later = self._dump
        if faulthandler.cancel_dump_traceback_later is self._recording_cancel:
            faulthandler.cancel_dump_traceback_later = self._cancel


def has_timer_thread() -> bool:
    """Whether the timer's thread exists, whatever has started it.

    It blocks every signal that can be blocked, and has the name of the thread that started it. Threads of native
    libraries block no signals, or have their own names. But every thread looks like that for a moment when it starts
    and ends, so only a thread that is repeatedly found asleep counts.
    """
    found: set[int] = set()
    times = 0
    for _ in range(_MOST_LOOKS):
        alike, asleep = _core.blocking_threads(_BLOCKABLE)
        if not alike:
            return False
        # On a busy machine, a thread that has just started is not asleep yet.
        found, times = (found & asleep, times + 1) if found else (asleep, 0)
        if found and times >= _LOOKS:
            return True
        time.sleep(_PAUSE)
    return False
