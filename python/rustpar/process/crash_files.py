"""Files with a worker's Python stack and the test's captured output, for the case that it crashes.

``faulthandler`` writes the stack, and pytest captures the output in files; both would be lost with the worker. So they
are the controller's files, which the worker opens when it starts to run tests.

The hazard it handles: a worker can crash in its first millisecond, and the data must be available then. Nothing has to
be transferred at the end, and no named file can be left behind.
"""

from __future__ import annotations

import contextlib
import faulthandler
from typing import TYPE_CHECKING

import pytest

from rustpar import _core
from rustpar.compat.capture import captures, is_suspended
from rustpar.compat.sessions import fault_handler_stderr_fd_key
from rustpar.process import unnamed_file
from rustpar.process.system import os

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# The maximum number of bytes that are shown of the stack, and of each output stream.
_MOST_STACK = 1 << 16
_MOST_OUTPUT = 1 << 18

_STACK_FD: pytest.StashKey[int] = pytest.StashKey()


class CrashFiles:
    """The controller's files for one worker."""

    def __init__(self) -> None:
        """Create the files, if the system and the suite allow three more."""
        self._files: list[int] = []
        with contextlib.suppress(Exception):
            for _ in range(3):
                self._files.append(unnamed_file.create())

    @property
    def address(self) -> list[int]:
        """The controller's process id and the descriptors, by which the worker opens the files; empty without files."""
        return [os.getpid(), *self._files] if len(self._files) == 3 else []

    def stack(self) -> str:
        """Return the Python stack of the crash, without frames of pytest; empty if there was none."""
        return _read_stack(self._files[0]) if self._files else ""

    def output(self) -> Iterator[tuple[str, str]]:
        """Yield what was captured since the last report: the name of the stream, and the text."""
        for name, file in zip(("stdout", "stderr"), self._files[1:], strict=False):
            text = _read(file, _MOST_OUTPUT, from_end=True)
            if text:
                yield name, text

    def close(self) -> None:
        """Close the files."""
        while self._files:
            os.close(self._files.pop())


def _read(file: int, most: int, *, from_end: bool) -> str:
    size = os.fstat(file).st_size
    skipped = max(0, size - most)
    text = os.pread(file, most, skipped if from_end else 0).decode(errors="replace")
    if not skipped:
        return text
    note = f"({skipped} more bytes)"
    return f"{note}\n{text}" if from_end else f"{text}\n{note}"


def _read_stack(file: int) -> str:
    return _core.shortened_stack(_read(file, _MOST_STACK, from_end=False))


class StackFile:
    """A file for the Python stack of a process that is about to be forked, if it crashes.

    The hazard it handles: workers are forks of one process, and would share a file of that.
    """

    def __init__(self, config: pytest.Config) -> None:
        """Use a file if pytest's faulthandler plugin is active."""
        self._is_wanted = config.stash.get(fault_handler_stderr_fd_key, None) is not None and faulthandler.is_enabled()
        self._file: int | None = None
        self._owner = 0

    def clear(self) -> None:
        """Forget the stack of an earlier process; have a file, if this process has none of its own."""
        if self._owner != os.getpid():
            self._owner = os.getpid()
            self._file = None
            if self._is_wanted:
                with contextlib.suppress(OSError):
                    self._file = unnamed_file.create()
        elif self._file is not None:
            os.ftruncate(self._file, 0)

    def use(self) -> None:
        """Have this process write its stack to the file."""
        if self._file is not None:
            os.lseek(self._file, 0, os.SEEK_SET)
            faulthandler.enable(file=self._file)

    def hand_over(self, config: pytest.Config) -> None:
        """Give the stack to the controller, as that of this process."""
        target = config.stash.get(_STACK_FD, None)
        if target is not None and self._file is not None:
            os.write(target, os.pread(self._file, _MOST_STACK, 0))

    def read(self) -> str:
        """Return the stack, without frames of pytest; empty if there is none."""
        return "" if self._file is None else _read_stack(self._file)


def take_output(config: pytest.Config) -> Iterator[tuple[str, str]]:
    """Yield what a process that has crashed had captured, and remove it: the name of the stream, and the text."""
    for name, capture in captures(config):
        file = capture.tmpfile.fileno()
        text = _read(file, _MOST_OUTPUT, from_end=True)
        os.ftruncate(file, 0)
        os.lseek(file, 0, os.SEEK_SET)
        if text:
            yield {"out": "stdout", "err": "stderr"}[name], text


def prepare(config: pytest.Config) -> None:
    """Have this process and its forks write the stack of a crash to a separate descriptor.

    Until `use` is called, that is a duplicate of pytest's faulthandler file, standard error. Without pytest's
    faulthandler plugin, nothing is changed.
    """
    file = config.stash.get(fault_handler_stderr_fd_key, None)
    if file is not None and faulthandler.is_enabled():
        config.stash[_STACK_FD] = own = os.dup(file)
        faulthandler.enable(file=own)


def use(config: pytest.Config, address: Sequence[int], *, keep: bool) -> None:
    """Write to the controller's files from now on, before the first test.

    Args:
        config: This worker's configuration.
        address: The files' :attr:`CrashFiles.address`.
        keep: Whether to keep output that was captured and not yet reported.
    """
    if not address:
        return
    controller, *numbers = address
    opened: list[int] = []
    try:
        for number in numbers:
            opened.append(os.open(f"/proc/{controller}/fd/{number}", os.O_RDWR | os.O_CLOEXEC))
    except OSError:
        # The system forbids access even for the same user. Then there are no crash files.
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
    """Replace pytest's capture files by `outputs`; not captures in memory (``--capture=sys``)."""
    files = dict(zip(("out", "err"), outputs, strict=True))
    for name, capture in captures(config):
        if not is_suspended(capture):
            continue
        output = files[name]
        file = capture.tmpfile.fileno()
        if keep:
            os.write(output, os.pread(file, os.fstat(file).st_size, 0))
        os.dup2(output, file, inheritable=False)
