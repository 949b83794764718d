"""The fork server: a process forked before the first conftest, from which the template is forked when it is its time.

The hazard it handles: whatever the controller does between now and then (loading conftests, configuring plugins,
starting threads) must not be in the template. So the fork server does nothing at all but wait. It has one thread, it
dies with the controller, and it ends with the template.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import sys
import time
import warnings
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from rustpar import _core

if TYPE_CHECKING:
    from collections.abc import Mapping

# Records to the controller: kind, worker, value. The engine reads them in `engine/controller.rs`.
_RECORD = struct.Struct("<IIq")
_FORKED, _EXITED, _TEMPLATE_FORKED, _TEMPLATE_EXITED = 1, 2, 3, 4

# Seconds after which a process that was asked to end is killed. xdist gives its gateways as long (EXIT_TIMEOUT).
EXIT_TIMEOUT = 10.0


def why_not(config: pytest.Config) -> str | None:
    """Why workers cannot be forked here, in a few words; None when they can."""
    option: Any = config.known_args_namespace
    start = option.rustpar_start or config.getini("rustpar_start")
    if start not in ("auto", "template", "xdist"):
        raise pytest.UsageError(f"rustpar_start = {start}: use auto, template or xdist")
    if start == "xdist":
        return "asked for by --rustpar-start or rustpar_start"
    if not hasattr(_core, "Engine"):
        return f"forking is not safe on {sys.platform}"
    if any(spec.rpartition("*")[2] != "popen" for spec in option.tx):
        return "--tx names more than local processes"
    if getattr(option, "px", None):
        return "--px names a proxy"
    if getattr(option, "looponfail", False):
        return "--looponfail keeps workers of its own"
    # Threads that can run Python. Those of native libraries (OpenBLAS, for one) are prepared for a fork.
    threads = len(sys._current_frames())
    if threads > 1:
        return f"this process already has {threads} threads, and only one survives a fork"
    return None


def start() -> ForkServer:
    """Fork the fork server; in the controller, return its handle."""
    shared = _core.Shared()
    ours, theirs = socket.socketpair()
    controller = os.getpid()
    pid = fork()
    if pid == 0:
        ours.close()
        _end_after(_serve, theirs, shared, controller)
    theirs.close()
    return ForkServer(pid, ours, shared)


class ForkServer:
    """The controller's handle on the fork server and, once it is started, on the template.

    Attributes:
        control: The controller's end of the control socket.
        shared: The memory that the run's processes share.
    """

    def __init__(self, pid: int, control: socket.socket, shared: _core.Shared) -> None:
        """Take over the process `pid` at the other end of `control`."""
        self._pid: int | None = pid
        self.control = control
        self.shared = shared

    def start_template(self, setup: Mapping[str, Any], output: int) -> None:
        """Have the template forked, with `output` as its standard output.

        Args:
            setup: What :func:`rustpar.template.run` needs, plain values only.
            output: The writing end of a pipe; stays the caller's.
        """
        self._send(setup, output)

    def fork_worker(self, worker: int, slot: int, workerinput: Mapping[str, Any], output: int) -> None:
        """Have the template fork a worker."""
        self._send({"fork": worker, "slot": slot, "workerinput": dict(workerinput)}, output)

    def signal_worker(self, worker: int, number: int) -> None:
        """Have the template send a signal to a worker, if it is still there."""
        self._send({"signal": worker, "number": number})

    def _send(self, message: Mapping[str, Any], *fds: int) -> None:
        data, lost = _core.dumps(dict(message))
        if lost:
            kinds = ", ".join(sorted(set(lost)))
            raise pytest.UsageError(
                f"node.workerinput holds what cannot be sent to a worker: {kinds}; use plain values"
            )
        # The other side may be gone; the engine tells, from the end of the socket.
        with contextlib.suppress(OSError):
            socket.send_fds(self.control, [struct.pack("<I", len(data))], fds)
            self.control.sendall(data)

    def ask_to_end(self) -> None:
        """Close our side: the template ends when its workers have, a fork server without template at once."""
        with contextlib.suppress(OSError):
            self.control.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """End the fork server and all below it, by force after :data:`EXIT_TIMEOUT` seconds; again is harmless."""
        if self._pid is None:
            return
        self.ask_to_end()
        deadline = time.monotonic() + EXIT_TIMEOUT
        pid, self._pid = self._pid, None
        while os.waitpid(pid, os.WNOHANG) == (0, 0):
            if time.monotonic() > deadline:
                # Its children die with it: every process has asked the kernel for that.
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                break
            time.sleep(0.002)
        self.control.close()

    def kill(self) -> None:
        """End the fork server and all below it at once."""
        if self._pid is not None:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = None
            self.control.close()


class ControlLine:
    """The other end of the control socket, in the fork server and then in the template."""

    def __init__(self, control: socket.socket) -> None:
        """Speak through `control`."""
        self._socket = control

    def fileno(self) -> int:
        """The socket's descriptor, for polling."""
        return self._socket.fileno()

    def receive(self) -> tuple[dict[str, Any], list[int]] | None:
        """Wait for the next message and the descriptors that came with it; None at the end."""
        try:
            header, fds, _flags, _address = socket.recv_fds(self._socket, 4, 1)
            if not header:
                return None
            (length,) = struct.unpack("<I", header + self._read(4 - len(header)))
            return _core.loads(self._read(length)), fds
        except OSError:
            return None

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = self._socket.recv(count - len(data))
            if not part:
                raise ConnectionError("the controller is gone")
            data += part
        return data

    def forked(self, worker: int, pid: int) -> None:
        """Tell that a worker has been forked."""
        self._tell(_FORKED, worker, pid)

    def exited(self, worker: int, status: int) -> None:
        """Tell a worker's exit code, or minus the signal that killed it."""
        self._tell(_EXITED, worker, status)

    def template_forked(self, pid: int) -> None:
        """Tell that the template has been forked."""
        self._tell(_TEMPLATE_FORKED, 0, pid)

    def template_exited(self, status: int) -> None:
        """Tell the template's exit code, or minus the signal that killed it."""
        self._tell(_TEMPLATE_EXITED, 0, status)

    def _tell(self, kind: int, worker: int, value: int) -> None:
        with contextlib.suppress(OSError):
            self._socket.sendall(_RECORD.pack(kind, worker, value))

    def close(self) -> None:
        """Let go of the socket, in a process that is not to use it."""
        self._socket.close()


def _serve(control: socket.socket, shared: _core.Shared, controller: int) -> int:
    """Wait for the word to fork the template, and then for its end."""
    if not _core.die_with_parent(controller):
        return 0
    # Ctrl-C reaches every process of the terminal; who is interrupted, and when, is the controller's business.
    interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Imported while there is time: the template needs it, and nothing of the run is in it.
    from rustpar import template

    line = ControlLine(control)
    message = line.receive()
    if message is None:
        return 0
    setup, (output,) = message
    server = os.getpid()
    pid = fork()
    if pid == 0:
        # A worker treats interrupts as a new interpreter would: ignored where they are ignored already.
        if interrupt is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        _end_after(template.run, line, shared, setup, output, server)
    os.close(output)
    line.template_forked(pid)
    _, status = os.waitpid(pid, 0)
    line.template_exited(os.waitstatus_to_exitcode(status))
    return 0


def _end_after(run: Any, *args: Any) -> NoReturn:
    """Run the rest of a forked process; nothing of the stack below this call belongs to it."""
    status = 70  # EX_SOFTWARE of sysexits.h: reached only when reporting the error fails as well
    try:
        status = run(*args)
    except BaseException:  # whatever it is, this process must not return into its parent's stack
        import traceback

        traceback.print_exc()
    finally:
        _flush()
        os._exit(status)


def fork() -> int:
    """Fork this process; whoever asked has made sure that it may be."""
    _flush()
    with warnings.catch_warnings():
        # Since Python 3.12 a fork warns of any other thread, those of native libraries included.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _flush() -> None:
    """Write out what is buffered, so that a fork does not double it."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
