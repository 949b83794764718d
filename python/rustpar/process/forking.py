"""Forking this process, and ending forked processes."""

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
    """Fork this process; the caller has made sure that this is safe."""
    flush()
    wakeup = signal.set_wakeup_fd(-1)
    _set_wakeup_fd(wakeup)
    with warnings.catch_warnings():
        # Since Python 3.12 a fork warns if there are other threads, even those of native libraries.
        warnings.simplefilter("ignore", DeprecationWarning)
        with measuring.continued_in_forks():
            pid = os.fork()
    if pid == 0:
        # Python does not update the main thread's native id, which is that of the parent.
        renew: Any = getattr(threading.main_thread(), "_set_native_id", None)
        if renew is not None:
            renew()
        # asyncio resets the wakeup descriptor in every child.
        _set_wakeup_fd(wakeup)
    return pid


def _set_wakeup_fd(fd: int) -> None:
    """Set the wakeup descriptor for signals, if there is one and it is still open."""
    if fd != -1:
        with contextlib.suppress(ValueError, OSError):
            signal.set_wakeup_fd(fd)


def leave(status: int) -> NoReturn:
    """End this forked process without unwinding the stack, which belongs to the parent."""
    flush()
    # Not os._exit: with coverage.py's `patch = _exit` that would save another process's data.
    posix._exit(status)


def exit_stray_fork(*, is_failed: bool) -> NoReturn:
    """End a process that the suite has forked and that has returned into code that only its parent should continue.

    Args:
        is_failed: Whether a test has failed, which plain pytest reports by the exit status.
    """
    flush()
    # The suite's own os._exit, which it may have replaced. Exit functions are left to the parent, which may still need
    # what they remove.
    sys.modules["os"]._exit(int(is_failed))
    raise AssertionError


def flush() -> None:
    """Flush standard streams, so that a fork does not duplicate buffered output and an exit does not lose it."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
