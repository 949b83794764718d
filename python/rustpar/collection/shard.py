"""``--rustpar-shard=K/N``: run one of N parts of the suite, as one of N machines.

Tests of the other parts are deselected, in every process that collects. What those processes know must be the same in
all of them and on all machines: the tests, where they are, and how long they are expected to take.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from rustpar.collection import shard_assignment
from rustpar.collection.markers import group_of, marked

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAME = "rustpar-shard"
# What a worker tells the controller when its part is empty though the suite is not.
_EMPTY = "rustpar_shard_is_empty"


def expected_seconds(config: pytest.Config, node_ids: Sequence[str]) -> list[float | None]:
    """How long tests are expected to take, in seconds; None for those of which nothing is known.

    Only a history that was named is asked: what is in the cache of one machine is not in that of the next.
    """
    from rustpar.recording.history import history_of, is_named

    history = history_of(config) if is_named(config) else None
    return [None] * len(node_ids) if history is None else history.expected(list(node_ids))


def prepare(config: pytest.Config) -> None:
    """Read ``--rustpar-shard``.

    Raises:
        pytest.UsageError: When it makes no sense; one line that says what to write.
    """
    text: str = config.option.rustpar_shard
    match = re.fullmatch(r"([0-9]+)/([0-9]+)", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise pytest.UsageError(f"--rustpar-shard={text}: write which part of how many, from 1/N to N/N, as in 1/4")
    by: str = config.option.rustpar_shard_by or "duration"
    config.pluginmanager.register(Shard(int(match[1]), int(match[2]), by), _NAME)


def keep_part(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests of the part that was asked for, and deselect all others."""
    shard: Any = config.pluginmanager.get_plugin(_NAME)
    others = shard.divide(config, items)
    if others:
        config.hook.pytest_deselected(items=others)


class Shard:
    """The plugin of a run that is one of several parts."""

    def __init__(self, number: int, count: int, by: str) -> None:
        """Run part `number`, from 1, of `count` parts that are divided by ``duration`` or ``hash``."""
        self._number = number
        self._count = count
        self._by = by
        self._line: str | None = None
        self._is_empty = False

    def divide(self, config: pytest.Config, items: list[pytest.Item]) -> list[pytest.Item]:
        """Leave this part in `items`; return the other tests."""
        entries = _entries(config, items)
        rule = shard_assignment.by_hash if self._by == "hash" else shard_assignment.by_duration
        mine = [part == self._number - 1 for part in rule(entries, self._count)]
        others = [item for item, is_mine in zip(items, mine, strict=True) if not is_mine]
        self._line = self._words(entries, mine)
        items[:] = [item for item, is_mine in zip(items, mine, strict=True) if is_mine]
        self._is_empty = bool(others) and not items
        if self._is_empty and hasattr(config, "workeroutput"):
            config.workeroutput[_EMPTY] = True
        return others

    def _words(self, entries: Sequence[shard_assignment.Entry], mine: Sequence[bool]) -> str:
        words = f"rustpar: shard {self._number}/{self._count}: {sum(mine)} of {len(mine)} tests"
        if all(entry.seconds is None for entry in entries):
            return words
        seconds = shard_assignment.expected(entries)
        whole = sum(seconds)
        part = sum(one for one, is_mine in zip(seconds, mine, strict=True) if is_mine)
        digits = 0 if whole >= 10 else 2
        return f"{words}, {part:.{digits}f} of {whole:.{digits}f} s expected"

    def pytest_report_collectionfinish(self) -> str | None:
        """Say what this part is."""
        return self._line

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object) -> None:
        """Hear from a worker that the part is empty."""
        self._is_empty = self._is_empty or _EMPTY in getattr(node, "workeroutput", {})

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Let an empty part succeed: its machine has nothing to do, and every test is run by another."""
        if self._is_empty and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            session.exitstatus = pytest.ExitCode.OK


def _entries(config: pytest.Config, items: Sequence[pytest.Item]) -> list[shard_assignment.Entry]:
    grouped = marked(items, ["xdist_group"])
    groups = [group_of(item) if index in grouped else None for index, item in enumerate(items)]
    # With --dist loadgroup, pytest-xdist's own engine has added the group to the node id.
    node_ids = [
        item.nodeid if group is None else item.nodeid.removesuffix(f"@{group}")
        for item, group in zip(items, groups, strict=True)
    ]
    return [
        shard_assignment.Entry(node_id, item.location[1] or 0, seconds, group)
        for node_id, item, seconds, group in zip(
            node_ids, items, expected_seconds(config, node_ids), groups, strict=True
        )
    ]
