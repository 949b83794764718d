"""Starting runs of pytest like :class:`subprocess.Popen`, as far as :meth:`pytest.Pytester.run` uses it."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rustpar.warm import client as warm_client
from rustpar.warm.messages import Channel, Closed
from tests.harness import MARK
from tests.launcher.server import FAILED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# Variables that the interpreter, the C library or coverage reads when a process starts.
_READ_AT_START = ("PYTHON", "LC_", "LANG", "LD_", "MALLOC_", "GLIBC_", "COVERAGE_", "COV_CORE_")

# This one is read by the launcher.
_PATH = "PYTHONPATH"

# Modules that the interpreter imports when it starts.
_START_FILES = ("sitecustomize.py", "usercustomize.py")

# The length of a mark: what the system shows as the environment of a process can be changed, but does not grow.
_MARK_LENGTH = 32

# Seconds for a launcher to import everything, and to fork.
_START_LIMIT = 60.0


class LaunchedProcess:
    """A run of pytest.

    Attributes:
        stdin: None, as standard input is given by the caller.
        pid: Its process id.
        returncode: As of :class:`subprocess.Popen`.
    """

    stdin = None

    def __init__(self, launcher: Launcher, pid: int, command: Sequence[str]) -> None:
        """Represent the process `pid` of a launcher."""
        self.pid = pid
        self.returncode: int | None = None
        self._launcher = launcher
        self._command = command

    def __enter__(self) -> LaunchedProcess:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.wait()

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status, or minus a signal.

        Raises:
            subprocess.TimeoutExpired: It is still running after `timeout` seconds.
            RuntimeError: It could not be started; the launcher's standard error says why.
        """
        if self.returncode is None:
            try:
                self.returncode = self._launcher.status_of(self.pid, timeout)
            except TimeoutError:
                raise subprocess.TimeoutExpired(self._command, timeout or 0.0) from None
            except BaseException:
                self.kill()
                raise
        if self.returncode == FAILED:
            raise RuntimeError("the fork could not become like a new process")
        return self.returncode

    def poll(self) -> int | None:
        """Return the exit status, or minus a signal; None if it is still running."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0.0)
        return None

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)


class Launcher:
    """A process that forks runs."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Start it in this environment."""
        ours, theirs = socket.socketpair()
        server = Path(__file__).with_name("server.py")
        self._at_start = _read_at_start(environment)
        self._process = subprocess.Popen(
            [sys.executable, server, str(theirs.fileno()), MARK, str(os.getpid())],
            env={name: value for name, value in environment.items() if name != _PATH} | {MARK: "0" * _MARK_LENGTH},
            cwd="/",
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        theirs.close()
        ours.settimeout(_START_LIMIT)
        self._channel = Channel(ours)
        self._not_rewritten: set[str] = set()
        # The runs that have ended, and nobody has waited for.
        self._ended: dict[int, int] = {}
        atexit.register(self.close)

    def wait_until_ready(self) -> None:
        """Wait until it has imported everything.

        Raises:
            Closed: It has ended.
            TimeoutError: It takes too long.
        """
        # Given with -p, pytest would rewrite their assertions.
        self._not_rewritten = set(self._channel.receive()["not rewritten"])

    def close(self) -> None:
        """End it, and the runs that it has forked."""
        atexit.unregister(self.close)
        self._channel.close()
        self._process.kill()
        self._process.wait()

    def status_of(self, pid: int, timeout: float | None) -> int:
        """Wait until a run has ended; return its exit status, or minus a signal.

        Raises:
            TimeoutError: It is still running after `timeout` seconds.
            Closed: The launcher has ended.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while pid not in self._ended:
            self._receive(end)
        return self._ended.pop(pid)

    def _receive(self, end: float | None) -> dict[str, Any]:
        # Without a limit if there is none; not 0, with which the socket would not wait and not say so.
        self._channel.socket.settimeout(None if end is None else max(end - time.monotonic(), 0.001))
        message = self._channel.receive()
        if "ended" in message:
            self._ended[int(message["ended"])] = int(message["status"])
        return message

    def can_start(self, arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
        """Whether a fork can be like a new process with these arguments in this environment."""
        if not self._not_rewritten.isdisjoint(arguments):
            return False
        path = environment.get(_PATH, "").split(os.pathsep)
        has_start_files = any(Path(directory, name).exists() for directory in path for name in _START_FILES)
        is_marked = len(environment.get(MARK, "")) == _MARK_LENGTH
        return is_marked and not has_start_files and _read_at_start(environment) == self._at_start

    def start(
        self, arguments: Sequence[str], environment: dict[str, str], directory: str, output: list[int]
    ) -> LaunchedProcess:
        """Start pytest with arguments, environment and directory; `output`: the numbers of its standard streams."""
        main = warm_client.Main(str(Path(pytest.__file__).with_name("__main__.py")), "pytest.__main__")
        request = warm_client.describe_run(main, list(arguments), [0, 1, 2]) | {
            "environment": environment,
            "directory": directory,
            "orig_argv": [sys.executable, "-mpytest", *arguments],
        }
        # Its other end is closed: there is nothing to read.
        empty, write_end = os.pipe()
        os.close(write_end)
        end = time.monotonic() + _START_LIMIT
        try:
            self._channel.socket.settimeout(_START_LIMIT)
            self._channel.send(request, [empty, *output])
            while True:
                message = self._receive(end)
                if "started" in message:
                    pid = int(message["started"])
                    # An earlier process may have had the same id.
                    self._ended.pop(pid, None)
                    return LaunchedProcess(self, pid, arguments)
        finally:
            os.close(empty)


def _read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_READ_AT_START) and name != _PATH}


class Launching:
    """Has a `Pytester` start runs of pytest with a launcher."""

    def __init__(self) -> None:
        """Start one in the environment as it is now, without what concerns these tests."""
        ours = ("PYTEST", "RUSTPAR")
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        self._launcher = self._started()

    def _started(self) -> Launcher | None:
        """Start a launcher; return None if that fails, as on a busy machine: then all runs are new processes."""
        launcher = Launcher(self._environment)
        try:
            launcher.wait_until_ready()
        except (OSError, Closed) as error:
            launcher.close()
            print(f"tests: no launcher ({error!r}): all runs are new processes", file=sys.__stderr__)
            return None
        return launcher

    def _can_start(self, arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
        return self._launcher is not None and self._launcher.can_start(arguments, environment)

    def _start(
        self, arguments: Sequence[str], environment: dict[str, str], directory: str, output: list[int]
    ) -> LaunchedProcess | None:
        assert self._launcher is not None
        try:
            return self._launcher.start(arguments, environment, directory, output)
        except (OSError, Closed) as error:
            # It could be confused about what it has started.
            self._launcher.close()
            self._launcher = None
            print(f"tests: the launcher has failed ({error!r}): all runs are new processes", file=sys.__stderr__)
            return None

    def popen_of(self, pytester: pytest.Pytester) -> Callable[..., Any]:
        """Return what can replace the method of `pytester` that starts processes."""
        started_anew = pytester.popen

        def popen(cmdargs: Sequence[str], stdout: Any, stderr: Any, stdin: Any, **others: Any) -> Any:
            environment = dict(os.environ)
            environment[_PATH] = os.pathsep.join(filter(None, [str(Path.cwd()), environment.get(_PATH)]))
            arguments = _arguments_of(cmdargs)
            # Standard input is empty; each run has a session of its own.
            is_run = stdin in (pytester.CLOSE_STDIN, b"") and others.keys() <= {"cwd", "start_new_session"}
            has_files = not isinstance(stdout, int) and not isinstance(stderr, int)
            if arguments is not None and is_run and has_files and self._can_start(arguments, environment):
                directory = os.fspath(others.get("cwd", Path.cwd()))
                started = self._start(arguments, environment, directory, [stdout.fileno(), stderr.fileno()])
                if started is not None:
                    return started
            return started_anew(cmdargs, stdout=stdout, stderr=stderr, stdin=stdin, **others)

        return popen


def _arguments_of(command: Sequence[str]) -> Sequence[str] | None:
    """Return the arguments of pytest; None if the command runs something else."""
    for start in ((sys.executable, "-mpytest"), (sys.executable, "-m", "pytest")):
        if tuple(command[: len(start)]) == start:
            return command[len(start) :]
    return None
