"""The Python stack of another process of a run, written by that process to its own standard error when a signal asks.

``faulthandler`` writes it, without the interpreter: also in code that never returns to it. The file is the duplicate of
standard error that pytest's own plugin of that name keeps, so no descriptor is added, and nothing that a test can ask
the interpreter for tells of the signal.

The hazard it handles: a signal that nobody catches ends the process. It is sent only to who catches it at that moment,
and ignored by a process that has caught it and is about to leave.
"""

from __future__ import annotations

import faulthandler
from pathlib import Path
from typing import TYPE_CHECKING

from rustpar import _core
from rustpar.compat.sessions import fault_handler_stderr_fd_key
from rustpar.process.system import os, signal

if TYPE_CHECKING:
    import pytest

# A real-time signal, as tests have their own uses for others; from the end, as libraries count from the beginning.
_NUMBER = signal.SIGRTMAX - 5

# Seconds that a process gets for writing its stack. It takes one a millisecond, unless it is stopped.
_LIMIT = 1.0

# Seconds between two looks whether it has, and how many looks in a row must say so. Between taking a signal and holding
# back the next one, a process may lose its CPU, and neither is to be seen.
_LOOK = 0.002
_LOOKS = 5


def answer(config: pytest.Config) -> None:
    """Have this process, and those forked from it, write its stack when asked; not without pytest's faulthandler."""
    file = config.stash.get(fault_handler_stderr_fd_key, None)
    if file is not None:
        faulthandler.register(_NUMBER, file=file, all_threads=True, chain=False)


def answer_no_more(config: pytest.Config) -> None:
    """Before pytest closes the file."""
    if fault_handler_stderr_fd_key in config.stash:
        signal.signal(_NUMBER, signal.SIG_IGN)


def write_stack(process: int) -> str | None:
    """Have a process write its stack, and wait until it has.

    Returns:
        Why there is no stack, in words; None when there is one.
    """
    if not _is_in_mask(process, "SigCgt"):
        return "its faulthandler is not enabled"
    try:
        os.kill(process, _NUMBER)
    except ProcessLookupError:
        return "it has ended"
    deadline = _core.monotonic() + _LIMIT
    quiet = 0
    while quiet < _LOOKS:
        # Waiting to be handled, or held back while it is being handled.
        quiet = 0 if _is_in_mask(process, "SigPnd", "ShdPnd", "SigBlk") else quiet + 1
        if _core.monotonic() > deadline:
            return f"no answer within {_LIMIT:.0f} s"
        _core.sleep(_LOOK)
    return None


def _is_in_mask(process: int, *names: str) -> bool:
    """Whether the signal is in any of these masks of a process or its first thread, as proc(5) names them."""
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    return any(int(fields[name], 16) >> (_NUMBER - 1) & 1 for name in names)
