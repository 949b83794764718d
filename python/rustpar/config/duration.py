"""Durations, as people write them in options and read them on a screen."""

from __future__ import annotations

import re

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_FORM = re.compile(r"(\d+(?:\.\d+)?|\.\d+) *(ms|s|m|h)?", re.ASCII)


def parse(text: str) -> float:
    """The seconds that a text stands for: a number with the unit ``ms``, ``s``, ``m`` or ``h``; without one, seconds.

    Raises:
        ValueError: With one line that says what to write instead.
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no duration; use one like 500ms, 1s or 1.5m")
    number, unit = match.groups()
    return float(number) * _UNITS[unit or "s"]


def spoken(seconds: float) -> str:
    """A time that has passed: ``0.4 s``, ``59.9 s``, ``1:00 min``, ``2:00:00 h``."""
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    return f"{clock(seconds)} {'min' if seconds < 3600 else 'h'}"


def clock(seconds: float) -> str:
    """A time to come, in whole seconds: ``0:09``, ``12:00``, ``1:02:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
