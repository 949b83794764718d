"""The warm server: imports pytest and third-party packages, and forks a process for each run that a client hands over.

The hazard it handles: it must not stay when nobody needs it, and not run with what has changed meanwhile.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import runpy
import signal
import sys
import time
from typing import Any, NoReturn

from rustpar.warm import client, files, fresh
from rustpar.warm import place as places
from rustpar.warm import run as warm_run
from rustpar.warm.confinement import confinement_of
from rustpar.warm.imports import library_directories
from rustpar.warm.messages import Channel
from rustpar.warm.place import Place
from rustpar.warm.preparation import Prepared, prepare
from rustpar.warm.run_server import RunServer

# Seconds without a run after which a server leaves.
IDLE_LIMIT = 1800.0


class Server(RunServer):
    """A server with everything imported.

    Attributes:
        store: The modules.
    """

    def __init__(self, place: Place, lock: int, prepared: Prepared) -> None:
        """Listen at this place, until the server leaves and closes the descriptor `lock`."""
        super().__init__(place.socket, place)
        self._place = place
        self._lock = lock
        self.store = prepared.store
        self._snapshot = prepared.snapshot
        self._number_left_out = prepared.left_out
        self._confinement = confinement_of(os.getpid())

    def note(self, text: str) -> None:
        """Write it to the log."""
        files.log(text)

    def look(self) -> None:
        """Leave after an idle time, too."""
        if time.monotonic() - self._last > IDLE_LIMIT:
            self.leave("nobody has needed it for a while")
        else:
            super().look()

    def leave(self, reason: str) -> None:
        """Listen no more; the next server need not wait for the end of the last run."""
        super().leave(reason)
        os.close(self._lock)

    def leave_out(self, refused: list[str]) -> None:
        """Let the next server do without modules that a run of this project could not be given."""
        with contextlib.suppress(OSError):
            reasons = dict.fromkeys(refused, "could have had another result in a run")
            left_out = files.read(self._place.left_out, {}) | self.store.with_dependents(reasons)
            files.write(self._place.left_out, left_out)
        if not self._is_leaving:
            self.leave(f"a run could not be given {', '.join(refused[:3])}")

    def answer(self, channel: Channel, request: dict[str, Any]) -> None:
        """Say what it does, or leave."""
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
            self.leave("it was asked to")
            channel.send({"pid": os.getpid()})

    def reason_against(self, request: dict[str, Any], process: int) -> str | None:
        """Return what differs between this process and the client, or has changed since everything was imported."""
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
            self.leave(f"{changed} has changed")
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._place.left_out)
            return f"{changed} has changed"
        return None


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
    warm_run.process, client.request = os.getpid(), request.message
    server.store.give_up = lambda names: _give_up(place, f"importing {names[0]} could have another result here", names)
    try:
        fresh.become(*request)
    except Exception as error:
        _give_up(place, f"the server cannot take its place: {error}", [])
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


def _give_up(place: Place, reason: str, modules: list[str]) -> NoReturn:
    """End a run, from any of its processes, before its first test: its client has to start it.

    Args:
        place: The server's place.
        reason: Why.
        modules: Those that the run can neither be given nor import anew.
    """
    files.write(place.refusal(warm_run.process), {"reason": reason, "modules": modules})
    os.kill(warm_run.process, signal.SIGKILL)
    # Its other processes die with it.
    os._exit(1)


if __name__ == "__main__":
    main()
