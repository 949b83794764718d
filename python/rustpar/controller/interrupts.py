"""Ctrl-C, SIGTERM and SIGHUP in the controller, at a moment where they do no harm, and the end of the workers after."""

from __future__ import annotations

import atexit
import contextlib
import sys
import threading
from typing import TYPE_CHECKING

from rustpar import _core
from rustpar.process.system import os, signal

if TYPE_CHECKING:
    from collections.abc import Callable

    from rustpar.controller.nodes import WorkerController
    from rustpar.controller.worker_pool import WorkerPool
    from rustpar.forkserver.server import ForkServer
    from rustpar.terminal.reporter import DistTerminal

# Seconds within which workers should have reacted to the terminal's own Ctrl-C before they get one from us.
_REACTION = 0.2

# Seconds in which interrupted workers must have noticed, and have torn down their fixtures.
_NOTICE_LIMIT = 1.5
_TEARDOWN_LIMIT = 10.0

# Seconds in which a signal counts once: `timeout` sends it to its process, and then to the process's group.
_SAME_SIGNAL = 1.0


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


class Termination:
    """Has ``SIGTERM`` and ``SIGHUP`` end a run as Ctrl-C does, and then this process as they would have.

    Somebody else's handler stays, and an ignored signal (``nohup``) is ignored. A second one ends the process at once.
    """

    _SIGNALS = (signal.SIGTERM, signal.SIGHUP)

    def __init__(self, shared: _core.Shared) -> None:
        """Wait for the signals from now on, and tell the processes that share this memory when one has arrived."""
        self._shared = shared
        self._interrupt: Interrupt | None = None
        self._installed: list[int] = []
        self._arrived: int | None = None
        self._since = 0.0
        if threading.current_thread() is not threading.main_thread():
            return
        for number in self._SIGNALS:
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, self._note)
                self._installed.append(number)

    def note_in(self, interrupt: Interrupt) -> None:
        """Set `interrupt` off from now on, instead of raising it."""
        self._interrupt = interrupt

    def _note(self, number: int, frame: object) -> None:
        if self._arrived is None:
            self._arrived, self._since = number, _core.monotonic()
            # Where the signal has reached them, too, they wait for this word.
            self._shared.terminate()
            if self._interrupt is None:
                raise KeyboardInterrupt
            self._interrupt.arrived = True
        elif _core.monotonic() > self._since + _SAME_SIGNAL:
            self.cancel()
            os.kill(os.getpid(), number)

    def cancel(self) -> None:
        """Wait for the signals no longer."""
        for number in self._installed:
            signal.signal(number, signal.SIG_DFL)
        self._installed.clear()

    def end(self) -> None:
        """Wait no longer; if a signal has arrived, end this process by it. The last thing that pytest does."""
        self.cancel()
        if self._arrived is not None:
            # A signal ends a process without them, but this one has had its time.
            atexit._run_exitfuncs()
            for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
                with contextlib.suppress(Exception):
                    stream.flush()  # type: ignore[union-attr]
            os.kill(os.getpid(), self._arrived)


class InterruptedWorkers:
    """The workers of a run that a Ctrl-C ends."""

    def __init__(self, pool: WorkerPool, server: ForkServer, screen: DistTerminal) -> None:
        """End the workers of `pool`, by signals from `server`; what goes wrong is shown on `screen`."""
        self._pool = pool
        self._server = server
        self._screen = screen

    def end(
        self, handle_events: Callable[[], None], goes_on: Callable[[], bool], *, has_collected: Callable[[], bool]
    ) -> None:
        """End all of them, and take in what they still have to tell."""
        self._pool.stop()
        begin, signalled = _core.monotonic(), False
        # What a shell script starts in its background ignores Ctrl-C: then a running test is waited for.
        notice_limit = _TEARDOWN_LIMIT if signal.getsignal(signal.SIGINT) is signal.SIG_IGN else _NOTICE_LIMIT
        while goes_on():
            handle_events()
            elapsed = _core.monotonic() - begin
            unaware = [node for node in self._pool.active if not self._knows(node)]
            if elapsed > _REACTION and not signalled:
                signalled = True
                self._signal(unaware, has_collected=has_collected())
            if elapsed > (_TEARDOWN_LIMIT if len(unaware) < len(self._pool.active) else notice_limit):
                break
        if goes_on():
            names = ", ".join(sorted(node.gateway.id for node in self._pool.active)) or "the template"
            self._screen.notice(f"{names} did not react to the interrupt in time and will be killed")
            self._pool.note_killing()
            self._server.kill()

    def _signal(self, nodes: list[WorkerController], *, has_collected: bool) -> None:
        """Interrupt workers that the terminal's own Ctrl-C has not reached, or the template while it collects."""
        for node in nodes:
            self._server.signal_worker(node.number, signal.SIGINT)
        if not has_collected:
            self._server.signal_template(signal.SIGINT)

    def _knows(self, node: WorkerController) -> bool:
        return node.slot is not None and self._server.shared.interrupted(node.slot)
