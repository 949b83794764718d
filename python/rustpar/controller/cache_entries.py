"""A dictionary in pytest's cache with an entry for each command, such as the last run or the start decision.

The hazard it handles: the cache may be missing, read-only, or written by anything. An entry that cannot be read does
not exist, and one that cannot be written is dropped silently, because pytest itself warns about such a cache.
"""

from __future__ import annotations

import warnings
from typing import Any

import pytest

# The maximum number of entries; the oldest is dropped.
_MAX_ENTRIES = 32


class CacheEntries:
    """The entries below one key of a cache."""

    def __init__(self, cache: Any, key: str) -> None:
        """Use pytest's `cache`; None if there is no cache, so that there are no entries."""
        self._cache = cache
        self._key = key

    def get(self, command: str) -> Any:
        """Return the entry of a command, as plain JSON values; None if there is none."""
        return self._all().get(command)

    def set(self, command: str, entry: object) -> None:
        """Store the entry of a command as the newest; None removes it."""
        if self._cache is None:
            return
        known = self._all()
        entries = {name: value for name, value in known.items() if name != command}
        if entry is not None:
            entries[command] = entry
        if entries != known:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", pytest.PytestCacheWarning)
                self._cache.set(self._key, dict(list(entries.items())[-_MAX_ENTRIES:]))

    def _all(self) -> dict[str, Any]:
        entries = None if self._cache is None else self._cache.get(self._key, None)
        return entries if isinstance(entries, dict) else {}
