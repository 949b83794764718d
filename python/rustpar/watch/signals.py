"""Signals of ``rustpar watch``: they end a wait, are passed on to the run that is under way, or stop both.

The hazard it handles: a signal may arrive between a look at what has arrived and the wait for more. So each is also
written to a pipe, which the wait includes.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Sequence
    from types import FrameType

    from rustpar.watch.keyboard import Keyboard

# The last one is that of Ctrl-\.
_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)

_MOST_BYTES = 4096


class Signals:
    """The signals that have arrived.

    Attributes:
        ends_by: The signal by which this process has to end.
    """

    def __init__(self, keyboard: Keyboard) -> None:
        """Handle them, unless they are ignored, as SIGHUP under nohup."""
        self.ends_by: int | None = None
        self._keyboard = keyboard
        self._is_interrupted = False
        self._is_continued = False
        self._process: subprocess.Popen[bytes] | None = None
        self._reader, writer = os.pipe()
        self._writer = writer
        for descriptor in (self._reader, writer):
            os.set_blocking(descriptor, False)
        self._wakeup_before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        self._before: dict[int, Any] = {}
        for number in (signal.SIGINT, *_ENDING):
            if signal.getsignal(number) != signal.SIG_IGN:
                self._handle(number, self._on_end)
        self._handle(signal.SIGCHLD, lambda *_: None)
        if keyboard.exists:
            self._handle(signal.SIGTSTP, self._on_stop)

    def _handle(self, number: int, handler: Any) -> None:
        self._before.setdefault(number, signal.signal(number, handler))

    def close(self) -> None:
        """Handle them as before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self._reader)
        os.close(self._writer)

    def take_interrupt(self) -> bool:
        """Return whether there was an interrupt since the last call."""
        is_interrupted, self._is_interrupted = self._is_interrupted, False
        return is_interrupted

    def take_continued(self) -> bool:
        """Return whether this process was stopped and continued since the last call."""
        is_continued, self._is_continued = self._is_continued, False
        return is_continued

    def wait(self, descriptors: Sequence[int], seconds: float) -> list[int]:
        """Wait until a descriptor is readable or a signal arrives; return the readable ones."""
        ready, _, _ = select.select([*descriptors, self._reader], [], [], seconds)
        if self._reader in ready:
            ready.remove(self._reader)
            with contextlib.suppress(BlockingIOError):
                os.read(self._reader, _MOST_BYTES)
        return ready

    @contextlib.contextmanager
    def passed_on_to(self, process: subprocess.Popen[bytes]) -> Iterator[None]:
        """Pass signals on to a run that this process has started."""
        self._process = process
        if self.ends_by is not None:
            process.send_signal(self.ends_by)
        try:
            yield
        finally:
            self._process = None
            if process.poll() is None:
                process.kill()
                process.wait()

    def _on_end(self, number: int, _frame: FrameType | None) -> None:
        process = self._process
        if number == signal.SIGINT and self._keyboard.exists:
            self._is_interrupted = True
            if process is not None and not self._keyboard.is_foreground():
                process.send_signal(number)
            return
        self.ends_by = number
        if process is not None:
            process.send_signal(number)

    def _on_stop(self, number: int, _frame: FrameType | None) -> None:
        """Stop; the run that is under way has got the same signal from the terminal."""
        self._keyboard.restore()
        handler = signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        signal.signal(number, handler)
        self._is_continued = True
