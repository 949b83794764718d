"""Forking children at the controller's word, and telling the controller how they end.

The fork server and the template both live in such a loop, each with requests of its own; what becomes of their children
they write to one socket, from which the controller's engine reads.

The hazards it handles: children end at any moment, also all at once, and each end must be told exactly once and after
everything that the child itself has sent. And the suite has a say in what becomes of a process's children: where it has
``SIGCHLD`` ignored, or handled by waiting for any child, their statuses would be gone before the loop could ask.
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
from rustpar.process import forking
from rustpar.process.system import os, signal

if TYPE_CHECKING:
    from collections.abc import Iterator

# Records to the controller: kind, worker, value. The engine reads them in `engine/records.rs`.
_RECORD = struct.Struct("<IIq")
_FORKED, _EXITED, _TEMPLATE_FORKED, _TEMPLATE_EXITED = 1, 2, 3, 4

# Where a worker's number would be, for the template.
TEMPLATE = -1

# Seconds between two looks for children that have exited, where the kernel cannot tell by itself (before Linux 5.3).
_LOOK = 0.05

# Seconds for the fork server to leave when it was asked to.
ADOPTION_LIMIT = 1.0

# Seconds between two looks whether the parent is still there; usually the end of its socket tells at once.
_ORPHAN_LOOK = 1.0

# Seconds that children of a controller that was killed have to tear down what they have set up, as after a Ctrl-C.
_TEARDOWN_LIMIT = 10.0

# The status of a child that somebody else has waited for. The controller believes it of one that has sent the end of
# its session; any other has crashed, whatever its status.
_UNKNOWN_STATUS = 0


class Request(NamedTuple):
    """What the controller asks for.

    Attributes:
        message: Plain values, as the function of :class:`rustpar.forkserver.server.ForkServer` describes them that
            sends them.
        output: The writing end of a pipe that came with it, or -1.
    """

    message: dict[str, Any]
    output: int


class ForkLoop:
    """Forks children when asked to, until the controller has no more requests."""

    def __init__(self, requests: socket.socket, records: socket.socket, shared: _core.Shared) -> None:
        """Take requests from `requests` and tell what happens through `records`; `shared` is the run's memory."""
        self._requests = requests
        self._records = records
        self._shared = shared
        self._parent = os.getppid()
        self._children: dict[int, _Child] = {}
        self.has_forked = False

    def serve(self) -> Request | None:
        """Fork children, and reap them.

        Returns:
            In each forked child, what it was forked for. In this process: what it is to go on with, or None when the
            controller has closed its end and all children have ended.
        """
        # Here it outlives its parent, to see to it that what children have set up is torn down.
        self._parent = os.getppid()
        _core.outlive_parent()
        with _waiting_for_children_alone():
            while not self._is_orphaned():
                if self._request_is_there():
                    request = receive(self._requests)
                    if request is None:
                        break
                    if self._obey(request):
                        if "fork" not in request.message and not _core.die_with_parent(self._parent):
                            posix._exit(0)
                        return request
                self._reap()
            self._see_off()
            return None

    def _is_orphaned(self) -> bool:
        return os.getppid() != self._parent

    def _request_is_there(self) -> bool:
        return self._requests.fileno() in self._wait_for_children(self._requests.fileno())

    def _wait_for_children(self, *others: int) -> set[int]:
        """Wait until a child has exited, or there is something to read from one of `others`; return what is ready."""
        poller = select.poll()
        blind = False
        for fd in others:
            poller.register(fd, select.POLLIN)
        for child in self._children.values():
            if child.pidfd is None:
                blind = True
            else:
                poller.register(child.pidfd, select.POLLIN)
        return {fd for fd, _ in poller.poll((_LOOK if blind else _ORPHAN_LOOK) * 1000)}

    def _obey(self, request: Request) -> bool:
        """Carry out a request; True when it is to be gone on with, here or in the child."""
        message = request.message
        if "fork" in message:
            return self._fork(message["fork"], request.output)
        if "signal" in message:
            child = self._children.get(message["signal"])
            if child is not None:
                os.kill(child.pid, message["number"])
        elif "template" in message:
            self._children[message["template"]] = self._children.pop(TEMPLATE)
        elif "adopted" in message:
            self._change_parents(message["adopted"])
        else:
            return True
        return False

    def _fork(self, worker: int, output: int) -> bool:
        parent = os.getpid()
        try:
            pid = forking.fork()
        except OSError as error:
            print(f"rustpar: a process cannot be forked: {error.strerror}", file=sys.stderr)
            self._tell_exit(worker, -signal.SIGKILL)
            os.close(output)
            return False
        if pid != 0:
            os.close(output)
            self._children[worker] = _Child(pid)
            self.has_forked = True
            self._tell(_TEMPLATE_FORKED if worker == TEMPLATE else _FORKED, worker, pid)
            return False
        if not _core.die_with_parent(parent):
            posix._exit(0)
        for child in self._children.values():
            child.close()
        self._children.clear()
        self._shared.interrupt_at_termination()
        return True

    def _reap(self) -> None:
        for worker, child in list(self._children.items()):
            status = child.wait(os.WNOHANG)
            if status is not None:
                child.close()
                del self._children[worker]
                self._tell_exit(worker, status)

    def _see_off(self) -> None:
        """Wait for all children, and tell of each as it ends: one that hangs hides no other.

        Where the controller is gone without a word, children are interrupted, so that they tear down what is set up,
        and killed when that takes too long.
        """
        begin: float | None = None
        while self._children:
            if begin is None and self._is_orphaned():
                begin = _core.monotonic()
                self._shared.dismiss(0)
                self._signal_children(signal.SIGINT)
            elif begin is not None and _core.monotonic() > begin + _TEARDOWN_LIMIT:
                self._signal_children(signal.SIGKILL)
                return
            self._wait_for_children()
            self._reap()

    def _signal_children(self, number: int) -> None:
        for child in self._children.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, number)

    def _change_parents(self, controller: int) -> None:
        """End the parent of this process, the fork server, and become a child of the controller.

        The controller is ready to adopt whom the fork server leaves behind.
        """
        server = os.getppid()
        _core.outlive_parent()
        os.kill(server, signal.SIGKILL)
        deadline = _core.monotonic() + ADOPTION_LIMIT
        while os.getppid() == server and _core.monotonic() < deadline:
            _core.sleep(0.0002)
        self._parent = controller
        # From here on there is little to do, and most of the libraries' code is not needed for it.
        _core.drop_clean_pages()

    def _tell_exit(self, worker: int, status: int) -> None:
        self._tell(_TEMPLATE_EXITED if worker == TEMPLATE else _EXITED, worker, status)

    def _tell(self, kind: int, worker: int, value: int) -> None:
        with contextlib.suppress(OSError):
            self._records.sendall(_RECORD.pack(kind, max(worker, 0), value))

    def close(self) -> None:
        """Let go of the sockets, in a process that is not to use them."""
        self._requests.close()
        self._records.close()


class _Child:
    """A forked process, and a descriptor that becomes readable when it exits."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.pidfd: int | None = None
        with contextlib.suppress(OSError):
            self.pidfd = os.pidfd_open(pid)

    def wait(self, options: int = 0) -> int | None:
        """Its exit code, or minus the signal that killed it; None while it runs, where `options` are not to wait."""
        try:
            pid, status = os.waitpid(self.pid, options)
        except ChildProcessError:
            return _UNKNOWN_STATUS
        return os.waitstatus_to_exitcode(status) if pid else None

    def close(self) -> None:
        if self.pidfd is not None:
            os.close(self.pidfd)


@contextlib.contextmanager
def _waiting_for_children_alone() -> Iterator[None]:
    """Have children stay until this process waits for them, whatever the suite has set; each child gets what it has."""
    theirs = signal.getsignal(signal.SIGCHLD)
    if theirs is None or theirs is signal.SIG_DFL:
        # Python can neither call nor set again a handler that is not its own.
        yield
        return
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, theirs)


def send(requests: socket.socket, data: bytes, *fds: int) -> None:
    """Send a request's encoded message and what comes with it; nothing happens when the other side is gone."""
    # The engine tells, from the end of the socket.
    with contextlib.suppress(OSError):
        socket.send_fds(requests, [struct.pack("<I", len(data))], fds)
        requests.sendall(data)


def receive(requests: socket.socket) -> Request | None:
    """Wait for the next request; None at the end."""
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
