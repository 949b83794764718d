"""Handling of Ctrl-C, SIGTERM and SIGHUP in the controller at a safe moment, and termination of the workers."""

from __future__ import annotations

import atexit
import contextlib
import sys
import threading
from typing import TYPE_CHECKING

from rustpar import _core
from rustpar.process import interrupt_signal
from rustpar.process.system import os, signal

if TYPE_CHECKING:
    from collections.abc import Callable

    from rustpar.controller.nodes import WorkerController
    from rustpar.controller.worker_pool import WorkerPool
    from rustpar.forkserver.server import ForkServer
    from rustpar.terminal.reporter import DistTerminal

# Seconds for workers to react to the terminal's Ctrl-C before the controller interrupts them.
_REACTION_TIME = 0.2

# Seconds for interrupted workers to notice the interrupt, and to tear down their fixtures.
_NOTICE_LIMIT = 1.5
_TEARDOWN_LIMIT = 10.0

_TEMPLATE_SLOT = 0

# Seconds in which a repeated signal is ignored: `timeout` sends it to its process, and then to the process's group.
_SAME_SIGNAL = 1.0


class Interrupt:
    """Records a Ctrl-C instead of raising it while an event is handled; a second one is raised at once.

    An interrupted event handler could leave a test half reported.
    """

    def __init__(self) -> None:
        """Do nothing until the ``with`` block is entered."""
        self.arrived = False
        self._number = interrupt_signal.chosen()
        self._installed = False

    def __enter__(self) -> None:
        own_thread = threading.current_thread() is threading.main_thread()
        if own_thread and signal.getsignal(self._number) is signal.default_int_handler:
            signal.signal(self._number, self._note)
            self._installed = True

    def __exit__(self, *_exception: object) -> None:
        self._restore()

    def _note(self, number: int, frame: object) -> None:
        self.arrived = True
        self._restore()

    def _restore(self) -> None:
        if self._installed:
            signal.signal(self._number, signal.default_int_handler)
            self._installed = False


class Termination:
    """Makes ``SIGTERM`` and ``SIGHUP`` end a run as Ctrl-C does, and finally kill this process as they would have.

    Handlers of others are left in place, and ignored signals (``nohup``) stay ignored. A second signal kills the
    process at once.
    """

    _SIGNALS = (signal.SIGTERM, signal.SIGHUP)

    def __init__(self, shared: _core.Shared) -> None:
        """Install the handlers; when a signal arrives, tell the processes that share this memory."""
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

    def redirect_to(self, interrupt: Interrupt) -> None:
        """Set the flag of `interrupt` from now on, instead of raising KeyboardInterrupt."""
        self._interrupt = interrupt

    def _note(self, number: int, frame: object) -> None:
        if self._arrived is None:
            self._arrived, self._since = number, _core.monotonic()
            # Workers that have received the signal themselves wait for this notification.
            self._shared.terminate()
            if self._interrupt is None:
                raise KeyboardInterrupt
            self._interrupt.arrived = True
        elif _core.monotonic() > self._since + _SAME_SIGNAL:
            self.cancel()
            os.kill(os.getpid(), number)

    def cancel(self) -> None:
        """Remove the handlers."""
        for number in self._installed:
            signal.signal(number, signal.SIG_DFL)
        self._installed.clear()

    def end(self) -> None:
        """Remove the handlers; if a signal has arrived, kill this process by it. The last thing that pytest does."""
        self.cancel()
        if self._arrived is not None:
            # A process killed by a signal runs no exit functions, but this one has shut down normally.
            atexit._run_exitfuncs()
            for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
                with contextlib.suppress(Exception):
                    stream.flush()  # type: ignore[union-attr]
            os.kill(os.getpid(), self._arrived)


class InterruptedWorkers:
    """Ends the workers after a Ctrl-C."""

    def __init__(self, pool: WorkerPool, server: ForkServer, screen: DistTerminal) -> None:
        """End the workers of `pool`, with signals from `server`; errors are shown on `screen`."""
        self._pool = pool
        self._server = server
        self._screen = screen

    def end(
        self, handle_events: Callable[[], None], is_running: Callable[[], bool], *, has_collected: Callable[[], bool]
    ) -> None:
        """End all workers while handling their remaining events."""
        self._pool.stop()
        begin, signalled = _core.monotonic(), False
        while is_running():
            handle_events()
            elapsed = _core.monotonic() - begin
            unaware = [node for node in self._pool.active if not self._has_noticed(node)]
            if elapsed > _REACTION_TIME and not signalled:
                signalled = True
                self._signal(unaware, has_collected=has_collected())
            tears_down = len(unaware) < len(self._pool.active) or self._server.shared.interrupted(_TEMPLATE_SLOT)
            if elapsed > (_TEARDOWN_LIMIT if tears_down else _NOTICE_LIMIT):
                break
        if is_running():
            names = ", ".join(sorted(node.gateway.id for node in self._pool.active)) or "the template"
            self._screen.notice(f"{names} did not react to the interrupt in time and will be killed")
            self._pool.mark_killed()
            self._server.kill()

    def _signal(self, nodes: list[WorkerController], *, has_collected: bool) -> None:
        """Interrupt workers that the terminal's Ctrl-C has not reached, and the template while it collects."""
        for node in nodes:
            self._server.signal_worker(node.number, interrupt_signal.chosen())
        if not has_collected:
            self._server.signal_template(interrupt_signal.chosen())

    def _has_noticed(self, node: WorkerController) -> bool:
        return node.slot is not None and self._server.shared.interrupted(node.slot)
