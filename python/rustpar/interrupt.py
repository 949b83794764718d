"""Ctrl-C in the controller, at a moment where it does no harm."""

from __future__ import annotations

import signal
import threading


class Interrupt:
    """Notes a Ctrl-C instead of raising it in the middle of an event; a second one is raised at once.

    An event that is handled half would be a test that is reported half.
    """

    def __init__(self) -> None:
        """Wait for the ``with`` block."""
        self.arrived = False
        self._installed = False

    def __enter__(self) -> None:
        own_thread = threading.current_thread() is threading.main_thread()
        if own_thread and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._note)
            self._installed = True

    def __exit__(self, *_exception: object) -> None:
        self._restore()

    def _note(self, number: int, frame: object) -> None:
        self.arrived = True
        self._restore()

    def _restore(self) -> None:
        if self._installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._installed = False
