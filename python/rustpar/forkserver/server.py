"""The fork server: a process forked before the first conftest, from which the template and early workers are forked.

The hazard it handles: what the controller does later (loading conftests, configuring plugins, starting threads) must
not be inherited. So the fork server only forks. It has a single thread, and it dies with the controller.

The processes that it forks continue where the controller was when the fork server was forked: pytest has parsed its
command line and loaded its plugins, and loads conftests next. So no process prepares its configuration twice.
"""

from __future__ import annotations

import contextlib
import posix
import socket
import sys
from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core
from rustpar.config.values import ini_choice
from rustpar.fork_safety import traceback_timer
from rustpar.forkserver import loop
from rustpar.process import forking, interrupt_signal
from rustpar.process.inherited_state import ForkedProcess
from rustpar.process.system import os, signal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rustpar.forkserver.child import Child

# Seconds after which a process that was asked to exit is killed. xdist gives its gateways as long (EXIT_TIMEOUT).
EXIT_TIMEOUT = 10.0
# Seconds for which the controller waits for the template to take the fork server's place; after that, it goes on.
_ADOPTION_TIME = 0.1

STARTS = ("auto", "template", "early", "xdist")


def start_option(config: pytest.Config) -> str:
    """Return the start method that was asked for: one of :data:`STARTS`.

    Raises:
        pytest.UsageError: ``rustpar_start`` in the configuration file is invalid.
    """
    option: Any = config.known_args_namespace
    start: str | None = option.rustpar_start
    return start or ini_choice(config, "rustpar_start", STARTS)


def reason_not_to_fork(config: pytest.Config) -> str | None:
    """Return a short reason why workers cannot be forked here; None if they can."""
    option: Any = config.known_args_namespace
    if start_option(config) == "xdist":
        return "requested by --rustpar-start or rustpar_start"
    if not hasattr(_core, "Engine"):
        return f"forking is not safe on {sys.platform}"
    if any(spec.rpartition("*")[2] != "popen" for spec in option.tx):
        return "--tx specifies other than local processes"
    if getattr(option, "px", None):
        return "--px specifies a proxy"
    if getattr(option, "looponfail", False):
        return "--looponfail manages its own workers"
    # Threads that can run Python code.
    threads = len(sys._current_frames())
    if threads > 1:
        return f"this process already has {threads} threads, and only one survives a fork"
    return _native_thread_reason()


def _native_thread_reason() -> str | None:
    """Return a reason if this process has native threads that prevent forking, else None."""
    from rustpar.fork_safety import native_threads

    if _core.thread_count() <= 1:
        return None
    if traceback_timer.has_timer_thread():
        return "a faulthandler timer is running, and a fork cannot cancel it"
    found = native_threads.unknown_threads()
    if not found.number:
        return None
    threads = "a native thread" if found.number == 1 else f"{found.number} native threads"
    of = f" of {', '.join(found.libraries)}" if found.libraries else ""
    return f"this process already has {threads}{of}, and no thread survives a fork"


def start() -> ForkServer | Child:
    """Fork the fork server.

    Returns:
        In the controller, the fork server's handle; in each process that the fork server forks later, its child object.

    Raises:
        pytest.UsageError: Memory, descriptors or processes are exhausted; a one-line message.
    """
    controller = os.getpid()
    try:
        shared = _core.Shared()
        ours, theirs = socket.socketpair()
        ours_to_template, theirs_to_template = socket.socketpair()
        process = ForkedProcess()
        interrupt_signal.choose()
        pid = forking.fork()
    except OSError as error:
        raise pytest.UsageError(f"could not start workers: {error}; raise the limit (ulimit -a), or use -n0") from None
    if pid:
        theirs.close()
        theirs_to_template.close()
        return ForkServer(pid, ours, ours_to_template, shared)
    ours.close()
    ours_to_template.close()
    if not _core.die_with_parent(controller):
        posix._exit(0)
    # Ctrl-C reaches every process of the terminal, but the controller decides which processes are interrupted.
    interrupts = interrupt_signal.ignore()
    shared.interrupt_at_termination(interrupt_signal.chosen())
    process.reopen_files()
    # Imported while there is time, because the forked processes need it; it depends on nothing of the run.
    from rustpar.forkserver.child import Child

    process.prepare()
    request = loop.ForkLoop(theirs, theirs, shared).serve()
    if request is None:
        forking.leave(0)
    interrupt_signal.restore_default(interrupts)
    process.apply()
    return Child(request, shared, theirs_to_template, theirs)


class ForkServer:
    """The controller's handle of the fork server and the template.

    Attributes:
        control: The controller's end of the control socket, on which records arrive.
        shared: The run's shared memory.
    """

    def __init__(self, pid: int, control: socket.socket, to_template: socket.socket, shared: _core.Shared) -> None:
        """Manage the process `pid` at the other end of `control`; `to_template` will lead to the template."""
        self._pid: int | None = pid
        self.control = control
        self.shared = shared
        self._to_template = to_template
        # The template while it takes the fork server's place.
        self._successor: int | None = None
        # The socket to the process that forks the workers.
        self._to_workers = to_template

    def fork_process(self, worker: int, setup: Mapping[str, Any], output: int) -> None:
        """Have the template (:data:`rustpar.forkserver.loop.TEMPLATE`) or an early worker forked.

        Args:
            worker: The worker's number, or TEMPLATE.
            setup: Plain values, as described at :class:`rustpar.forkserver.child.Child`.
            output: The write end of the pipe for its standard output; remains the caller's.
        """
        if worker != loop.TEMPLATE:
            self._to_workers = self.control
        _send(self.control, {"fork": worker, **setup}, output)

    def fork_worker(self, worker: int, about: Mapping[str, Any], output: int) -> None:
        """Have the template fork a worker; `about` is what :class:`rustpar.forkserver.template.ForkPoint` needs."""
        _send(self._to_template, {"fork": worker, **about}, output)

    def become_worker(self, worker: int, about: Mapping[str, Any], output: int) -> None:
        """Have the template continue as the worker that it was configured as."""
        self._to_workers = self.control
        _send(self.control, {"template": worker})
        _send(self._to_template, {"become": worker, **about}, output)

    def collect_in_template(self) -> None:
        """Have the template, which forks workers that collect, collect all tests itself."""
        _send(self._to_template, {"collect": True})

    def use_template(self) -> None:
        """Send signals for workers through the template from now on, because it forks them."""
        self._to_workers = self._to_template

    def signal_worker(self, worker: int, number: int) -> None:
        """Have a signal sent to a worker, if it still exists."""
        _send(self._to_workers, {"signal": worker, "number": number})

    def signal_template(self, number: int) -> None:
        """Have a signal sent to the template, which may be busy collecting."""
        _send(self.control, {"signal": loop.TEMPLATE, "number": number})

    def retire(self, template: int) -> None:
        """Let the fork server exit, when all workers come from the template, whose process id is given.

        It would occupy 10 MiB to the end: both the controller and the template have meanwhile written to the pages that
        it shared with them. Without retiring it, 200 files that import numpy and pandas take 1.18 of the peak memory
        (PSS) at ``-n 8``.
        """
        _core.adopt_orphans(True)
        self._successor = template
        _send(self._to_template, {"adopted": os.getpid()})
        deadline = _core.monotonic() + _ADOPTION_TIME
        while not self.check_retirement() and _core.monotonic() < deadline:
            _core.sleep(0.0002)

    def check_retirement(self) -> bool:
        """Stop adopting orphans once the fork server has exited; return whether nothing is left to wait for.

        The template may be busy and read the request late. If this process stopped before that, another one would adopt
        the template, which would take itself for an orphan and interrupt the workers.
        """
        if self._successor is not None and self._pid is not None and _has_ended(self._pid):
            self._pid, self._successor = self._successor, None
            _core.adopt_orphans(False)
        return self._successor is None

    def is_lost(self) -> bool:
        """Whether the fork server has died, or is dying: the kernel kills its children before it can be waited for."""
        self.check_retirement()
        forks_workers = self._successor or self._pid
        return forks_workers is not None and _core.is_exiting(forks_workers)

    def request_exit(self) -> None:
        """Let all workers exit, and close our side: each process ends when its children have."""
        self.shared.dismiss(0)
        for requests in (self.control, self._to_template):
            with contextlib.suppress(OSError):
                requests.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """End the fork server and its descendants, by force after :data:`EXIT_TIMEOUT` seconds; may be called again."""
        if self._pid is None:
            return
        self.check_retirement()
        self.request_exit()
        deadline = _core.monotonic() + EXIT_TIMEOUT
        pid, self._pid = self._pid, None
        while not _has_ended(pid):
            if _core.monotonic() > deadline:
                # Its descendants die with it, because each has asked the kernel for that.
                _kill(pid)
                break
            _core.sleep(0.002)
        self._close_sockets()

    def kill(self) -> None:
        """Kill the fork server and its descendants at once."""
        self.check_retirement()
        if self._pid is not None:
            _kill(self._pid)
            if self._successor is not None:
                # It outlives the fork server, and this process has adopted it.
                _kill(self._successor)
            self._pid = None
            self._close_sockets()

    def _close_sockets(self) -> None:
        self.control.close()
        self._to_template.close()


def _send(requests: socket.socket, message: Mapping[str, Any], *fds: int) -> None:
    data, lost = _core.dumps(dict(message))
    if lost:
        kinds = ", ".join(sorted(set(lost)))
        raise pytest.UsageError(
            f"node.workerinput contains values that cannot be sent to a worker: {kinds}; use plain values"
        )
    loop.send(requests, data, *fds)


def _has_ended(pid: int) -> bool:
    """Whether a child has exited, even if other code in this process has already waited for it."""
    try:
        return os.waitpid(pid, os.WNOHANG) != (0, 0)
    except ChildProcessError:
        return True


def _kill(pid: int) -> None:
    """Kill a child and wait for it."""
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
