"""The warm server: imports pytest and third-party packages, and forks a process for each run that a client hands over.

The hazards it handles: it must not stay when nobody needs it, and not run with what has changed meanwhile. It has a
single thread, so that it can be forked at any moment. A client that disappears takes its run with it, as a killed
pytest does; a server that is killed takes its runs with it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import runpy
import select
import signal
import socket
import sys
import time
from typing import Any, NoReturn

from rustpar import _core
from rustpar.process import forking
from rustpar.warm import files, fresh
from rustpar.warm import place as places
from rustpar.warm import run as warm_run
from rustpar.warm.confinement import confinement_of
from rustpar.warm.imports import library_directories
from rustpar.warm.messages import Channel, Closed
from rustpar.warm.place import Place
from rustpar.warm.preparation import Prepared, prepare

# Seconds without a run after which a server leaves.
IDLE_LIMIT = 1800.0

# Below this share of available memory it leaves.
_LEAST_MEMORY = 0.1

# Seconds between looks at the memory.
_INTERVAL = 10.0

# Seconds for a client to send its request.
_REQUEST_LIMIT = 5.0


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


class Server:
    """A server with everything imported.

    Attributes:
        store: The modules.
    """

    def __init__(self, place: Place, lock: int, prepared: Prepared) -> None:
        """Listen at this place, until the server leaves and closes the descriptor `lock`."""
        self._place = place
        self._lock = lock
        self.store = prepared.store
        self._snapshot = prepared.snapshot
        self._number_left_out = prepared.left_out
        self._runs: list[_Run] = []
        self._total = 0
        self._started = self._last = time.monotonic()
        self._confinement = confinement_of(os.getpid())
        self._is_leaving = False
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        new = f"{place.base}.new"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new)
        self._listener.bind(new)
        self._listener.listen(16)
        # Nobody may connect before it listens.
        os.rename(new, place.socket)

    def serve(self) -> tuple[dict[str, Any], list[int]] | None:
        """Serve until it is time to leave.

        Returns:
            In a fork, the request that it has to carry out, and the client's descriptors. In the server, None.
        """
        while self._runs or not self._is_leaving:
            request = self._serve_once()
            if request is not None:
                return request
        return None

    def _serve_once(self) -> tuple[dict[str, Any], list[int]] | None:
        poller = select.poll()
        if not self._is_leaving:
            poller.register(self._listener, select.POLLIN)
        for run in self._runs:
            poller.register(run.descriptor, select.POLLIN)
            poller.register(run.channel.socket, select.POLLIN)
        ready = {number for number, _ in poller.poll(_INTERVAL * 1000)}
        for run in list(self._runs):
            if run.descriptor in ready:
                self._end(run)
            elif run.channel.socket.fileno() in ready:
                self._listen_to(run)
        if not self._is_leaving:
            if self._listener.fileno() in ready:
                return self._accept()
            self._look()
        return None

    def _look(self) -> None:
        if self._runs:
            return
        if time.monotonic() - self._last > IDLE_LIMIT:
            self._leave("nobody has needed it for a while")
        elif _available_memory() < _LEAST_MEMORY:
            self._leave("memory is short")

    def _leave(self, reason: str) -> None:
        files.log(f"leaves: {reason}")
        self._is_leaving = True
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._place.socket)
        self._listener.close()
        # The next one need not wait for the end of the last run.
        os.close(self._lock)

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
        files.log(f"run {run.process} has ended: status {ended}, {usage.ru_utime + usage.ru_stime:.2f} s of CPU time")
        self._last = time.monotonic()
        if refusal is not None and refusal["modules"]:
            self._leave_out(refusal["modules"])

    def _refusal_of(self, run: int) -> dict[str, Any] | None:
        """Return why a run that has ended has to start cold, and the modules that it could not be given."""
        path = self._place.refusal(run)
        refusal: dict[str, Any] | None = files.read(path, None)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        return refusal

    def _leave_out(self, refused: list[str]) -> None:
        """Let the next server do without modules that a run of this project could not be given."""
        with contextlib.suppress(OSError):
            reasons = dict.fromkeys(refused, "could have had another result in a run")
            left_out = files.read(self._place.left_out, {}) | self.store.with_dependents(reasons)
            files.write(self._place.left_out, left_out)
        if not self._is_leaving:
            self._leave(f"a run could not be given {', '.join(refused[:3])}")

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

    def _accept(self) -> tuple[dict[str, Any], list[int]] | None:
        connection, _ = self._listener.accept()
        channel = Channel(connection)
        connection.settimeout(_REQUEST_LIMIT)
        try:
            process = channel.peer()
            if process is None:
                raise Closed
            request = channel.receive()
            if "run" not in request:
                self._answer(channel, request)
                raise Closed
            reason = self._reason_against(request, process)
            if reason is not None:
                channel.send({"cold": reason})
                files.log(f"a run starts cold: {reason}")
                raise Closed
            channel.send({"ready": True})
            if "go" not in channel.receive():
                raise Closed
            return self._fork(channel, request)
        except (OSError, Closed):
            channel.close()
            return None

    def _answer(self, channel: Channel, request: dict[str, Any]) -> None:
        if "status" in request:
            channel.send(
                {
                    "pid": os.getpid(),
                    "root": self._place.root,
                    "python": sys.executable,
                    "modules": len(self.store),
                    "left out": self._number_left_out,
                    "runs": self._total,
                    "running": len(self._runs),
                    "age": time.monotonic() - self._started,
                    "idle": 0.0 if self._runs else time.monotonic() - self._last,
                }
            )
        elif "stop" in request:
            self._leave("it was asked to")
            channel.send({"pid": os.getpid()})

    def _reason_against(self, request: dict[str, Any], process: int) -> str | None:
        if request.get("about") != self._place.about:
            return "the server is one of another environment"
        try:
            confinement = confinement_of(process)
        except OSError:
            return "the server cannot see this process"
        for name in sorted(confinement.keys() | self._confinement.keys()):
            if self._confinement.get(name) != confinement.get(name):
                return f"{name} differs from the server's"
        try:
            fresh.check(request)
        except fresh.Refused as error:
            return str(error)
        changed = self._snapshot.changed()
        if changed is not None:
            self._leave(f"{changed} has changed")
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._place.left_out)
            return f"{changed} has changed"
        return None

    def _fork(self, channel: Channel, request: dict[str, Any]) -> tuple[dict[str, Any], list[int]] | None:
        server = os.getpid()
        process = forking.fork()
        if process == 0:
            if not _core.die_with_parent(server):
                os._exit(1)
            descriptors, channel.descriptors = channel.descriptors, []
            self._close([channel, *(run.channel for run in self._runs)])
            return request, descriptors
        self._total += 1
        for descriptor in channel.descriptors:
            os.close(descriptor)
        channel.descriptors.clear()
        channel.socket.setblocking(False)
        self._runs.append(_Run(channel, process))
        files.log(f"run {process} has started in {request['directory']}")
        return None

    def _close(self, channels: list[Channel]) -> None:
        """Close all sockets, in a fork: later their numbers belong to others."""
        self._listener.close()
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


def main() -> None:
    """Be a server at the place that the arguments describe; in a fork, run pytest."""
    place = Place(*sys.argv[1:4])
    libraries = library_directories()
    # Nothing of the project is imported here, even if it is on PYTHONPATH.
    sys.path[:] = [path for path in sys.path if path and os.path.join(os.path.realpath(path), "").startswith(libraries)]
    os.chdir(place.root)
    lock = os.open(place.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        # There is another one.
        return
    started = int(sys.argv[4])
    if started == 1:
        os.ftruncate(1, 0)
    if places.find() != place:
        files.log("leaves: this is not the interpreter or the environment that was asked for")
        return
    prepared = prepare(place, started)
    server = Server(place, lock, prepared)
    request = server.serve()
    if request is None:
        return
    run = os.getpid()
    server.store.give_up = lambda names: _give_up(
        place, run, f"importing {names[0]} could have another result here", names
    )
    try:
        fresh.become(*request)
    except Exception as error:
        _give_up(place, run, f"the server cannot take its place: {error}", [])
    server.store.accept_patches()
    warm_run.was_asked = warm_run.is_fork = True
    try:
        _run()
    except SystemExit as ended:
        fresh.end(ended, prepared.loaded)


def _run() -> None:
    """Run the program that the client was started as."""
    main = sys.modules["__main__"]
    if main.__spec__ is not None:
        runpy.run_module(main.__spec__.name, run_name="__main__", alter_sys=True)
    else:
        with open(sys.argv[0], "rb") as script:
            exec(compile(script.read(), sys.argv[0], "exec"), vars(main))


def _give_up(place: Place, run: int, reason: str, modules: list[str]) -> NoReturn:
    """End a run, from any of its processes, before its first test: its client has to start it.

    Args:
        place: The server's place.
        run: The process id of the run.
        reason: Why.
        modules: Those that the run can neither be given nor import anew.
    """
    files.write(place.refusal(run), {"reason": reason, "modules": modules})
    os.kill(run, signal.SIGKILL)
    # Its other processes die with it.
    os._exit(1)


if __name__ == "__main__":
    main()
