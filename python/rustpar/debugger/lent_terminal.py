"""The worker's side: a test that a debugger stops asks for the terminal, and gives it back when it goes on.

While it has the terminal, the worker is a process group of its own in the foreground: Ctrl-C reaches the debugger and
no other process of the run.

The hazard it handles: standard input, output and error may be captured, suspended or neither when the debugger starts,
and the debugger changes that itself. So the terminal takes the place of what pytest restores when it suspends
capturing, and of descriptors that are not captured.
"""

from __future__ import annotations

import contextlib
import io
import termios
from typing import TYPE_CHECKING, Any, TextIO

import pytest

from rustpar import _core
from rustpar.compat import debugging
from rustpar.compat.capture import descriptor_captures, is_suspended
from rustpar.process import forking
from rustpar.process.system import os, signal

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

NAME = "rustpar-debugger"

_STREAMS = (0, 1, 2)

# Seconds between checks whether the terminal is free.
_POLL_INTERVAL = 0.01


class LentTerminal:
    """The terminal, while a debugger in this worker has it."""

    def __init__(self, config: pytest.Config) -> None:
        """Ask for the terminal whenever a debugger starts in a test of this worker."""
        self._config = config
        self._line: _core.Line | None = None
        self._node_id = ""
        self._terminal: int | None = None
        # Descriptors that were replaced, and duplicates of what they were.
        self._replaced: dict[int, int] = {}
        self._group = 0
        self._settings: list[Any] = []
        debugging.call_before_debugging(self._take)

    def use(self, line: _core.Line) -> None:
        """Set the line to the controller."""
        self._line = line

    def _take(self) -> None:
        """Wait for the terminal, if this worker does not have it."""
        line = self._line
        if self._terminal is not None or line is None or not line.is_own():
            return
        line.message(line.DEBUGGER, self._node_id)
        while not line.has_terminal():
            if not line.may_start():
                raise pytest.exit.Exception("the run has ended before the debugger could start")
            _core.sleep(_POLL_INTERVAL)
        try:
            terminal = self._terminal = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            line.return_terminal()
            return
        self._group = os.getpgrp()
        self._settings = termios.tcgetattr(terminal)
        os.setpgid(0, 0)
        self._set_foreground(terminal, os.getpgrp())
        self._replace_streams(terminal)

    @staticmethod
    def _set_foreground(terminal: int, group: int) -> None:
        """Make a process group that of the terminal, whether this process is in the foreground or not."""
        before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        try:
            os.tcsetpgrp(terminal, group)
        finally:
            signal.signal(signal.SIGTTOU, before)

    def _replace_streams(self, terminal: int) -> None:
        captures = descriptor_captures(self._config)
        for fd in _STREAMS:
            capture = captures.get(fd)
            if capture is not None:
                self._replace(capture.targetfd_save, terminal)
            if capture is None or is_suspended(capture):
                self._replace(fd, terminal)

    def _replace(self, fd: int, terminal: int) -> None:
        self._replaced[fd] = os.dup(fd)
        os.dup2(terminal, fd)

    def give_back(self) -> None:
        """Give the terminal back, if this worker has it."""
        if self._terminal is None or self._line is None or not self._line.is_own():
            return
        forking.flush()
        captures = descriptor_captures(self._config)
        for fd, saved in self._replaced.items():
            os.dup2(saved, fd)
        for fd in _STREAMS:
            capture = captures.get(fd)
            if capture is not None and is_suspended(capture):
                # It was captured when the debugger started, and is not now.
                os.dup2(capture.targetfd_save, fd)
        for saved in self._replaced.values():
            os.close(saved)
        self._replaced.clear()
        with contextlib.suppress(OSError, termios.error):
            termios.tcsetattr(self._terminal, termios.TCSADRAIN, self._settings)
        with contextlib.suppress(OSError):
            self._set_foreground(self._terminal, self._group)
            os.setpgid(0, self._group)
        os.close(self._terminal)
        self._terminal = None
        self._line.return_terminal()

    @contextlib.contextmanager
    def _held(self) -> Iterator[TextIO | None]:
        """Hold the terminal; yields a file that writes to it, None if there is none."""
        self._take()
        try:
            if self._terminal is None:
                yield None
            else:
                raw = io.FileIO(os.dup(self._terminal), "w")
                with io.TextIOWrapper(raw, "utf-8", "replace", write_through=True) as file:
                    yield file
        except pytest.exit.Exception:
            # Given back when the controller has been told.
            raise
        except BaseException:
            self.give_back()
            raise
        self.give_back()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Record the test."""
        self._node_id = item.nodeid

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_exception_interact(self, node: Any) -> Generator[None, object, object]:
        """With ``--pdb``, hold the terminal while pytest shows a failure and debugs it."""
        if not self._config.option.usepdb or not isinstance(node, pytest.Item):
            return (yield)
        with self._held() as file:
            restore = None if file is None else debugging.use_writer(self._config, file)
            try:
                return (yield)
            finally:
                if restore is not None:
                    restore()

    @pytest.hookimpl(trylast=True)
    def pytest_leave_pdb(self) -> None:
        """Give the terminal back when the test goes on."""
        self.give_back()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logfinish(self) -> None:
        """Give it back at the end of the test, if that was reached step by step."""
        self.give_back()

    @pytest.hookimpl(trylast=True)
    def pytest_keyboard_interrupt(self) -> None:
        """Give it back when the debugger has been quit, and the controller has been told that the run ends."""
        self.give_back()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Give it back whatever happens."""
        self.give_back()
