"""The template: a process that configures and collects once, as worker gw0 would, and is then forked into workers.

Its way is that of an xdist worker (``xdist/remote.py``): environment before conftests, ``workerinput`` before
``pytest_configure``, ``dist`` "no" in its options. What plugins do in a worker, they do here.

The hazard it handles: after the fork there are many processes where plugins think there is one. The template itself
never goes on to run tests; it only forks, waits for its workers, and at the very end runs the exit functions that were
registered before the fork, once, when no worker needs what they remove.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import signal
import sys
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from rustpar import _core, fixtures, forkserver, heap, hookcall, plugin
from rustpar.identity import become, own_stdio
from rustpar.seeds import RandomState
from rustpar.watch import Watch
from rustpar.worker import WorkerPlugin, make_line

if TYPE_CHECKING:
    from rustpar.forkserver import ControlLine

# Seconds between two looks for workers that have exited, where the kernel cannot tell by itself (before Linux 5.3).
_LOOK = 0.05


def run(control: ControlLine, shared: _core.Shared, setup: dict[str, Any], output: int, server: int) -> int:
    """Live as the template, and in the processes forked from it as a worker; return the exit status.

    Args:
        control: The control socket.
        shared: The memory shared with the controller.
        setup: ``workerinput``, ``identity`` (its keys that differ between workers), ``args`` (the command line),
            ``environment`` and ``directory`` (the controller's), ``basetemp`` (or None), ``hasmarkup`` (whether the
            controller's terminal shows colours).
        output: The writing end of the pipe that is to be standard output.
        server: The process id of the fork server.
    """
    if not _core.die_with_parent(server):
        return 0
    _forget_exit_functions()
    own_stdio(output)
    os.environb.clear()
    os.environb.update(setup["environment"])
    os.chdir(setup["directory"])
    workerinput = setup["workerinput"]
    random_state = RandomState()
    os.environ["PYTEST_XDIST_TESTRUNUID"] = workerinput["testrunuid"]
    os.environ["PYTEST_XDIST_WORKER"] = workerinput["workerid"]
    os.environ["PYTEST_XDIST_WORKER_COUNT"] = str(workerinput["workercount"])
    heap.grow()
    line = make_line(shared, 0)
    watch = Watch()
    try:
        config = _configure(setup, watch)
        hookcall.install(config)
        fork_point = ForkPoint(config, control, shared, random_state)
        worker = WorkerPlugin(config, line, fork_point, watch, hasmarkup=setup["hasmarkup"])
        config.pluginmanager.register(worker, "rustpar-worker")
        config.pluginmanager.register(fixtures, "rustpar-fixtures")
        # The session's own status has been sent; the process says with its status that it left in good order.
        config.hook.pytest_cmdline_main(config=config)
        status = 0
    except pytest.UsageError as error:
        line.message(line.USAGE_ERROR, [str(arg) for arg in error.args])
        status = int(pytest.ExitCode.USAGE_ERROR)
    _run_exit_functions()
    return status


def _configure(setup: dict[str, Any], watch: Watch) -> pytest.Config:
    """Prepare pytest's configuration as ``xdist/remote.py`` does."""
    from _pytest.config import ConftestImportFailure, _prepareconfig
    from xdist.remote import setup_config

    with plugin.preparing_template():
        try:
            config = _prepareconfig(setup["args"], None)
        except ConftestImportFailure as error:
            raise pytest.UsageError(f"a conftest cannot be imported in a worker: {error}") from None
    setup_config(config, setup["basetemp"])
    config._parser.prog = Path(setup["workerinput"]["mainargv"][0]).name
    config.workerinput = watch.input_of(setup["workerinput"], setup["identity"])  # type: ignore[attr-defined]
    config.workeroutput = {}  # type: ignore[attr-defined]
    return config


class ForkPoint:
    """The place in the template's life where workers are forked: inside ``pytest_runtestloop``."""

    def __init__(
        self, config: pytest.Config, control: ControlLine, shared: _core.Shared, random_state: RandomState
    ) -> None:
        """Fork when `control` says so."""
        self._random_state = random_state
        self._config = config
        self._control = control
        self._shared = shared
        self._workers: dict[int, _Child] = {}

    def wait(self) -> _core.Line:
        """Fork workers until the controller closes the control socket, then end the template.

        Returns:
            The worker's line, in each forked worker. In the template this does not return.
        """
        self._random_state.keep()
        heap.freeze()
        # Workers answer to interrupts; the template has nothing to be interrupted in.
        self._interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
        while True:
            if self._control_is_readable():
                received = self._control.receive()
                if received is None:
                    self._leave()
                message, fds = received
                line = self._obey(message, fds)
                if line is not None:
                    return line
            self._reap()

    def _control_is_readable(self) -> bool:
        poller = select.poll()
        poller.register(self._control, select.POLLIN)
        blind = False
        for child in self._workers.values():
            if child.pidfd is None:
                blind = True
            else:
                poller.register(child.pidfd, select.POLLIN)
        ready = poller.poll(_LOOK * 1000 if blind else None)
        return any(fd == self._control.fileno() for fd, _ in ready)

    def _obey(self, message: dict[str, Any], fds: list[int]) -> _core.Line | None:
        if "signal" in message:
            child = self._workers.get(message["signal"])
            if child is not None:
                os.kill(child.pid, message["number"])
            return None
        (output,) = fds
        template = os.getpid()
        try:
            pid = forkserver.fork()
        except OSError as error:
            print(f"rustpar: a worker cannot be forked: {error.strerror}", file=sys.stderr)
            self._control.exited(message["fork"], -signal.SIGKILL)
            os.close(output)
            return None
        if pid != 0:
            os.close(output)
            self._workers[message["fork"]] = _Child(pid)
            self._control.forked(message["fork"], pid)
            return None
        if not _core.die_with_parent(template):
            os._exit(0)
        self._control.close()
        for child in self._workers.values():
            child.close()
        self._workers.clear()
        signal.signal(signal.SIGINT, self._interrupt)
        _forget_exit_functions()
        self._random_state.restore()
        become(self._config, message["workerinput"], output)
        return make_line(self._shared, message["slot"])

    def _reap(self) -> None:
        for worker, child in list(self._workers.items()):
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if pid:
                child.close()
                del self._workers[worker]
                self._control.exited(worker, os.waitstatus_to_exitcode(status))

    def _leave(self) -> NoReturn:
        """End the template when its workers have ended."""
        for worker, child in self._workers.items():
            _, status = os.waitpid(child.pid, 0)
            self._control.exited(worker, os.waitstatus_to_exitcode(status))
        _run_exit_functions()
        os._exit(0)


class _Child:
    """A forked worker, and a descriptor that becomes readable when it exits."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.pidfd: int | None = None
        with contextlib.suppress(OSError):
            self.pidfd = os.pidfd_open(pid)

    def close(self) -> None:
        if self.pidfd is not None:
            os.close(self.pidfd)


def _forget_exit_functions() -> None:
    """Leave what was registered so far to the process that this one was forked from."""
    atexit._clear()
    # Finalizers (of temporary directories, for one) run through a single exit function, which must register again.
    registry = weakref.finalize._registry  # type: ignore[attr-defined]
    for finalizer in list(registry):
        finalizer.atexit = False
    weakref.finalize._registered_with_atexit = False  # type: ignore[attr-defined]


def _run_exit_functions() -> None:
    """Do what the interpreter does on its way out, short of tearing itself down."""
    with contextlib.suppress(Exception):
        threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
