"""How often, or for how long, a run repeats every test: ``--rustpar-repeat``."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rustpar import _core

if TYPE_CHECKING:
    import pytest


class Repeat(NamedTuple):
    """A run's repetitions.

    Attributes:
        times: How often every test runs; None if time decides.
        seconds: For how long tests are started; None if the number decides.
    """

    times: int | None
    seconds: float | None


def parse(text: str) -> Repeat:
    """Parse a number, or a duration with a unit: ``200``, ``10m``.

    Raises:
        ValueError: It is neither; a line that says what to write.
    """
    text = text.strip()
    if text.isdecimal():
        if int(text) > 0:
            return Repeat(int(text), None)
    elif text[-1:].isalpha():
        try:
            seconds = _core.parse_duration(text)
        except ValueError:
            seconds = 0.0
        if seconds > 0:
            return Repeat(None, seconds)
    raise ValueError(f"invalid number of repetitions {text!r}: expected a number, as in 200, or a time, as in 10m")


def repeat_of(config: pytest.Config) -> Repeat | None:
    """Return the repetitions of a run; None if tests run once."""
    repeat: Repeat | None = config.getoption("rustpar_repeat", None)
    return repeat
