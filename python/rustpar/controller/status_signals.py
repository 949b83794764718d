"""The signals that ask for the status of a run, handled in the controller from before the first conftest to its end.

In the run loop, a signal is recorded and answered between two batches of events. Outside of it, and when a second
signal arrives before the loop has answered the first, the handler itself prints what the controller is doing, with its
stack.

The hazard it handles: the run may hang, perhaps in a conftest or at its end, and without a handler the signal would
kill the process.
"""

from __future__ import annotations

import contextlib
import faulthandler
import threading
from typing import TYPE_CHECKING

import pytest

from rustpar import _core
from rustpar.process.system import os, signal

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

_SIGNALS = [getattr(signal, name) for name in ("SIGUSR1", "SIGINFO") if hasattr(signal, name)]


class StatusSignals:
    """Handles those signals that are neither handled by others nor ignored.

    Attributes:
        is_pending: Whether the run loop has yet to answer a signal.
        errors: Standard error as it was before pytest captured it; None if it was closed.
    """

    def __init__(self) -> None:
        """Install the handlers; before pytest captures standard error, to which answers are written."""
        self.is_pending = False
        self._in_loop = False
        self.errors: int | None = None
        with contextlib.suppress(OSError):
            self.errors = os.dup(2)
        self._begin("configuring")
        self._handled = []
        if threading.current_thread() is threading.main_thread():
            self._handled = [number for number in _SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
        for number in self._handled:
            signal.signal(number, self._handle)

    def close(self) -> None:
        """Remove the handlers; may be called more than once."""
        for number in self._handled:
            if signal.getsignal(number) == self._handle:
                signal.signal(number, signal.SIG_DFL)
        self._handled = []
        if self.errors is not None:
            os.close(self.errors)
            self.errors = None

    @contextlib.contextmanager
    def in_loop(self) -> Iterator[None]:
        """Let the run loop answer signals in this block."""
        self._begin("in the run loop")
        self._in_loop = True
        try:
            yield
        finally:
            self._in_loop = False
            self._begin("finishing the session")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionstart(self) -> Generator[None, object, object]:
        """Set the phase."""
        self._begin("starting the session")
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Generator[None, object, object]:
        """Set the phase, also if there was no run loop."""
        self._begin("finishing the session")
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_unconfigure(self) -> Generator[None, object, object]:
        """Set the phase."""
        self._begin("shutting down")
        return (yield)

    def _begin(self, phase: str) -> None:
        self._phase = phase
        self._begun = _core.monotonic()

    def _handle(self, number: int, frame: object) -> None:
        if self._in_loop and not self.is_pending:
            self.is_pending = True
        elif self.errors is not None:
            state = f"has been {self._phase} for {_core.spoken(_core.monotonic() - self._begun)}"
            with contextlib.suppress(OSError):
                os.write(self.errors, f"rustpar: the controller (process {os.getpid()}) {state}\n".encode())
            faulthandler.dump_traceback(self.errors)
