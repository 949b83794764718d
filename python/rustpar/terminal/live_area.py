"""A few lines at the bottom of a terminal, below all other output.

Only cursor movements relative to the output are used. Between two writes the cursor is at the end of the output, even
in the middle of a line, so text that other processes write goes to the same place as without the area.

The hazard it handles: every writer must find the screen as it left it, and nothing of the area may remain. So text
written while the area is shown is buffered briefly, and written in one piece: the area erased, the text, the area drawn
again below. Terminals show no state in between.
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

# The maximum time in seconds for which text is buffered while the controller handles events.
_MAX_DELAY = 0.05


class LiveArea:
    """The lines, and the streams whose text is written above them.

    Attributes:
        lines: The lines to show, with markup and not wider than the terminal.
    """

    def __init__(self, writer: Any, *, is_pytests: bool) -> None:
        """Create a hidden area.

        Args:
            writer: The reporter's terminal writer.
            is_pytests: Whether the reporter is pytest's own, which never moves the cursor back over its output. Then
                the area also erases text right of the cursor, which another process may have written there because the
                cursor was in the middle of the area's line.
        """
        self.lines: Sequence[str] = ()
        self._writer = writer
        self._terminal: TextIO = stream_of(writer)
        self._is_pytests = is_pytests
        self._held: list[str] = []
        self._painted = 0.0
        self._is_open = False
        # The control sequences that erase the area; empty when it is hidden.
        self._undo = ""

    @contextlib.contextmanager
    def below_output(self) -> Iterator[None]:
        """Keep the area below everything that this process writes to the terminal."""
        terminal = self._terminal
        output = cast("TextIO", _BufferedStream(terminal, self))
        errors = cast("TextIO", _UnbufferedStream(sys.stderr, self)) if is_terminal(sys.stderr) else None
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
            self.hide()
            if stream_of(self._writer) is output:
                set_stream(self._writer, terminal)
            if sys.stdout is output:
                sys.stdout = terminal
            if errors is not None and sys.stderr is errors:
                sys.stderr = plain_errors

    def size(self) -> os.terminal_size:
        """The current size of the terminal."""
        try:
            columns, lines = os.get_terminal_size(self._terminal.fileno())
        except (OSError, ValueError):
            columns, lines = 0, 0
        # A terminal that does not know its size reports 0.
        return os.terminal_size((columns or 80, lines or 24))

    def hold(self, text: str) -> None:
        """Buffer text that goes above the area."""
        self._held.append(text)
        if not self._is_open:
            # The stream is still used after the block has ended.
            self._write(self._take_erase_and_text())

    def paint_when_due(self) -> None:
        """Write buffered text, unless that was done a moment ago."""
        now = _core.monotonic()
        if self._is_open and now - self._painted >= _MAX_DELAY:
            self._painted = now
            self._write(self._take_erase_and_text() + self._draw())

    def hide(self) -> None:
        """Write buffered text and erase the area, until it is painted again."""
        self._write(self._take_erase_and_text())

    def _take_erase_and_text(self) -> str:
        """Return the control sequences that erase the area, followed by the buffered text, and clear both."""
        undo, self._undo = self._undo, ""
        held, self._held = self._held, []
        return undo + "".join(held)

    def _draw(self) -> str:
        """Return the text that draws the area below the output and moves the cursor back."""
        end = current_line_of(self._writer)[-1:]
        width = self._writer.width_of_current_line
        drawn, self._undo = _core.live_area(self.lines, self.size().columns, width, end, self._is_pytests)
        return drawn

    def _write(self, text: str) -> None:
        if text:
            self._terminal.write(text)
            self._terminal.flush()


class _Stream(abc.ABC):
    """A stream to the terminal that shows the live area."""

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


class _BufferedStream(_Stream):
    """A stream whose text a live area buffers briefly."""

    def write(self, text: str) -> int:
        if not text.isascii():
            # Raise encoding errors in the call that causes them.
            text.encode(self._stream.encoding, self._stream.errors or "strict")
        self._area.hold(text)
        return len(text)

    def flush(self) -> None:
        self._area.paint_when_due()


class _UnbufferedStream(_Stream):
    """A stream to the same terminal, for whose output the live area is hidden."""

    def write(self, text: str) -> int:
        self._area.hide()
        return self._stream.write(text)
