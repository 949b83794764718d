"""Forking of children on request of the controller, and reporting of their exit statuses.

The fork server and the template each run such a loop with their own requests. Records about their children go to one
socket, which the controller's engine reads.

The hazards it handles: children may exit at any moment, even all at once, and each exit must be reported exactly once
and after everything that the child itself has sent. And the suite may ignore ``SIGCHLD``, or handle it by waiting for
any child; then exit statuses would be lost before the loop could read them.
"""

from __future__ import annotations

import contextlib
import posix
import select
import socket
import struct
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from rustpar import _core
from rustpar.process import forking, interrupt_signal
from rustpar.process.system import os, signal

if TYPE_CHECKING:
    from collections.abc import Iterator

# Records to the controller: kind, worker, value. The engine reads them in `engine/records.rs`.
_RECORD = struct.Struct("<IIq")
_FORKED, _EXITED, _TEMPLATE_FORKED, _TEMPLATE_EXITED, _PEAK = 1, 2, 3, 4, 5

# Used instead of a worker's number for the template.
TEMPLATE = -1

# Seconds between checks for exited children if there are no pidfds (before Linux 5.3).
_POLL_INTERVAL = 0.05

# Seconds between checks whether the parent still exists; usually the end of its socket reveals it at once.
_ORPHAN_INTERVAL = 1.0

# Seconds for children to tear down, as after a Ctrl-C, when the controller was killed.
_TEARDOWN_LIMIT = 10.0

# The status if somebody else has waited for the child. The controller accepts it from children that have sent the end
# of their session; any other has crashed, whatever its status.
_UNKNOWN_STATUS = 0


class Request(NamedTuple):
    """A request of the controller.

    Attributes:
        message: Plain values, described at the method of :class:`rustpar.forkserver.server.ForkServer` that sends them.
        output: The write end of a pipe that was sent with it, or -1.
    """

    message: dict[str, Any]
    output: int


class ForkLoop:
    """Forks children on request, until the controller closes its end."""

    def __init__(self, requests: socket.socket, records: socket.socket, shared: _core.Shared) -> None:
        """Read requests from `requests` and write records to `records`; `shared` is the run's shared memory."""
        self._requests = requests
        self._records = records
        self._shared = shared
        self._parent = os.getppid()
        # The controller, once it takes the parent's place.
        self._adopter: int | None = None
        self._children: dict[int, _Child] = {}
        self.has_forked = False

    def serve(self) -> Request | None:
        """Fork children, and reap them.

        Returns:
            In a forked child, the request for it. In this process, the request to continue as a worker, or None when
            the controller has closed its end and all children have exited.
        """
        # This process outlives its parent, to make sure that children tear down what they have set up.
        self._parent = os.getppid()
        _core.outlive_parent()
        with _default_sigchld():
            while not self._is_orphaned():
                if self._request_is_there():
                    request = receive(self._requests)
                    if request is None:
                        break
                    if self._handle(request):
                        if "fork" not in request.message and not _core.die_with_parent(self._parent):
                            posix._exit(0)
                        return request
                self._reap()
            self._wait_for_all()
            return None

    def _is_orphaned(self) -> bool:
        return os.getppid() not in (self._parent, self._adopter)

    def _request_is_there(self) -> bool:
        return self._requests.fileno() in self._wait_for_children(self._requests.fileno())

    def _wait_for_children(self, *others: int) -> set[int]:
        """Wait until a child has exited, or one of `others` is readable; return the ready descriptors."""
        poller = select.poll()
        must_poll = False
        for fd in others:
            poller.register(fd, select.POLLIN)
        for child in self._children.values():
            if child.pidfd is None:
                must_poll = True
            else:
                poller.register(child.pidfd, select.POLLIN)
        return {fd for fd, _ in poller.poll((_POLL_INTERVAL if must_poll else _ORPHAN_INTERVAL) * 1000)}

    def _handle(self, request: Request) -> bool:
        """Handle a request; return whether the caller should continue with it, here or in a child."""
        message = request.message
        if "fork" in message:
            return self._fork(message["fork"], request.output)
        if "signal" in message:
            child = self._children.get(message["signal"])
            if child is not None:
                os.kill(child.pid, message["number"])
        elif "template" in message:
            template = self._children.pop(TEMPLATE, None)
            # If it has died meanwhile, that has been reported.
            if template is not None:
                self._children[message["template"]] = template
        elif "adopted" in message:
            self._move_to_controller(message["adopted"])
        else:
            return True
        return False

    def _fork(self, worker: int, output: int) -> bool:
        parent = os.getpid()
        try:
            pid = forking.fork()
        except OSError as error:
            print(f"rustpar: could not fork a process: {error.strerror}", file=sys.stderr)
            self._report_exit(worker, -signal.SIGKILL)
            os.close(output)
            return False
        if pid != 0:
            os.close(output)
            self._children[worker] = _Child(pid)
            self.has_forked = True
            self._send_record(_TEMPLATE_FORKED if worker == TEMPLATE else _FORKED, worker, pid)
            return False
        if not _core.die_with_parent(parent):
            posix._exit(0)
        for child in self._children.values():
            child.close()
        self._children.clear()
        self._shared.interrupt_at_termination(interrupt_signal.chosen())
        return True

    def _reap(self) -> None:
        for worker, child in list(self._children.items()):
            status = child.reap()
            if status is not None:
                child.close()
                del self._children[worker]
                self._send_record(_PEAK, worker, child.peak)
                self._report_exit(worker, status)

    def _wait_for_all(self) -> None:
        """Wait for all children, and report each as it exits.

        If the controller was killed, interrupt the children so that they tear down, and kill them if that takes too
        long.
        """
        begin: float | None = None
        while self._children:
            if begin is None and self._is_orphaned():
                begin = _core.monotonic()
                self._shared.dismiss(0)
                self._signal_children(interrupt_signal.chosen())
            elif begin is not None and _core.monotonic() > begin + _TEARDOWN_LIMIT:
                self._signal_children(signal.SIGKILL)
                return
            self._wait_for_children()
            self._reap()

    def _signal_children(self, number: int) -> None:
        for child in self._children.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, number)

    def _move_to_controller(self, controller: int) -> None:
        """Kill the fork server, which is this process's parent, and become a child of the controller.

        The controller has declared itself the adopter of orphans.
        """
        self._adopter = controller
        _core.outlive_parent()
        if os.getppid() == self._parent:
            os.kill(self._parent, signal.SIGKILL)
        # From here on little is executed, so most of the libraries' code is not needed in memory.
        _core.drop_clean_pages()

    def _report_exit(self, worker: int, status: int) -> None:
        self._send_record(_TEMPLATE_EXITED if worker == TEMPLATE else _EXITED, worker, status)

    def _send_record(self, kind: int, worker: int, value: int) -> None:
        with contextlib.suppress(OSError):
            self._records.sendall(_RECORD.pack(kind, max(worker, 0), value))

    def close(self) -> None:
        """Close the sockets, in a process that does not use them."""
        self._requests.close()
        self._records.close()


class _Child:
    """A forked process, with a descriptor that becomes readable when it exits.

    Attributes:
        peak: The peak of its resident bytes, once it has been waited for; 0 if unknown.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.peak = 0
        self.pidfd: int | None = None
        with contextlib.suppress(OSError):
            self.pidfd = os.pidfd_open(pid)

    def reap(self) -> int | None:
        """Return the exit code, or minus the signal that killed it; None if it still runs."""
        ended = _core.reap(self.pid)
        if ended is None:
            return None
        status, self.peak = ended
        return _UNKNOWN_STATUS if status is None else status

    def close(self) -> None:
        if self.pidfd is not None:
            os.close(self.pidfd)


@contextlib.contextmanager
def _default_sigchld() -> Iterator[None]:
    """Let exited children stay zombies until this process waits for them; children get the suite's handler back."""
    theirs = signal.getsignal(signal.SIGCHLD)
    if theirs is None or theirs is signal.SIG_DFL:
        # Python cannot restore a handler that was not set from Python.
        yield
        return
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, theirs)


def send(requests: socket.socket, data: bytes, *fds: int) -> None:
    """Send an encoded request with file descriptors; do nothing if the other side is gone."""
    # The engine notices that from the end of the socket.
    with contextlib.suppress(OSError):
        socket.send_fds(requests, [struct.pack("<I", len(data))], fds)
        requests.sendall(data)


def receive(requests: socket.socket) -> Request | None:
    """Wait for the next request; return None at the end."""
    try:
        header, fds, _flags, _address = socket.recv_fds(requests, 4, 1)
        if not header:
            return None
        (length,) = struct.unpack("<I", header + _read(requests, 4 - len(header)))
        return Request(_core.loads(_read(requests, length)), fds[0] if fds else -1)
    except OSError:
        return None


def _read(requests: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = requests.recv(count - len(data))
        if not part:
            raise ConnectionResetError
        data += part
    return data
