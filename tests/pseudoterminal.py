"""Runs of pytest on a pseudo-terminal whose screen the tests inspect.

Output that arrives at the pseudo-terminal is rendered by pyte, a terminal emulator.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING

import pyte

from tests.harness import RUN_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tests.harness import Suite

# Environment variables that change how the run uses its terminal.
_DROPPED = ("CI", "NO_COLOR", "FORCE_COLOR", "PY_COLORS", "COLUMNS", "LINES", "BUILD_NUMBER")

# The arguments of Python that run pytest.
PYTEST = ("-m", "pytest", "-p", "no:cacheprovider")


class Terminal:
    """A terminal on which pytest or another program runs.

    Attributes:
        raw: All output so far.
        process: The run.
    """

    def __init__(
        self,
        suite: Suite,
        args: Sequence[str],
        size: tuple[int, int],
        environment: Mapping[str, str],
        program: Sequence[str] = PYTEST,
    ) -> None:
        """Start a program in the suite's directory, on a terminal with the given columns and lines."""
        columns, lines = size
        self.raw = b""
        self._screen = pyte.HistoryScreen(columns, lines, history=10_000)
        self._stream = pyte.ByteStream(self._screen)
        self._master, slave = pty.openpty()
        self._settings = termios.tcgetattr(slave)
        self._set_size(columns, lines)
        inherited = {name: value for name, value in os.environ.items() if name not in _DROPPED}
        self.process = subprocess.Popen(
            [sys.executable, *program, *args],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=suite.path,
            env={**inherited, "TERM": "xterm-256color", **environment},
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(slave)

    def is_restored(self) -> bool:
        """Whether echo and line editing are as at the beginning."""
        return termios.tcgetattr(self._master) == self._settings

    def _set_size(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def resize(self, columns: int, lines: int) -> None:
        """Change the size, like a user who resizes the window."""
        self._set_size(columns, lines)
        self._screen.resize(lines, columns)

    def type(self, keys: bytes) -> None:
        """Send keyboard input."""
        os.write(self._master, keys)

    @property
    def screen(self) -> list[str]:
        """Return the visible lines."""
        return [line.rstrip() for line in self._screen.display]

    @property
    def text(self) -> list[str]:
        """Return the visible lines and those scrolled out, without empty ones at the end."""
        columns = range(self._screen.columns)
        above = ["".join(line[column].data for column in columns).rstrip() for line in self._screen.history.top]
        lines = above + self.screen
        while lines and not lines[-1]:
            lines.pop()
        return lines

    @property
    def cursor(self) -> tuple[int, int]:
        """Return line and column of the cursor."""
        return self._screen.cursor.y, self._screen.cursor.x

    def shows(self, *patterns: str) -> bool:
        """Return whether each of these regular expressions matches in a visible line."""
        return all(any(re.search(pattern, line) for line in self.screen) for pattern in patterns)

    def wait_to_show(self, *patterns: str) -> None:
        """Wait until all these regular expressions match on the screen at the same time."""
        self.wait(lambda: self.shows(*patterns))

    def wait(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition is true."""
        end = time.monotonic() + RUN_LIMIT
        while not condition():
            assert time.monotonic() < end, "it never came to be; the screen is\n" + "\n".join(self.screen)
            assert self._read(), "the run is over; the screen is\n" + "\n".join(self.text)

    def wait_for_more(self, size: int) -> None:
        """Wait until the given number of further bytes has arrived."""
        enough = len(self.raw) + size
        self.wait(lambda: len(self.raw) >= enough)

    def wait_for_exit(self) -> int:
        """Wait for the end of the run and return its exit status."""
        end = time.monotonic() + RUN_LIMIT
        while self._read():
            assert time.monotonic() < end, "it does not end; the screen is\n" + "\n".join(self.screen)
        return self.process.wait(RUN_LIMIT)

    def _read(self) -> bool:
        """Process output that arrives within a moment; return False at the end of the output."""
        ready, _, _ = select.select([self._master], [], [], 0.05)
        if ready:
            try:
                data = os.read(self._master, 65536)
            except OSError:
                return False
            self.raw += data
            self._stream.feed(data)
        return True

    def close(self) -> None:
        """Close the terminal; a run that is still active gets SIGHUP."""
        os.close(self._master)
        self.process.wait(RUN_LIMIT)


@contextlib.contextmanager
def on_terminal(
    suite: Suite, *args: str, columns: int = 80, lines: int = 24, environment: Mapping[str, str] | None = None
) -> Iterator[Terminal]:
    """Run pytest on its own terminal, with additional environment variables."""
    terminal = Terminal(suite, args, (columns, lines), environment or {})
    try:
        yield terminal
    finally:
        terminal.close()


def _take_terminal() -> None:
    """Make standard input the controlling terminal of this session, from which Ctrl-C comes."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
