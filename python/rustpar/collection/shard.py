"""``--rustpar-shard=K/N``: run one of N shards of the suite, for example on one of N machines.

Tests are assigned to shards natively (``src/schedule/sharding.rs``). Every process that collects deselects the tests of
the other shards. So the input must be the same in all of these processes and on all machines: the tests, their
locations, and their expected durations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core
from rustpar.collection.empty_selection import MayBeEmpty
from rustpar.collection.markers import group_of, marked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_NAME = "rustpar-shard"
# Key in workeroutput: tells the controller that the shard is empty, but the suite is not.
_EMPTY = "rustpar_shard_is_empty"


def prepare(config: pytest.Config) -> None:
    """Parse ``--rustpar-shard`` and register the plugin.

    Raises:
        pytest.UsageError: The option is invalid; a one-line message.
    """
    option: Any = config.option
    try:
        shard = _core.Shard(option.rustpar_shard, option.rustpar_shard_by or "duration")
    except ValueError as error:
        raise pytest.UsageError(f"--rustpar-shard: {error}") from None
    config.pluginmanager.register(Shard(shard), _NAME)


def keep_shard(
    config: pytest.Config,
    items: list[pytest.Item],
    expected_seconds: Callable[[pytest.Config, Sequence[str]], list[float | None]],
) -> None:
    """Keep the tests of this shard, and deselect all others.

    Args:
        config: The session's configuration.
        items: The collected tests.
        expected_seconds: Returns the expected durations of tests by node id; None if unknown.
    """
    shard: Any = config.pluginmanager.get_plugin(_NAME)
    others = shard.divide(config, items, expected_seconds)
    if others:
        config.hook.pytest_deselected(items=others)


class Shard(MayBeEmpty):
    """The plugin that selects and reports a shard."""

    def __init__(self, shard: _core.Shard) -> None:
        """Run only the tests of `shard`."""
        super().__init__(_EMPTY)
        self._shard = shard
        self._line: str | None = None

    def divide(
        self,
        config: pytest.Config,
        items: list[pytest.Item],
        expected_seconds: Callable[[pytest.Config, Sequence[str]], list[float | None]],
    ) -> list[pytest.Item]:
        """Keep only this shard's tests in `items`; return the others."""
        grouped = marked(items, ["xdist_group"])
        groups = [group_of(item) if index in grouped else None for index, item in enumerate(items)]
        # With --dist loadgroup, pytest-xdist's own engine appends the group to the node id.
        node_ids = [
            item.nodeid if group is None else item.nodeid.removesuffix(f"@{group}")
            for item, group in zip(items, groups, strict=True)
        ]
        lines = [item.location[1] or 0 for item in items]
        mine, words = self._shard.divide(node_ids, lines, expected_seconds(config, node_ids), groups)
        self._line = f"rustpar: {words}"
        others = [item for item, is_mine in zip(items, mine, strict=True) if not is_mine]
        items[:] = [item for item, is_mine in zip(items, mine, strict=True) if is_mine]
        if others and not items:
            # This machine has nothing to do, and the others run every test.
            self.leave_nothing(config)
        return others

    def pytest_report_collectionfinish(self) -> str | None:
        """Describe the shard."""
        return self._line
