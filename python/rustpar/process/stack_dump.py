"""Dumping the Python stack of another process of a run: on a signal, that process writes it to its standard error.

``faulthandler`` writes it without the interpreter, even in code that never returns to it. It uses the duplicate of
standard error that pytest's faulthandler plugin keeps, so no descriptor is added, and tests cannot notice the signal
through the interpreter.

The hazard it handles: a signal without a handler kills the process. It is only sent to processes that have a handler at
that moment, and a process that is about to exit ignores it.
"""

from __future__ import annotations

import faulthandler
from typing import TYPE_CHECKING

from rustpar import _core
from rustpar.compat.sessions import fault_handler_stderr_fd_key
from rustpar.process.system import os, signal

if TYPE_CHECKING:
    import pytest

# A real-time signal, because tests may use others; from the end of the range, because libraries count from its start.
_SIGNAL = signal.SIGRTMAX - 5

# Seconds for a process to write its stack. That takes about a millisecond, unless the process is stopped.
_LIMIT = 1.0

# Seconds between checks whether the stack is written, and how many consecutive checks must succeed. Between taking a
# signal and blocking the next one, a process may be descheduled, and then neither is visible.
_CHECK_INTERVAL = 0.002
_CHECKS = 5


def enable(config: pytest.Config) -> int | None:
    """Have this process and its forks write their stack on a signal, and return that; None without faulthandler."""
    file = config.stash.get(fault_handler_stderr_fd_key, None)
    if file is None:
        return None
    faulthandler.register(_SIGNAL, file=file, all_threads=True, chain=False)
    return _SIGNAL


def disable(config: pytest.Config) -> None:
    """Ignore the signal, before pytest closes the file."""
    if fault_handler_stderr_fd_key in config.stash:
        signal.signal(_SIGNAL, signal.SIG_IGN)


def write_stack(process: int) -> str | None:
    """Have a process write its stack, and wait until it has.

    Returns:
        An error message; None if the stack was written.
    """
    if not _core.is_in_mask(process, _SIGNAL, ["SigCgt"]):
        return "its faulthandler is not enabled"
    try:
        os.kill(process, _SIGNAL)
    except ProcessLookupError:
        return "it has ended"
    deadline = _core.monotonic() + _LIMIT
    idle_checks = 0
    while idle_checks < _CHECKS:
        # Either the signal is pending, or it is blocked while its handler runs.
        idle_checks = 0 if _core.is_in_mask(process, _SIGNAL, ["SigPnd", "ShdPnd", "SigBlk"]) else idle_checks + 1
        if _core.monotonic() > deadline:
            return f"no answer within {_LIMIT:.0f} s"
        _core.sleep(_CHECK_INTERVAL)
    return None
