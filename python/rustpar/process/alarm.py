"""A time limit for what the main thread of this process does, by an alarm.

It works for Python code and for system calls, and not in native code that does not return to the interpreter.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from rustpar.process import timers
from rustpar.process.system import signal

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def raised_after(seconds: float | None, error: BaseException) -> Iterator[None]:
    """Raise `error` in the main thread after so many seconds; not if the suite uses the alarm itself."""
    is_free = signal.getsignal(signal.SIGALRM) is signal.SIG_DFL and signal.ITIMER_REAL not in timers.running()
    if not seconds or not is_free or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(number: int, frame: object) -> None:
        raise error

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
