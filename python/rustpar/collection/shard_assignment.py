"""Parts of a suite for several machines: which test belongs to which of them.

Two rules, both pure: tests in, numbers of parts out.

The hazard it handles: every machine works this out for itself, and a test that two of them judge differently is run
twice or never. So nothing here depends on the order in which tests come, which a plugin may shuffle, nor on ``hash()``,
which differs from process to process.
"""

from __future__ import annotations

import heapq
import math
from hashlib import blake2b
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# A file stays in one piece while it takes no more than this share of what an even part takes. Smaller pieces balance
# better, larger ones set up fewer module fixtures twice. In 200 random suites of 20 files with skewed durations, in 8
# parts, the longest part took 2 % more than the best possible with a quarter, and 41 % of the files were divided; with
# a half it was 3 % and 19 %, with a tenth 1 % and 72 %.
_PIECE = 0.25


class Entry(NamedTuple):
    """A test.

    Attributes:
        node_id: Its node id, which begins with its file.
        line: The line in its file; tests stay beside their neighbours.
        seconds: How long it is expected to take; None when it is not known.
        group: The name of its ``xdist_group``, which stays in one part; None for most tests.
    """

    node_id: str
    line: int = 0
    seconds: float | None = None
    group: str | None = None

    @property
    def file(self) -> str:
        """The file that the test is in."""
        return self.node_id.partition("::")[0]


class _Unit(NamedTuple):
    """Tests that go to one part, in a form that sorts the longest first."""

    minus_seconds: float
    first: str
    tests: list[int]


def by_duration(entries: Sequence[Entry], count: int) -> list[int]:
    """Divide tests so that parts take about the same time: the longest first, each to the part with the least to do.

    The tests of a group stay together, and so do those of a file, unless the file is long; then runs of consecutive
    tests do. Two parts differ by no more than the longest such unit.

    Returns:
        The part of each test, 0 to `count` - 1.
    """
    seconds = expected(entries)
    # Exact, so that it does not depend on the order of the tests either.
    units = _units(entries, seconds, math.fsum(seconds) / count * _PIECE)
    parts = [(0.0, 0, part) for part in range(count)]
    found = [0] * len(entries)
    for unit in sorted(units):
        load, tests, part = heapq.heappop(parts)
        for test in unit.tests:
            found[test] = part
        # The number of tests decides between parts that take equally long, not least where nothing takes any time.
        heapq.heappush(parts, (load - unit.minus_seconds, tests + len(unit.tests), part))
    return found


def by_hash(entries: Sequence[Entry], count: int) -> list[int]:
    """Divide tests by their node ids, or by their groups', so that none moves when others are added.

    Returns:
        The part of each test, 0 to `count` - 1.
    """
    return [_number(entry.node_id if entry.group is None else f"@{entry.group}") % count for entry in entries]


def expected(entries: Sequence[Entry]) -> list[float]:
    """The seconds that each test is expected to take.

    One that is not known takes as long as the median of those that are; where none is known, all take equally long.
    """
    known = sorted(entry.seconds for entry in entries if entry.seconds is not None)
    middle = len(known) // 2
    usual = (known[middle] + known[-middle - 1]) / 2 if known else 1.0
    return [usual if entry.seconds is None else entry.seconds for entry in entries]


def _units(entries: Sequence[Entry], seconds: Sequence[float], limit: float) -> Iterator[_Unit]:
    """The tests in units that stay together: groups, files, and pieces of files that take longer than `limit`."""
    order = sorted(
        range(len(entries)), key=lambda test: (entries[test].file, entries[test].line, entries[test].node_id)
    )
    groups: dict[str, list[int]] = {}
    alone: list[int] = []
    for test in order:
        group = entries[test].group
        (alone if group is None else groups.setdefault(group, [])).append(test)
    for tests in groups.values():
        yield _unit(tests, entries, seconds)
    for _, file in groupby(alone, key=lambda test: entries[test].file):
        for piece in _pieces(list(file), seconds, limit):
            yield _unit(piece, entries, seconds)


def _pieces(tests: list[int], seconds: Sequence[float], limit: float) -> Iterator[list[int]]:
    """Cut a file's tests into runs that take no longer than `limit`, but for single tests that do."""
    piece: list[int] = []
    length = 0.0
    for test in tests:
        if piece and length + seconds[test] > limit:
            yield piece
            piece, length = [], 0.0
        piece.append(test)
        length += seconds[test]
    if piece:
        yield piece


def _unit(tests: list[int], entries: Sequence[Entry], seconds: Sequence[float]) -> _Unit:
    return _Unit(-sum(seconds[test] for test in tests), entries[tests[0]].node_id, tests)


def _number(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
