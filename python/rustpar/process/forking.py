"""Forking this process, and ending one that was forked."""

from __future__ import annotations

import contextlib
import posix
import sys
import threading
import warnings
from typing import Any, NoReturn

from rustpar.coverage import measuring
from rustpar.process.system import os, signal


def fork() -> int:
    """Fork this process; whoever asked has made sure that it may be."""
    flush()
    wakeup = signal.set_wakeup_fd(-1)
    _wake(wakeup)
    with warnings.catch_warnings():
        # Since Python 3.12 a fork warns of any other thread, those of native libraries included.
        warnings.simplefilter("ignore", DeprecationWarning)
        with measuring.going_on_after_fork():
            pid = os.fork()
    if pid == 0:
        # Python leaves the thread the number that it had in the parent.
        renew: Any = getattr(threading.main_thread(), "_set_native_id", None)
        if renew is not None:
            renew()
        # asyncio takes it away in every child.
        _wake(wakeup)
    return pid


def _wake(fd: int) -> None:
    """Have signals written to a descriptor, if there is one and it is still open."""
    if fd != -1:
        with contextlib.suppress(ValueError, OSError):
            signal.set_wakeup_fd(fd)


def leave(status: int) -> NoReturn:
    """End this forked process here; nothing of the stack that it was forked in belongs to it."""
    flush()
    # Not os._exit: coverage.py's `patch = _exit` would save there what belongs to another process.
    posix._exit(status)


def leave_stray(*, is_failed: bool) -> NoReturn:
    """End a process that the suite has forked, and that came back to where only the one it was forked from goes on.

    Args:
        is_failed: Whether a test has failed, which plain pytest tells with the status.
    """
    flush()
    # As the suite would have ended it, with what it has made of that. Exit functions, which may remove what the other
    # process needs, are left to that.
    sys.modules["os"]._exit(int(is_failed))
    raise AssertionError


def flush() -> None:
    """Write out what is buffered, so that a fork does not double it and an exit does not lose it."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
