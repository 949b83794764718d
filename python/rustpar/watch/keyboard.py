"""The terminal while ``rustpar watch`` waits: single keys, and a line for the filter.

The hazard it handles: a terminal that is left without echo and line editing is of no use to the shell. So it is changed
only while the command waits, and every way out of that restores it. In the background it is not touched.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
from typing import Any

_INPUT = 0

# A key that sends several bytes, such as an arrow, has sent the others by then.
_SEQUENCE_LIMIT = 0.01

_MOST_BYTES = 4096


class Keyboard:
    """Standard input, if it is a terminal.

    Attributes:
        has_keys: Whether each key is read at once.
    """

    def __init__(self) -> None:
        """Remember how the terminal is."""
        self._normal: list[Any] | None = None
        self.has_keys = False
        with contextlib.suppress(termios.error, OSError):
            if os.isatty(_INPUT):
                self._normal = termios.tcgetattr(_INPUT)

    @property
    def exists(self) -> bool:
        """Whether there is a terminal."""
        return self._normal is not None

    def is_foreground(self) -> bool:
        """Whether keys are for this process, and Ctrl-C reaches all processes of its group."""
        try:
            return self._normal is not None and os.tcgetpgrp(_INPUT) == os.getpgrp()
        except OSError:
            return False

    def take_keys(self) -> None:
        """Have each key read at once; drop what was typed before."""
        if self._normal is None or not self.is_foreground():
            return
        attributes = list(self._normal)
        attributes[3] &= ~(termios.ICANON | termios.ECHO)
        attributes[6] = list(attributes[6])
        attributes[6][termios.VMIN], attributes[6][termios.VTIME] = 1, 0
        self.has_keys = True
        with contextlib.suppress(termios.error):
            termios.tcsetattr(_INPUT, termios.TCSAFLUSH, attributes)

    def restore(self) -> None:
        """Restore the terminal, if this process has changed it."""
        if self.has_keys:
            self.reset()

    def reset(self) -> None:
        """Restore the terminal, also from what others have made of it."""
        if self._normal is not None and self.is_foreground():
            with contextlib.suppress(termios.error):
                termios.tcsetattr(_INPUT, termios.TCSADRAIN, self._normal)
            self.has_keys = False

    def read_key(self) -> str | None:
        """Return the key that was typed; an empty text for one with a sequence, None if the terminal is gone."""
        try:
            key = os.read(_INPUT, 1)
            if key == b"\x1b":
                self._skip_sequence()
                return ""
        except OSError:
            return None
        return key.decode(errors="replace") if key else None

    def _skip_sequence(self) -> None:
        """Read the rest of a sequence: ``O`` and a byte, ``[`` and bytes up to a letter or ``~``, or any other byte."""
        first = byte = b""
        while select.select([_INPUT], [], [], _SEQUENCE_LIMIT)[0]:
            byte = os.read(_INPUT, 1)
            if not first and byte in (b"O", b"["):
                first = byte
            elif first != b"[" or not byte or b"@" <= byte <= b"~":
                return

    def read_part(self) -> str | None:
        """Return what was typed of a line, while the terminal is as before; None at its end, or without a terminal."""
        try:
            part = os.read(_INPUT, _MOST_BYTES)
        except OSError:
            return None
        return part.decode(sys.stdin.encoding or "utf-8", errors="replace") if part else None
