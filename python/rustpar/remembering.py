"""What is remembered from one run to the next: durations, outcomes, set-up times of shared fixtures.

In the process that the user has started, a plugin records every report, and adds the run to the history file when the
session ends. ``docs/history.md`` describes the file.

The hazard it handles: a history is a convenience. Whatever is wrong with its file, the run goes on and ends as it would
without one, and one line says so.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core, fixtureclock

if TYPE_CHECKING:
    from collections.abc import Generator

# Ways to run in which no test takes the time it takes.
_NO_RUN = ("collectonly", "setuponly", "setupplan", "trace")

_HISTORY: pytest.StashKey[_core.History] = pytest.StashKey()
_WARNINGS: pytest.StashKey[dict[str, None]] = pytest.StashKey()


def history_path(config: pytest.Config) -> Path | None:
    """The file of the history: from the command line, the ini file or pytest's cache; None when there is none.

    A path on the command line is relative to the directory that pytest was started in, one in the ini file to rootdir.
    """
    given = config.getoption("rustpar_history", None)
    if given:
        return Path(config.invocation_params.dir, given)
    given = config.getini("rustpar_history")
    if given:
        return Path(config.rootpath, given)
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
    return bool(config.getoption("rustpar_history", None) or config.getini("rustpar_history"))


def _own_path(config: pytest.Config) -> Path | None:
    """The file to add this run to.

    A part of a suite (``--rustpar-shard``) has a file of its own beside the history: the other parts must find that as
    this one has, or they would divide the suite differently.
    """
    path, shard = history_path(config), config.option.rustpar_shard
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


def remember(config: pytest.Config) -> None:
    """Record the run of `config`, if it is one and there is a history."""
    if not (is_named(config) or hasattr(config, "cache")) or any(config.getoption(name, False) for name in _NO_RUN):
        return
    config.pluginmanager.register(Remembering(config), "rustpar-remembering")


def _warn(config: pytest.Config, warning: str | None) -> None:
    if warning is not None:
        # A dictionary: the same is said once.
        config.stash.setdefault(_WARNINGS, {})[warning] = None


class Remembering:
    """Records a run."""

    def __init__(self, config: pytest.Config) -> None:
        """Record the run of `config`."""
        self._config = config
        self._recorder = _core.Recorder()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Measure shared fixtures where tests run in this process."""
        if not self._config.pluginmanager.has_plugin("dsession"):
            fixtureclock.watch(session, self.fixture)

    def fixture(self, node_id: str, key: str, seconds: float) -> None:
        """Record that a shared fixture was set up for a test."""
        self._recorder.fixture(node_id, key, seconds)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record a report."""
        self._recorder.report(report)

    def totals(self) -> tuple[int, float]:
        """How many tests came to their end, and the seconds that they and shared fixtures took in all."""
        return self._recorder.totals()

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
