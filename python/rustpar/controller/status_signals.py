"""The signals that ask what a run does, heeded in the controller from its first conftest to its end.

While the run loop goes on, a request is noted, and answered between two batches of events. Anywhere else, and where the
loop does not come to it, there is nobody to wait for: then the controller tells at once in what it is, with its stack.

The hazard it handles: who asks has a run that seems to hang, be it in a conftest or at its end, and a signal that
nobody heeds would be its end.
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


class Heeding:
    """Heeds the signals, where nobody else handles or ignores them.

    Attributes:
        is_asked: Whether a request waits for the run loop to answer it.
    """

    def __init__(self) -> None:
        """Begin, before pytest captures standard error."""
        self.is_asked = False
        self._in_loop = False
        self._errors: int | None = None
        with contextlib.suppress(OSError):
            self._errors = os.dup(2)
        self._begin("configuring")
        self._taken = []
        if threading.current_thread() is threading.main_thread():
            self._taken = [number for number in _SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
        for number in self._taken:
            signal.signal(number, self._note)

    def close(self) -> None:
        """Heed them no longer; again is harmless."""
        for number in self._taken:
            if signal.getsignal(number) == self._note:
                signal.signal(number, signal.SIG_DFL)
        self._taken = []
        if self._errors is not None:
            os.close(self._errors)
            self._errors = None

    @contextlib.contextmanager
    def in_loop(self) -> Iterator[None]:
        """Leave it to the run loop to answer."""
        self._begin("in the run loop")
        self._in_loop = True
        try:
            yield
        finally:
            self._in_loop = False
            self._begin("finishing the session")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionstart(self) -> Generator[None, object, object]:
        """Know what comes."""
        self._begin("starting the session")
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Generator[None, object, object]:
        """Know what comes, also where there was no run loop."""
        self._begin("finishing the session")
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_unconfigure(self) -> Generator[None, object, object]:
        """Know what comes."""
        self._begin("taking leave")
        return (yield)

    def _begin(self, phase: str) -> None:
        self._phase = phase
        self._begun = _core.monotonic()

    def _note(self, number: int, frame: object) -> None:
        if self._in_loop and not self.is_asked:
            self.is_asked = True
        elif self._errors is not None:
            about = f"has been {self._phase} for {_core.spoken(_core.monotonic() - self._begun)}"
            with contextlib.suppress(OSError):
                os.write(self._errors, f"rustpar: the controller (process {os.getpid()}) {about}\n".encode())
            faulthandler.dump_traceback(self._errors)
