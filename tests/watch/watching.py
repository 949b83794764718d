"""`rustpar watch` on a pseudo-terminal or in pipes, and what its runs have run."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.harness import RUN_LIMIT
from tests.pseudoterminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.harness import Suite

PROGRAM = ("-m", "rustpar.cli", "watch")

# The variables of the machine that change what pytest prints, or where git looks.
_ENVIRONMENT = {"GIT_CEILING_DIRECTORIES": "/", "PYTHONDONTWRITEBYTECODE": "1"}

_STYLES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")

_STARTED = "test session starts"
_WAITING = "waiting for changes"

# Two modules, each with a test.
PACKAGE = {
    "pytest.ini": "[pytest]\npythonpath = .\n",
    "low.py": "VALUE = 1\n",
    "high.py": "from low import VALUE\n",
    "other.py": "VALUE = 1\n",
    "tests/test_high.py": "import high\ndef test_high(): assert high.VALUE < 10\ndef test_high_too(): pass\n",
    "tests/test_other.py": "import other\ndef test_other(): assert other.VALUE < 10\n",
}
HIGH = ["test_high", "test_high_too"]
BROKEN = "VALUE = 100\n"
WHOLE = "VALUE = 1\n"


class Watching:
    """A running `rustpar watch`.

    Attributes:
        suite: The project.
        terminal: Its terminal.
    """

    def __init__(self, suite: Suite, terminal: Terminal, runtime: Path) -> None:
        """Watch the suite's directory; warm servers are in the directory `runtime`."""
        self.suite = suite
        self.terminal = terminal
        self._runtime = runtime

    @property
    def text(self) -> str:
        """All output, without colours."""
        return _STYLES.sub("", self.terminal.raw.decode(errors="replace")).replace("\r", "")

    @property
    def runs(self) -> int:
        """How many runs have started."""
        return self.text.count(_STARTED)

    def last(self) -> str:
        """Return the output since the start of the last run."""
        return self.text.rpartition(_STARTED)[2]

    def ran(self) -> list[str]:
        """Return the names of the tests that the last run has run, in their order."""
        return re.findall(r"^\S*?::(\S+) (?:PASSED|FAILED|ERROR)", self.last(), re.MULTILINE)

    def wait_for_run(self, number: int) -> None:
        """Wait until this many runs have started and no more are under way."""
        self.terminal.wait(lambda: self.runs >= number and _WAITING in self.last())
        assert self.runs == number, self.text

    def wait_for_server(self) -> None:
        """Wait until there is a warm server for the next run."""
        self.terminal.wait(lambda: any(self._runtime.glob("rustpar/*.socket")))

    def wait_for(self, text: str) -> None:
        """Wait until the output since the start of the last run has this text."""
        self.terminal.wait(lambda: text in self.last())

    def write(self, files: Mapping[str, str]) -> None:
        """Write files, as an editor does that replaces them."""
        for name, text in files.items():
            path = self.suite.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            new = path.with_name(f"{path.name}.new~")
            new.write_text(text)
            new.replace(path)

    def change(self, **modules: str) -> None:
        """Write modules in place."""
        for name, text in modules.items():
            (self.suite.path / f"{name}.py").write_text(text)

    def does_not_run(self) -> None:
        """Check that no run follows by itself: the next one is that for a new file."""
        before = self.runs
        self.write({"tests/test_sentinel.py": f"def test_sentinel_{before}(): pass\n"})
        self.wait_for_run(before + 1)
        assert f"test_sentinel_{before}" in self.ran()

    def quit(self) -> int:
        """Quit; return the exit status."""
        self.terminal.type(b"q")
        return self.terminal.wait_for_exit()


@contextlib.contextmanager
def runtime_directory() -> Iterator[dict[str, str]]:
    """Make a directory for warm servers, which are ended; yield the environment for it."""
    # Paths of sockets must be short.
    with tempfile.TemporaryDirectory() as directory:
        try:
            yield {**_ENVIRONMENT, "XDG_RUNTIME_DIR": directory}
        finally:
            end = time.monotonic() + RUN_LIMIT
            # A server may be about to start.
            while _end_processes(directory):
                assert time.monotonic() < end
                time.sleep(0.02)


def _end_processes(directory: str) -> bool:
    found = False
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdigit() and directory.encode() in (process / "cmdline").read_bytes():
                found = True
                os.kill(int(process.name), signal.SIGKILL)
    return found


@contextlib.contextmanager
def watching(suite: Suite, *args: str, environment: Mapping[str, str] | None = None) -> Iterator[Watching]:
    """Watch a suite on a terminal."""
    with runtime_directory() as variables:
        terminal = Terminal(suite, ["-v", *args], (100, 40), {**variables, **(environment or {})}, PROGRAM)
        try:
            yield Watching(suite, terminal, Path(variables["XDG_RUNTIME_DIR"]))
        finally:
            terminal.close()


class Piped:
    """A running `rustpar watch` without a terminal."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path) -> None:
        """Read its output from a file."""
        self.process = process
        self._output = output

    @property
    def text(self) -> str:
        """All output."""
        return self._output.read_text(errors="replace")

    def wait(self, condition: Callable[[str], bool]) -> None:
        """Wait until the output is as wanted."""
        end = time.monotonic() + RUN_LIMIT
        while not condition(self.text):
            assert time.monotonic() < end, self.text
            assert self.process.poll() is None, self.text
            time.sleep(0.02)

    def wait_for_run(self, number: int) -> None:
        """Wait until this many runs have ended."""
        self.wait(lambda text: text.count(_STARTED) >= number and text.count(_WAITING) >= number)


@contextlib.contextmanager
def piped(suite: Suite, *args: str) -> Iterator[Piped]:
    """Watch a suite without a terminal, in a session of its own."""
    with runtime_directory() as variables:
        output = suite.path.parent / f"output-{suite.path.name}"
        with output.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, *PROGRAM, "-v", *args],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                cwd=suite.path,
                env=os.environ | variables,
                start_new_session=True,
            )
        try:
            yield Piped(process, output)
        finally:
            process.kill()
            process.wait(RUN_LIMIT)
