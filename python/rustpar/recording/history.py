"""The history: durations, outcomes and set-up times of shared fixtures from earlier runs.

In the process that the user started, a plugin adds the run to the history file when the session ends.
``docs/history.md`` describes the file.

The hazard it handles: the history is optional. If its file cannot be read or written, the run proceeds and ends as it
would without one, and one line reports the problem.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core
from rustpar.config.values import ini_path

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

_HISTORY: pytest.StashKey[_core.History] = pytest.StashKey()
_WARNINGS: pytest.StashKey[dict[str, None]] = pytest.StashKey()


def history_path(config: pytest.Config) -> Path | None:
    """Return the history file, from the command line, the ini file or pytest's cache; None if there is none.

    A path on the command line is relative to the directory that pytest was started in, one in the ini file to rootdir.
    """
    given = config.getoption("rustpar_history", None)
    if given:
        return Path(config.invocation_params.dir, given)
    named = ini_path(config, "rustpar_history")
    if named is not None:
        return named
    cache: pytest.Cache | None = getattr(config, "cache", None)
    if cache is None:
        return None
    try:
        return cache.mkdir("rustpar") / "history.json"
    except OSError:
        # pytest itself warns about a cache that cannot be written.
        return None


def is_named(config: pytest.Config) -> bool:
    """Whether a file is set on the command line or in the ini file."""
    return bool(config.getoption("rustpar_history", None) or ini_path(config, "rustpar_history"))


def _own_path(config: pytest.Config) -> Path | None:
    """Return the file to which this run is added.

    A shard (``--rustpar-shard``) is added to its own file next to the history: all shards must read the same history,
    or they would divide the suite differently.
    """
    path, shard = history_path(config), config.getoption("rustpar_shard", None)
    if path is None or shard is None:
        return path
    return path.with_name(f"{path.stem}.{shard.replace('/', '-of-')}{path.suffix}")


def history_of(config: pytest.Config) -> _core.History | None:
    """Return the history, which is read once; None if there is none."""
    known = config.stash.get(_HISTORY, None)
    path = history_path(config) if known is None else None
    if path is not None:
        known, warning = _core.History.load(path)
        config.stash[_HISTORY] = known
        _warn(config, warning)
    return known


def warnings_of(config: pytest.Config) -> list[str]:
    """Return the problems with the history, one line each."""
    warnings: dict[str, None] = config.stash.get(_WARNINGS, {})
    return list(warnings)


def _warn(config: pytest.Config, warning: str | None) -> None:
    if warning is not None:
        # A dictionary, so that each problem is reported once.
        config.stash.setdefault(_WARNINGS, {})[warning] = None


class HistoryKeeper:
    """Plugin that adds a run to the history."""

    def __init__(self, config: pytest.Config, recorder: _core.Recorder) -> None:
        """Add the run of `config`, as recorded by `recorder`."""
        self._config = config
        self._recorder = recorder

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Add the run to the history, after its last report."""
        path = _own_path(self._config)
        if path is not None:
            _warn(self._config, self._recorder.save(path))

    @pytest.hookimpl(wrapper=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> Generator[None, object, object]:
        """Report problems with the history."""
        result = yield
        for warning in warnings_of(self._config):
            terminalreporter.write_line(f"rustpar: {warning}", yellow=True)
        return result


def expected_seconds(config: pytest.Config, node_ids: Sequence[str]) -> list[float | None]:
    """Return the expected durations of tests in seconds; None for unknown tests.

    Only a history file that was set explicitly is used, because the caches of different machines differ.
    """
    history = history_of(config) if is_named(config) else None
    return [None] * len(node_ids) if history is None else history.expected(list(node_ids))
