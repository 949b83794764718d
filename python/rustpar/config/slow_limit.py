"""The duration from which a test counts as slow, ``--rustpar-slow``, and running tests that exceed it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rustpar.config.values import given

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from rustpar import _core


def slow_limit(config: pytest.Config) -> float | None:
    """Return the limit in seconds, from the command line or the ini file; None if there is none.

    Raises:
        pytest.UsageError: ``rustpar_slow`` in the ini file is not a duration.
    """
    return given(config, "rustpar_slow", _parse)


def _parse(text: str) -> float:
    from rustpar import _core

    return _core.parse_duration(text)


class Overdue:
    """Finds running tests that exceed the limit, each once."""

    def __init__(self, limit: float) -> None:
        """Find tests that have been running for `limit` seconds."""
        self._limit = limit
        # The test last reported, by worker; it can be run there again, and is then reported again.
        self._reported: dict[int, int] = {}

    def find_new(self, status: _core.Status) -> Iterator[tuple[int, int, float]]:
        """Yield worker, test and seconds of each test that has exceeded the limit since the last call."""
        for worker, test, seconds in status.workers:
            if test is None or seconds < self._limit:
                self._reported.pop(worker, None)
            elif self._reported.get(worker) != test:
                self._reported[worker] = test
                yield worker, test, seconds
