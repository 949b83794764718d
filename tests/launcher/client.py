"""Starting runs of pytest like :class:`subprocess.Popen`, as far as :meth:`pytest.Pytester.run` uses it."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import socket
import subprocess
import sys
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

    def __init__(self, channel: Channel, pid: int, command: Sequence[str]) -> None:
        """Represent the process `pid`, about which `channel` will tell."""
        self.pid = pid
        self.returncode: int | None = None
        self._channel = channel
        self._command = command

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status, or minus a signal.

        Raises:
            subprocess.TimeoutExpired: It is still running after `timeout` seconds.
            RuntimeError: It could not be started; the launcher's standard error says why.
        """
        if self.returncode is None:
            self._channel.socket.settimeout(timeout)
            try:
                self.returncode = int(self._channel.receive()["status"])
            except TimeoutError:
                raise subprocess.TimeoutExpired(self._command, timeout or 0.0) from None
            except BaseException:
                self.kill()
                raise
        if self.returncode == FAILED:
            raise RuntimeError("the fork could not become like a new process")
        return self.returncode

    def kill(self) -> None:
        """Kill it."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


class Launcher:
    """A process that forks runs, one after the other."""

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
        self._is_asked = False
        self._last: LaunchedProcess | None = None
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
        """End it, and the run that it has forked."""
        atexit.unregister(self.close)
        self._channel.close()
        self._process.kill()
        self._process.wait()

    @property
    def is_lost(self) -> bool:
        """Whether nobody has waited for the end of the last run: what is told next may be about that."""
        return self._is_asked and (self._last is None or self._last.returncode is None)

    def can_start(self, arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
        """Whether a fork can be like a new process with these arguments in this environment."""
        if not self._not_rewritten.isdisjoint(arguments):
            return False
        path = environment.get(_PATH, "").split(os.pathsep)
        has_start_files = any(Path(directory, name).exists() for directory in path for name in _START_FILES)
        is_marked = len(environment.get(MARK, "")) == _MARK_LENGTH
        return is_marked and not has_start_files and _read_at_start(environment) == self._at_start

    def start(self, arguments: Sequence[str], environment: dict[str, str], output: list[int]) -> LaunchedProcess:
        """Start pytest with arguments in an environment; `output` are descriptors for standard output and error."""
        main = warm_client.Main(str(Path(pytest.__file__).with_name("__main__.py")), "pytest.__main__")
        request = warm_client.describe_run(main, list(arguments), [0, 1, 2]) | {
            "environment": environment,
            "orig_argv": [sys.executable, "-mpytest", *arguments],
        }
        # Its other end is closed: there is nothing to read.
        empty, end = os.pipe()
        os.close(end)
        try:
            self._channel.socket.settimeout(_START_LIMIT)
            self._is_asked, self._last = True, None
            self._channel.send(request, [empty, *output])
            self._last = LaunchedProcess(self._channel, int(self._channel.receive()["process"]), arguments)
            return self._last
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

    def popen_of(self, pytester: pytest.Pytester) -> Callable[..., Any]:
        """Return what can replace the method of `pytester` that starts processes."""
        started_anew = pytester.popen

        def popen(cmdargs: Sequence[str], stdout: Any, stderr: Any, stdin: Any, **others: Any) -> Any:
            environment = dict(os.environ)
            environment[_PATH] = os.pathsep.join(filter(None, [str(Path.cwd()), environment.get(_PATH)]))
            program, arguments = tuple(cmdargs[:2]), cmdargs[2:]
            is_run = program == (sys.executable, "-mpytest") and stdin is pytester.CLOSE_STDIN and not others
            if self._launcher is not None and self._launcher.is_lost:
                self._launcher.close()
                self._launcher = self._started()
            if self._launcher is not None and is_run and self._launcher.can_start(arguments, environment):
                return self._launcher.start(arguments, environment, [stdout.fileno(), stderr.fileno()])
            return started_anew(cmdargs, stdout=stdout, stderr=stderr, stdin=stdin, **others)

        return popen
