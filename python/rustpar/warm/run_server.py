"""Serving of runs: a process that listens at a socket and forks a process for each run that a client hands over.

The hazards it handles: it has a single thread, so that it can be forked at any moment. A client that disappears takes
its run with it, as a killed pytest does; a server that is killed takes its runs with it. And a client that has given up
waiting has started the run itself: it is forked only when the client has confirmed that it still waits.
"""

from __future__ import annotations

import contextlib
import os
import posix
import select
import signal
import socket
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from rustpar import _core
from rustpar.process import forking
from rustpar.warm import files
from rustpar.warm.messages import Channel, Closed

if TYPE_CHECKING:
    from rustpar.warm.place import Place

# Below this share of available memory a server leaves.
_LEAST_MEMORY = 0.1

# Seconds between looks at what may have changed meanwhile.
_INTERVAL = 10.0

# Seconds for a client to send its request.
_REQUEST_LIMIT = 5.0


class Request(NamedTuple):
    """A run that a client has handed over, in the fork that has to carry it out.

    Attributes:
        message: As :func:`rustpar.warm.client.describe_run` makes it.
        descriptors: Copies of the client's descriptors, in the order of ``message["descriptors"]``.
    """

    message: dict[str, Any]
    descriptors: list[int]


class _Run:
    """A run that is going on.

    Attributes:
        channel: The connection to its client.
        process: The process id.
        descriptor: A descriptor of the process.
    """

    def __init__(self, channel: Channel, process: int) -> None:
        self.channel = channel
        self.process = process
        self.descriptor = os.pidfd_open(process)

    def signal(self, number: int, *, group: bool) -> None:
        """Send a signal to its process, or to all processes of its group, as a terminal does."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            (os.killpg if group else os.kill)(self.process, number)


class RunServer:
    """Listens at a socket, and serves runs until it leaves."""

    def __init__(self, path: str, place: Place | None, lifeline: int | None = None) -> None:
        """Listen at this path.

        Args:
            path: That of the socket, which ends with ``.socket``.
            place: The place of the warm server that runs have modules from, if any.
            lifeline: A descriptor that becomes readable when this process has to end at once, with its runs.

        Raises:
            OSError: Nobody can listen there.
        """
        self._path = path
        self._refusals = place
        self._lifeline = lifeline
        self._runs: list[_Run] = []
        self._is_leaving = False
        self._total = 0
        self._started = self._last = time.monotonic()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        new = f"{path.removesuffix('.socket')}.new"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new)
        self._listener.bind(new)
        self._listener.listen(16)
        # Nobody may connect before it listens.
        os.rename(new, path)
        self._identity = os.stat(path).st_ino

    def owns_socket(self) -> bool:
        """Whether clients that connect at the path reach this server."""
        try:
            return os.stat(self._path).st_ino == self._identity
        except OSError:
            return False

    def reason_against(self, request: dict[str, Any], process: int) -> str | None:
        """Return why a run of the client with this process id cannot be forked here; None if it can."""
        raise NotImplementedError

    def answer(self, channel: Channel, request: dict[str, Any]) -> None:
        """Answer a request that is no run."""

    def look(self) -> None:
        """Leave, if there is a reason; called from time to time while there is no run."""
        if _available_memory() < _LEAST_MEMORY:
            self.leave("memory is short")

    def leave_out(self, modules: list[str]) -> None:
        """Do something about modules that a run could not be given."""

    def note(self, text: str) -> None:
        """Take note of what happens."""

    def leave(self, reason: str) -> None:
        """Listen no more, and leave when the runs have ended."""
        self.note(f"leaves: {reason}")
        self._is_leaving = True
        if self.owns_socket():
            os.unlink(self._path)
        self._listener.close()

    def serve(self) -> Request | None:
        """Serve until it is time to leave.

        Returns:
            In a fork, the run that it has to carry out. In the server, None.
        """
        while self._runs or not self._is_leaving:
            request = self._serve_once()
            if request is not None:
                return request
        return None

    def _serve_once(self) -> Request | None:
        poller = select.poll()
        if not self._is_leaving:
            poller.register(self._listener, select.POLLIN)
        for run in self._runs:
            poller.register(run.descriptor, select.POLLIN)
            poller.register(run.channel.socket, select.POLLIN)
        if self._lifeline is not None:
            poller.register(self._lifeline, select.POLLIN)
        ready = {number for number, _ in poller.poll(_INTERVAL * 1000)}
        if self._lifeline in ready:
            # Its runs have asked the kernel to die with it.
            posix._exit(0)
        for run in list(self._runs):
            if run.descriptor in ready:
                self._end(run)
            elif run.channel.socket.fileno() in ready:
                self._listen_to(run)
        if not self._is_leaving:
            if self._listener.fileno() in ready:
                return self._accept()
            if not self._runs:
                self.look()
        return None

    def _end(self, run: _Run) -> None:
        _, status, usage = os.wait4(run.process, 0)
        ended = os.waitstatus_to_exitcode(status)
        refusal = self._refusal_of(run.process)
        with contextlib.suppress(OSError):
            run.channel.socket.settimeout(_REQUEST_LIMIT)
            run.channel.send({"status": ended} if refusal is None else {"cold": refusal["reason"]})
        run.channel.close()
        os.close(run.descriptor)
        self._runs.remove(run)
        self.note(f"run {run.process} has ended: status {ended}, {usage.ru_utime + usage.ru_stime:.2f} s of CPU time")
        self._last = time.monotonic()
        if refusal is not None and refusal["modules"]:
            self.leave_out(refusal["modules"])

    def _refusal_of(self, run: int) -> dict[str, Any] | None:
        """Return why a run that has ended has to start cold, and the modules that it could not be given."""
        if self._refusals is None:
            return None
        path = self._refusals.refusal(run)
        refusal: dict[str, Any] | None = files.read(path, None)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        return refusal

    def _listen_to(self, run: _Run) -> None:
        try:
            message = run.channel.receive()
        except BlockingIOError:
            return
        except (OSError, Closed):
            # The client was killed. Its run is reaped as any other.
            run.signal(signal.SIGKILL, group=True)
            run.channel.socket.close()
            run.channel.socket, _ = socket.socketpair()
            return
        run.signal(message["signal"], group=message["group"])

    def _accept(self) -> Request | None:
        connection, _ = self._listener.accept()
        channel = Channel(connection)
        connection.settimeout(_REQUEST_LIMIT)
        try:
            process = channel.peer()
            if process is None:
                raise Closed
            request = channel.receive()
            if "run" not in request:
                self.answer(channel, request)
                raise Closed
            reason = self.reason_against(request, process)
            if reason is not None:
                channel.send({"cold": reason})
                self.note(f"a run starts cold: {reason}")
                raise Closed
            channel.send({"ready": True})
            if "go" not in channel.receive():
                raise Closed
            return self._fork(channel, request)
        except (OSError, Closed):
            channel.close()
            return None

    def _fork(self, channel: Channel, request: dict[str, Any]) -> Request | None:
        server = os.getpid()
        process = forking.fork()
        if process == 0:
            if not _core.die_with_parent(server):
                os._exit(1)
            descriptors, channel.descriptors = channel.descriptors, []
            self._close([channel, *(run.channel for run in self._runs)])
            return Request(request, descriptors)
        self._total += 1
        for descriptor in channel.descriptors:
            os.close(descriptor)
        channel.descriptors.clear()
        channel.socket.setblocking(False)
        self._runs.append(_Run(channel, process))
        self.note(f"run {process} has started in {request['directory']}")
        return None

    def _close(self, channels: list[Channel]) -> None:
        """Close all sockets, in a fork: later their numbers belong to others."""
        self._listener.close()
        if self._lifeline is not None:
            os.close(self._lifeline)
        for channel in channels:
            channel.close()


def _available_memory() -> float:
    """Return the share of the machine's memory that is available."""
    found = {}
    with contextlib.suppress(OSError, ValueError), open("/proc/meminfo") as lines:
        for line in lines:
            name, _, value = line.partition(":")
            found[name] = int(value.split()[0])
    return found.get("MemAvailable", 1) / found.get("MemTotal", 1)
