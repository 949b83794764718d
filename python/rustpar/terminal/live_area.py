"""A few lines at the bottom of a terminal, below whatever else is written to it.

Only movements relative to the output are used. Between two writes the cursor stands where the output has come to, be it
in the middle of a line, so text that others write past this module goes where it would have gone without.

The hazard it handles: whoever writes must find the screen as they left it, and nothing of the area may stay behind. So
what is written while the area is shown is held for a moment, and goes out in one piece: the area taken away, the text,
the area drawn again below. Terminals show no state between.
"""

from __future__ import annotations

import abc
import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any, TextIO, cast

from rustpar import _core
from rustpar.compat.terminal import current_line_of, set_stream, stream_of
from rustpar.terminal.reporter import is_terminal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Seconds for which text is held at most while the controller handles events.
_HELD = 0.05

# Control sequences of ECMA-48 and the VT100. Index moves down and keeps the column, at the bottom it scrolls.
_INDEX, _SAVE, _RESTORE = "\x1bD", "\x1b7", "\x1b8"
_ERASE_TO_END = "\x1b[J"
_ERASE_TO_START_OF_LINE = "\x1b[1K"


class LiveArea:
    """The lines, and the streams whose text goes above them.

    Attributes:
        lines: What is to be shown, with markup and not wider than the terminal.
    """

    def __init__(self, writer: Any, *, is_pytests: bool) -> None:
        """Show nothing yet.

        Args:
            writer: The reporter's terminal writer.
            is_pytests: Whether the reporter is pytest's own, which never moves the cursor back over what it has
                written. Then the area also removes what it finds right of the cursor: another process that writes to
                this terminal ends its lines in the middle of the area's.
        """
        self.lines: Sequence[str] = ()
        self._writer = writer
        self._terminal: TextIO = stream_of(writer)
        self._is_pytests = is_pytests
        self._held: list[str] = []
        self._painted = 0.0
        self._is_open = False
        # What takes the area away again; empty when it is not shown.
        self._undo = ""

    @contextlib.contextmanager
    def below_output(self) -> Iterator[None]:
        """Have the area below everything that this process writes to the terminal."""
        terminal = self._terminal
        output = cast("TextIO", _Held(terminal, self))
        errors = cast("TextIO", _After(sys.stderr, self)) if is_terminal(sys.stderr) else None
        set_stream(self._writer, output)
        if sys.stdout is terminal:
            sys.stdout = output
        if errors is not None:
            plain_errors, sys.stderr = sys.stderr, errors
        self._is_open = True
        try:
            yield
        finally:
            self._is_open = False
            self.make_way()
            if stream_of(self._writer) is output:
                set_stream(self._writer, terminal)
            if sys.stdout is output:
                sys.stdout = terminal
            if errors is not None and sys.stderr is errors:
                sys.stderr = plain_errors

    def size(self) -> os.terminal_size:
        """The terminal's size now."""
        try:
            columns, lines = os.get_terminal_size(self._terminal.fileno())
        except (OSError, ValueError):
            columns, lines = 0, 0
        # A terminal that does not know its size says 0.
        return os.terminal_size((columns or 80, lines or 24))

    def hold(self, text: str) -> None:
        """Take in text that goes above the area."""
        self._held.append(text)
        if not self._is_open:
            # Somebody has kept the stream.
            self._write(self._taken())

    def paint_when_due(self) -> None:
        """Write what is held, unless that was done a moment ago."""
        now = _core.monotonic()
        if self._is_open and now - self._painted >= _HELD:
            self._painted = now
            self._write(self._taken() + self._drawn())

    def make_way(self) -> None:
        """Write what is held and take the area away, until it is painted again."""
        self._write(self._taken())

    def _taken(self) -> str:
        """What takes the area away and writes what is held."""
        undo, self._undo = self._undo, ""
        held, self._held = self._held, []
        return undo + "".join(held)

    def _drawn(self) -> str:
        """What draws the area below the output, and brings the cursor back."""
        if not self.lines:
            return ""
        height = len(self.lines)
        tail = self._last_of_full_line()
        if self._is_pytests and not tail:
            self._undo = _ERASE_TO_END
        else:
            self._undo = f"{_INDEX}{_ERASE_TO_START_OF_LINE}{_ERASE_TO_END}\x1b[A{tail}"
        room = _INDEX * height + f"\x1b[{height}A"
        return room + _SAVE + "".join(f"\r\n{line}" for line in self.lines) + _RESTORE + tail

    def _last_of_full_line(self) -> str:
        """What writes the last character of a line that fills the width once more, else nothing.

        There a terminal waits with going to the next line until more is written, and every movement makes it forget.
        """
        columns = self.size().columns
        width = self._writer.width_of_current_line
        if width <= 0 or width % columns:
            return ""
        last = current_line_of(self._writer)[-1]
        return f"\x1b[{columns + 1 - _core.width(last)}G{last}"

    def _write(self, text: str) -> None:
        if text:
            self._terminal.write(text)
            self._terminal.flush()


class _Stream(abc.ABC):
    """A stream to a terminal that a live area is on."""

    def __init__(self, stream: TextIO, area: LiveArea) -> None:
        self._stream = stream
        self._area = area

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @abc.abstractmethod
    def write(self, text: str) -> int: ...

    def writelines(self, lines: Sequence[str]) -> None:
        for line in lines:
            self.write(line)


class _Held(_Stream):
    """A stream whose text a live area holds for a moment."""

    def write(self, text: str) -> int:
        if not text.isascii():
            # Who writes is to learn at once what cannot be written.
            text.encode(self._stream.encoding, self._stream.errors or "strict")
        self._area.hold(text)
        return len(text)

    def flush(self) -> None:
        self._area.paint_when_due()


class _After(_Stream):
    """A stream to the same terminal, for whose text a live area makes way."""

    def write(self, text: str) -> int:
        self._area.make_way()
        return self._stream.write(text)
