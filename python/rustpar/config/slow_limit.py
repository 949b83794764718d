"""The time from which on a test counts as slow: ``--rustpar-slow``, and who passes it while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rustpar.config.values import given

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from rustpar import _core


def slow_limit(config: pytest.Config) -> float | None:
    """The limit in seconds, of the command line or the ini file; None when there is none.

    Raises:
        pytest.UsageError: When ``rustpar_slow`` in the ini file is no duration.
    """
    return given(config, "rustpar_slow", _parse)


def _parse(text: str) -> float:
    from rustpar import _core

    return _core.parse_duration(text)


class Overdue:
    """Finds running tests that have passed the limit, each once."""

    def __init__(self, limit: float) -> None:
        """Look for tests that run for `limit` seconds and more."""
        self._limit = limit
        # The test that was found last, of each worker: it may come back there, in another run of it.
        self._told: dict[int, int] = {}

    def look(self, status: _core.Status) -> Iterator[tuple[int, int, float]]:
        """Worker, test and seconds of those that have passed the limit since the last look."""
        for worker, test, seconds in status.workers:
            if test is None or seconds < self._limit:
                self._told.pop(worker, None)
            elif self._told.get(worker) != test:
                self._told[worker] = test
                yield worker, test, seconds
