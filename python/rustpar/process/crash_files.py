"""What a worker leaves behind when it crashes: its Python stack, and what its test had printed.

``faulthandler`` writes the stack, and pytest captures the output in files; both are gone with the worker. So they are
files of the controller, which the worker opens anew when it begins to run tests.

The hazard it handles: a worker can crash in its first millisecond, and what it leaves must be there then. Nothing is
handed over at the end, and nothing has a name that could stay behind.
"""

from __future__ import annotations

import contextlib
import faulthandler
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rustpar.compat.capture import captures, is_suspended
from rustpar.compat.sessions import fault_handler_stderr_fd_key
from rustpar.process.system import os

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Bytes of a stack, and of each kind of output, that are shown at most.
_MOST_STACK = 1 << 16
_MOST_OUTPUT = 1 << 18

# Frames of these are in every stack, and tell nothing about the crash.
_OURS = tuple(f"{os.sep}{package}{os.sep}" for package in ("_pytest", "pluggy", "rustpar", "xdist", "pytest"))

_STACK_FD: pytest.StashKey[int] = pytest.StashKey()


class CrashFiles:
    """The files of one worker, in the controller."""

    def __init__(self) -> None:
        """Make them, if the system and the suite let this process have three more."""
        self._files: list[int] = []
        with contextlib.suppress(Exception):
            for _ in range(3):
                file, path = tempfile.mkstemp(prefix="rustpar-")
                self._files.append(file)
                Path(path).unlink()

    @property
    def address(self) -> list[int]:
        """What the worker finds them by: this process, and its descriptors; empty without files."""
        return [os.getpid(), *self._files] if len(self._files) == 3 else []

    def stack(self) -> str:
        """The Python stack of the crash, without the frames of pytest; empty where there was none."""
        return "\n".join(_shortened(_read(self._files[0], _MOST_STACK, from_end=False))) if self._files else ""

    def output(self) -> Iterator[tuple[str, str]]:
        """What was captured since the last report: the name of the stream, and the text."""
        for name, file in zip(("stdout", "stderr"), self._files[1:], strict=False):
            text = _read(file, _MOST_OUTPUT, from_end=True)
            if text:
                yield name, text

    def close(self) -> None:
        """Give the files up."""
        while self._files:
            os.close(self._files.pop())


def _read(file: int, most: int, *, from_end: bool) -> str:
    size = os.fstat(file).st_size
    skipped = max(0, size - most)
    text = os.pread(file, most, skipped if from_end else 0).decode(errors="replace")
    if not skipped:
        return text
    note = f"({skipped} bytes more)"
    return f"{note}\n{text}" if from_end else f"{text}\n{note}"


def _shortened(stack: str) -> Iterator[str]:
    left_out = False
    for line in stack.rstrip().splitlines():
        is_frame = line.startswith('  File "')
        if is_frame and (line.startswith('  File "<frozen') or any(package in line for package in _OURS)):
            left_out = True
            continue
        if left_out and not is_frame:
            yield "  (frames of pytest are left out)"
            left_out = False
        yield line
    if left_out:
        yield "  (frames of pytest are left out)"


def prepare(config: pytest.Config) -> None:
    """Have this process, and those forked from it, write their stack to a descriptor of its own when they crash.

    Until there is a file to write to, that is standard error, as pytest has it. Without pytest's faulthandler, nothing
    is changed.
    """
    file = config.stash.get(fault_handler_stderr_fd_key, None)
    if file is not None and faulthandler.is_enabled():
        config.stash[_STACK_FD] = own = os.dup(file)
        faulthandler.enable(file=own)


def use(config: pytest.Config, address: Sequence[int], *, keep: bool) -> None:
    """Write to the controller's files from here on, before the first test.

    Args:
        config: This worker's configuration.
        address: The files' :attr:`CrashFiles.address`.
        keep: Whether what has been captured and not been told yet is kept.
    """
    if not address:
        return
    controller, *numbers = address
    opened: list[int] = []
    try:
        for number in numbers:
            opened.append(os.open(f"/proc/{controller}/fd/{number}", os.O_RDWR | os.O_CLOEXEC))
    except OSError:
        # A system on which even a process of the same user may not look. There is no file then, as without this.
        pass
    else:
        stack, *outputs = opened
        own = config.stash.get(_STACK_FD, None)
        if own is not None:
            os.dup2(stack, own, inheritable=False)
        _capture_in(config, outputs, keep=keep)
    finally:
        for fd in opened:
            os.close(fd)


def _capture_in(config: pytest.Config, outputs: Sequence[int], *, keep: bool) -> None:
    """Put these in the place of the files that pytest captures in; not those that are in memory (``--capture=sys``)."""
    files = dict(zip(("out", "err"), outputs, strict=True))
    for name, capture in captures(config):
        if not is_suspended(capture):
            continue
        output = files[name]
        file = capture.tmpfile.fileno()
        if keep:
            os.write(output, os.pread(file, os.fstat(file).st_size, 0))
        os.dup2(output, file, inheritable=False)
