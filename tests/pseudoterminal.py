"""Runs of pytest on a terminal of their own, which the tests look at.

The terminal is a pseudo-terminal, and what arrives there is drawn by pyte, a terminal emulator.
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

# What would have the run treat its terminal in another way.
_DROPPED = ("CI", "NO_COLOR", "FORCE_COLOR", "PY_COLORS", "COLUMNS", "LINES", "BUILD_NUMBER")


class Terminal:
    """A terminal on which pytest runs.

    Attributes:
        raw: All that has arrived so far.
        process: The run.
    """

    def __init__(
        self, suite: Suite, args: Sequence[str], size: tuple[int, int], environment: Mapping[str, str]
    ) -> None:
        """Start pytest in the suite's directory, on a terminal of so many columns and lines."""
        columns, lines = size
        self.raw = b""
        self._screen = pyte.HistoryScreen(columns, lines, history=10_000)
        self._stream = pyte.ByteStream(self._screen)
        self._master, slave = pty.openpty()
        self._set_size(columns, lines)
        inherited = {name: value for name, value in os.environ.items() if name not in _DROPPED}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *args],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=suite.path,
            env={**inherited, "TERM": "xterm-256color", **environment},
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(slave)

    def _set_size(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def resize(self, columns: int, lines: int) -> None:
        """Change the size, as somebody who draws at a window's corner does."""
        self._set_size(columns, lines)
        self._screen.resize(lines, columns)

    def type(self, keys: bytes) -> None:
        """Type on its keyboard."""
        os.write(self._master, keys)

    @property
    def screen(self) -> list[str]:
        """The lines that can be seen."""
        return [line.rstrip() for line in self._screen.display]

    @property
    def text(self) -> list[str]:
        """The lines that can be seen, and those that have been scrolled out, but for empty ones at the end."""
        columns = range(self._screen.columns)
        above = ["".join(line[column].data for column in columns).rstrip() for line in self._screen.history.top]
        lines = above + self.screen
        while lines and not lines[-1]:
            lines.pop()
        return lines

    @property
    def cursor(self) -> tuple[int, int]:
        """Line and column of the cursor."""
        return self._screen.cursor.y, self._screen.cursor.x

    def shows(self, *patterns: str) -> bool:
        """Whether each of these regular expressions is found in a line that can be seen."""
        return all(any(re.search(pattern, line) for line in self.screen) for pattern in patterns)

    def wait_to_show(self, *patterns: str) -> None:
        """Wait until each of these regular expressions is found on the screen at the same time."""
        self.wait(lambda: self.shows(*patterns))

    def wait(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so."""
        end = time.monotonic() + RUN_LIMIT
        while not condition():
            assert time.monotonic() < end, "it never came to be; the screen is\n" + "\n".join(self.screen)
            assert self._read(), "the run is over; the screen is\n" + "\n".join(self.text)

    def wait_for_more(self, size: int) -> None:
        """Wait until so many bytes more have arrived."""
        enough = len(self.raw) + size
        self.wait(lambda: len(self.raw) >= enough)

    def wait_for_exit(self) -> int:
        """Wait for the end of the run; its exit status."""
        end = time.monotonic() + RUN_LIMIT
        while self._read():
            assert time.monotonic() < end, "it does not end; the screen is\n" + "\n".join(self.screen)
        return self.process.wait(RUN_LIMIT)

    def _read(self) -> bool:
        """Take in what arrives within a moment; False when nothing can arrive any more."""
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
        """Take the terminal away; a run that is still there gets a hang-up."""
        os.close(self._master)
        self.process.wait(RUN_LIMIT)


@contextlib.contextmanager
def on_terminal(
    suite: Suite, *args: str, columns: int = 80, lines: int = 24, environment: Mapping[str, str] | None = None
) -> Iterator[Terminal]:
    """A run of pytest on a terminal of its own, with additional environment variables."""
    terminal = Terminal(suite, args, (columns, lines), environment or {})
    try:
        yield terminal
    finally:
        terminal.close()


def _take_terminal() -> None:
    """Make standard input the terminal that controls this session, from which Ctrl-C comes."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
