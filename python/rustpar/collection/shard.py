"""``--rustpar-shard=K/N``: run one of N parts of the suite, as one of N machines.

Which test belongs to which part is decided natively (``src/schedule/sharding.rs``). Tests of the other parts are
deselected, in every process that collects. What those processes know must be the same in all of them and on all
machines: the tests, where they are, and how long they are expected to take.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core
from rustpar.collection.markers import group_of, marked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_NAME = "rustpar-shard"
# What a worker tells the controller when its part is empty though the suite is not.
_EMPTY = "rustpar_shard_is_empty"


def prepare(config: pytest.Config) -> None:
    """Read ``--rustpar-shard``.

    Raises:
        pytest.UsageError: When it makes no sense; one line that says what to write.
    """
    option: Any = config.option
    try:
        shard = _core.Shard(option.rustpar_shard, option.rustpar_shard_by or "duration")
    except ValueError as error:
        raise pytest.UsageError(f"--rustpar-shard: {error}") from None
    config.pluginmanager.register(Shard(shard), _NAME)


def keep_part(
    config: pytest.Config,
    items: list[pytest.Item],
    expected_seconds: Callable[[pytest.Config, Sequence[str]], list[float | None]],
) -> None:
    """Keep the tests of the part that was asked for, and deselect all others.

    Args:
        config: The session's configuration.
        items: The collected tests.
        expected_seconds: How long tests with these node ids are expected to take; None where nothing is known.
    """
    shard: Any = config.pluginmanager.get_plugin(_NAME)
    others = shard.divide(config, items, expected_seconds)
    if others:
        config.hook.pytest_deselected(items=others)


class Shard:
    """The plugin of a run that is one of several parts."""

    def __init__(self, shard: _core.Shard) -> None:
        """Run the part `shard`."""
        self._shard = shard
        self._line: str | None = None
        self._is_empty = False

    def divide(
        self,
        config: pytest.Config,
        items: list[pytest.Item],
        expected_seconds: Callable[[pytest.Config, Sequence[str]], list[float | None]],
    ) -> list[pytest.Item]:
        """Leave this part in `items`; return the other tests."""
        grouped = marked(items, ["xdist_group"])
        groups = [group_of(item) if index in grouped else None for index, item in enumerate(items)]
        # With --dist loadgroup, pytest-xdist's own engine has added the group to the node id.
        node_ids = [
            item.nodeid if group is None else item.nodeid.removesuffix(f"@{group}")
            for item, group in zip(items, groups, strict=True)
        ]
        lines = [item.location[1] or 0 for item in items]
        mine, words = self._shard.divide(node_ids, lines, expected_seconds(config, node_ids), groups)
        self._line = f"rustpar: {words}"
        others = [item for item, is_mine in zip(items, mine, strict=True) if not is_mine]
        items[:] = [item for item, is_mine in zip(items, mine, strict=True) if is_mine]
        self._is_empty = bool(others) and not items
        if self._is_empty and hasattr(config, "workeroutput"):
            config.workeroutput[_EMPTY] = True
        return others

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
