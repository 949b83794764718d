"""How much of what failures say a journal keeps.

The hazard it handles: a suite whose tests print a lot and fail would fill the disk with journals that nobody reads.
What is left out is said in the text itself and counted, so that no reader takes a part for the whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rustpar.config.values import ini_text

if TYPE_CHECKING:
    from collections.abc import Sequence

_INI = "rustpar_journal_size"
DEFAULT = "10M"

# A text may take this part of what is left of the journal's size: of 10M the first ones may have 160 KiB each, more
# than anybody reads, and a thousand failures that print without end still have 256 characters each, where the error is.
_SHARE = 64
_LEAST = 256

# The share of a text's room that its beginning gets. An error stands at the end, of a traceback and of output alike.
_BEGINNING = 0.25

# Journals that are kept may be as large as this many full ones.
_FULL_JOURNALS = 10


def limit_of(config: pytest.Config) -> int | None:
    """Characters of failures that a journal keeps, by the ini file; None for all.

    Raises:
        pytest.UsageError: When the ini file gives no size.
    """
    given = ini_text(config, _INI)
    if given == "all":
        return None
    if given == DEFAULT:
        return 10 << 20
    from rustpar import _core

    try:
        return _core.parse_size(given)
    except ValueError as error:
        raise pytest.UsageError(f"{_INI}: {error}; or all") from None


def limit_of_all(config: pytest.Config) -> int | None:
    """Bytes that all journals in pytest's cache may take together; None for any number."""
    limit = limit_of(config)
    return None if limit is None else limit * _FULL_JOURNALS


class Room:
    """What is left of a journal's size for the texts of failures."""

    def __init__(self, limit: int | None) -> None:
        """Have room for `limit` characters; None for all there are."""
        self._left = limit
        # Characters that were left out since this was last asked for.
        self._cut = 0

    def fit(self, text: str) -> str:
        """The text, or its beginning and its end with a line between them that says what is left out."""
        if self._left is None:
            return text
        most = max(_LEAST, self._left // _SHARE)
        self._left = max(0, self._left - min(len(text), most))
        if len(text) <= most:
            return text
        self._cut += len(text) - most
        begin = int(most * _BEGINNING)
        note = f"[{len(text) - most} characters are left out here: see {_INI}]"
        return f"{text[:begin]}\n{note}\n{text[len(text) - (most - begin) :]}"

    def fit_pairs(self, pairs: Sequence[tuple[object, object]]) -> list[tuple[str, str]]:
        """Names and texts, the texts as they fit."""
        return [(str(name), self.fit(str(text))) for name, text in pairs]

    def take_cut(self) -> int:
        """How many characters were left out since this was last called."""
        cut, self._cut = self._cut, 0
        return cut
