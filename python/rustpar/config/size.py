"""Sizes of memory, as people write them: ``500M``, ``1.5G``, ``800MiB``."""

from __future__ import annotations

import re

# A thousand and twenty-four of the one before, whichever way it is written: so count the kernel, containers and Java.
_UNITS = {"K": 10, "M": 20, "G": 30, "T": 40}

# Bytes that no address counts to, and no signed number of 64 bits.
_TOO_LARGE = 1 << 63

# Characters of a size that is shown as it was written; the largest has 19 digits.
_LONGEST = 40

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT])(?:i?B)?", re.ASCII | re.IGNORECASE)


def in_bytes(text: str) -> int:
    """The bytes that `text` stands for.

    Args:
        text: A number above 0 with a unit: K, M, G or T, also as in MB and MiB. All count in steps of 1024.

    Raises:
        ValueError: With a line that says what to write instead.
    """
    found = _SIZE.fullmatch(text.strip())
    # No integer yet: a number may have more digits than a float can hold, and then is infinite.
    size = 0.0 if found is None else float(found[1]) * (1 << _UNITS[found[2].upper()])
    if size < 1:
        raise ValueError(f"{text!r} is no size; write a number with K, M, G or T, as in 500M or 1.5G")
    if size >= _TOO_LARGE:
        raise ValueError(f"{_shortened(text)!r} is more than any machine has; write less than 8388608T")
    return int(size)


def _shortened(text: str) -> str:
    """A text that fits into a line."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
