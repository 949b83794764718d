"""The fork server: a process forked before the first conftest, from which the template and early workers are forked.

The hazard it handles: whatever the controller does between now and then (loading conftests, configuring plugins,
starting threads) must not be in them. So the fork server does nothing at all but fork. It has one thread, and it dies
with the controller.

What it forks goes on where the controller stood when the fork server was forked: pytest has read its command line and
loaded its plugins, and comes to the conftests next. So no process prepares its configuration twice.
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
from rustpar.process import forking
from rustpar.process.inherited_state import ForkedProcess
from rustpar.process.system import os, signal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rustpar.forkserver.child import Child

# Seconds after which a process that was asked to end is killed. xdist gives its gateways as long (EXIT_TIMEOUT).
EXIT_TIMEOUT = 10.0

STARTS = ("auto", "template", "early", "xdist")


def asked_start(config: pytest.Config) -> str:
    """How workers are to come up: one of :data:`STARTS`.

    Raises:
        pytest.UsageError: When ``rustpar_start`` in the configuration file is none of them.
    """
    option: Any = config.known_args_namespace
    start: str | None = option.rustpar_start
    return start or ini_choice(config, "rustpar_start", STARTS)


def why_not(config: pytest.Config) -> str | None:
    """Why workers cannot be forked here, in a few words; None when they can."""
    option: Any = config.known_args_namespace
    if asked_start(config) == "xdist":
        return "asked for by --rustpar-start or rustpar_start"
    if not hasattr(_core, "Engine"):
        return f"forking is not safe on {sys.platform}"
    if any(spec.rpartition("*")[2] != "popen" for spec in option.tx):
        return "--tx names more than local processes"
    if getattr(option, "px", None):
        return "--px names a proxy"
    if getattr(option, "looponfail", False):
        return "--looponfail keeps workers of its own"
    # Threads that can run Python.
    threads = len(sys._current_frames())
    if threads > 1:
        return f"this process already has {threads} threads, and only one survives a fork"
    return _why_not_native()


def _why_not_native() -> str | None:
    """Whether threads that Python does not know keep this process from being forked."""
    from rustpar.fork_safety import native_threads

    if native_threads.count() <= 1:
        return None
    if traceback_timer.is_waited_for():
        return "a timer of faulthandler is running, which cannot be cancelled in a fork"
    found = native_threads.strangers()
    if not found.number:
        return None
    threads = "a native thread" if found.number == 1 else f"{found.number} native threads"
    of = f" of {', '.join(found.libraries)}" if found.libraries else ""
    return f"this process already has {threads}{of}, and no thread survives a fork"


def start() -> ForkServer | Child:
    """Fork the fork server.

    Returns:
        In the controller, its handle; in each process that is forked from the fork server later, what it begins with.
    """
    shared = _core.Shared()
    ours, theirs = socket.socketpair()
    ours_to_template, theirs_to_template = socket.socketpair()
    controller = os.getpid()
    process = ForkedProcess()
    pid = forking.fork()
    if pid:
        theirs.close()
        theirs_to_template.close()
        return ForkServer(pid, ours, ours_to_template, shared)
    ours.close()
    ours_to_template.close()
    if not _core.die_with_parent(controller):
        posix._exit(0)
    # Ctrl-C reaches every process of the terminal; who is interrupted, and when, is the controller's business.
    interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
    shared.interrupt_at_termination()
    process.take_files()
    # Imported while there is time: what is forked here needs it, and nothing of the run is in it.
    from rustpar.forkserver.child import Child

    process.prepare()
    request = loop.ForkLoop(theirs, theirs, shared).serve()
    if request is None:
        forking.leave(0)
    if interrupt is not signal.SIG_IGN:
        # Workers treat interrupts as a new interpreter would: ignored where they are ignored already.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    process.begin()
    return Child(request, shared, theirs_to_template, theirs)


class ForkServer:
    """The controller's handle on the fork server and, once it is started, on the template.

    Attributes:
        control: The controller's end of the control socket, on which records arrive.
        shared: The memory that the run's processes share.
    """

    def __init__(self, pid: int, control: socket.socket, to_template: socket.socket, shared: _core.Shared) -> None:
        """Take over the process `pid` at the other end of `control`; `to_template` will lead to the template."""
        self._pid: int | None = pid
        self.control = control
        self.shared = shared
        self._to_template = to_template
        # Where the workers are forked: the end of the socket that leads there.
        self._to_workers = to_template

    def begin(self, worker: int, setup: Mapping[str, Any], output: int) -> None:
        """Have the template (:data:`rustpar.forkserver.loop.TEMPLATE`) or an early worker forked before conftests.

        Args:
            worker: Which one.
            setup: What :class:`rustpar.forkserver.child.Beginning` needs, plain values only.
            output: The writing end of the pipe that is to be its standard output; stays the caller's.
        """
        if worker != loop.TEMPLATE:
            self._to_workers = self.control
        _send(self.control, {"fork": worker, **setup}, output)

    def fork_worker(self, worker: int, about: Mapping[str, Any], output: int) -> None:
        """Have the template fork a worker; `about` is what :class:`rustpar.forkserver.template.ForkPoint` needs."""
        _send(self._to_template, {"fork": worker, **about}, output)

    def go_on(self, worker: int, about: Mapping[str, Any], output: int) -> None:
        """Have the template go on as a worker itself: the one that it was configured as."""
        self._to_workers = self.control
        _send(self.control, {"template": worker})
        _send(self._to_template, {"become": worker, **about}, output)

    def use_template(self) -> None:
        """Workers are forked from the template from here on."""
        self._to_workers = self._to_template

    def signal_worker(self, worker: int, number: int) -> None:
        """Have a signal sent to a worker, if it is still there."""
        _send(self._to_workers, {"signal": worker, "number": number})

    def signal_template(self, number: int) -> None:
        """Have a signal sent to the template, which may be busy collecting."""
        _send(self.control, {"signal": loop.TEMPLATE, "number": number})

    def retire(self, template: int) -> None:
        """Let the fork server go, now that all workers come from the template, whose process id is given.

        It would hold 10 MiB of its own to the end: what it still has of the controller's early objects, both the
        controller and the template have written to since. Without it, 200 files that import numpy and pandas take 1.18
        of the peak memory (PSS) at ``-n 8``.
        """
        _core.adopt_orphans(True)
        _send(self._to_template, {"adopted": os.getpid()})
        deadline = _core.monotonic() + loop.ADOPTION_LIMIT
        while self._pid is not None and _core.monotonic() < deadline:
            if _has_ended(self._pid):
                self._pid = template
                break
            _core.sleep(0.0002)
        _core.adopt_orphans(False)

    def ask_to_end(self) -> None:
        """Let all workers leave, and close our side: everybody ends when their children have."""
        self.shared.dismiss(0)
        for requests in (self.control, self._to_template):
            with contextlib.suppress(OSError):
                requests.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """End the fork server and all below it, by force after :data:`EXIT_TIMEOUT` seconds; again is harmless."""
        if self._pid is None:
            return
        self.ask_to_end()
        deadline = _core.monotonic() + EXIT_TIMEOUT
        pid, self._pid = self._pid, None
        while not _has_ended(pid):
            if _core.monotonic() > deadline:
                # Its children die with it: every process has asked the kernel for that.
                _end(pid)
                break
            _core.sleep(0.002)
        self._let_go()

    def kill(self) -> None:
        """End the fork server and all below it at once."""
        if self._pid is not None:
            _end(self._pid)
            self._pid = None
            self._let_go()

    def _let_go(self) -> None:
        self.control.close()
        self._to_template.close()


def _send(requests: socket.socket, message: Mapping[str, Any], *fds: int) -> None:
    data, lost = _core.dumps(dict(message))
    if lost:
        kinds = ", ".join(sorted(set(lost)))
        raise pytest.UsageError(f"node.workerinput holds what cannot be sent to a worker: {kinds}; use plain values")
    loop.send(requests, data, *fds)


def _has_ended(pid: int) -> bool:
    """Whether a child has ended; also when somebody else in this process, who waits for any child, has seen it."""
    try:
        return os.waitpid(pid, os.WNOHANG) != (0, 0)
    except ChildProcessError:
        return True


def _end(pid: int) -> None:
    """Kill a child and wait for its end."""
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
