"""What is remembered from one run to the next: durations, outcomes, set-up times of shared fixtures.

In the process that the user has started, a plugin adds what was recorded of the run to the history file when the
session ends. ``docs/history.md`` describes the file.

The hazard it handles: a history is a convenience. Whatever is wrong with its file, the run goes on and ends as it would
without one, and one line says so.
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
    """The file of the history: from the command line, the ini file or pytest's cache; None when there is none.

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
        # pytest itself warns of a cache that cannot be written.
        return None


def is_named(config: pytest.Config) -> bool:
    """Whether a file was given, on the command line or in the ini file."""
    return bool(config.getoption("rustpar_history", None) or ini_path(config, "rustpar_history"))


def _own_path(config: pytest.Config) -> Path | None:
    """The file to add this run to.

    A part of a suite (``--rustpar-shard``) has a file of its own beside the history: the other parts must find that as
    this one has, or they would divide the suite differently.
    """
    path, shard = history_path(config), config.getoption("rustpar_shard", None)
    if path is None or shard is None:
        return path
    return path.with_name(f"{path.stem}.{shard.replace('/', '-of-')}{path.suffix}")


def history_of(config: pytest.Config) -> _core.History | None:
    """What earlier runs have shown, read once; None when no history is kept."""
    known = config.stash.get(_HISTORY, None)
    path = history_path(config) if known is None else None
    if path is not None:
        known, warning = _core.History.load(path)
        config.stash[_HISTORY] = known
        _warn(config, warning)
    return known


def warnings_of(config: pytest.Config) -> list[str]:
    """What is wrong with the history, a line each."""
    warnings: dict[str, None] = config.stash.get(_WARNINGS, {})
    return list(warnings)


def _warn(config: pytest.Config, warning: str | None) -> None:
    if warning is not None:
        # A dictionary: the same is said once.
        config.stash.setdefault(_WARNINGS, {})[warning] = None


class HistoryKeeper:
    """Adds a run to the history."""

    def __init__(self, config: pytest.Config, recorder: _core.Recorder) -> None:
        """Remember what `recorder` knows of the run of `config`."""
        self._config = config
        self._recorder = recorder

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Add the run to the history, when the last report is there."""
        path = _own_path(self._config)
        if path is not None:
            _warn(self._config, self._recorder.save(path))

    @pytest.hookimpl(wrapper=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> Generator[None, object, object]:
        """Say what is wrong with the history."""
        result = yield
        for warning in warnings_of(self._config):
            terminalreporter.write_line(f"rustpar: {warning}", yellow=True)
        return result


def expected_seconds(config: pytest.Config, node_ids: Sequence[str]) -> list[float | None]:
    """How long tests are expected to take, in seconds; None for those of which nothing is known.

    Only a history that was named is asked: what is in the cache of one machine is not in that of the next.
    """
    history = history_of(config) if is_named(config) else None
    return [None] * len(node_ids) if history is None else history.expected(list(node_ids))
