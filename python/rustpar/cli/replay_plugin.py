"""A plugin that runs the tests of a plan in one process, in that order, as the worker that has run them.

It is used by ``rustpar replay`` and ``rustpar bisect``, which write the plan to the file named by ``RUSTPAR_REPLAY``.

The hazard it handles: the recorded command, or the configuration file, selects and orders tests, starts workers, stops
at the first failure and writes reports. All of that is switched off by the names of the options, wherever they come
from. And plugins sort or deselect tests in hooks: the order of the plan is restored after all of them.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core
from rustpar.cli.pytest_process import PLAN
from rustpar.compat.sessions import basetemp_of, move_basetemp

if TYPE_CHECKING:
    from collections.abc import Generator

# Options that are switched off, by their names in `config.option`, with the values for that. Those of other plugins:
# pytest-html, pytest-reportlog, pytest-json-report.
_OFF: dict[str, object] = {
    **dict.fromkeys(("keyword", "markexpr", "rustpar_thresholds"), ""),
    **dict.fromkeys(("deselect", "ignore", "ignore_glob", "xmlpath", "htmlpath", "report_log", "maxprocesses")),
    **dict.fromkeys(("lf", "failedfirst", "newfirst", "stepwise", "stepwise_skip", "looponfail", "json_report"), False),
    **dict.fromkeys(
        ("rustpar_changed", "rustpar_shard", "rustpar_timeline", "rustpar_trace", "rustpar_max_rss", "rustpar_slow")
    ),
    **dict.fromkeys(("rustpar_timeout", "rustpar_run_timeout"), 0),
    "maxfail": 0,
}

# What a run leaves for later runs; a replay is not a run of the suite.
_RECORDING = ("rustpar-journaling", "rustpar-remembering", "rustpar-timing", "rustpar-pictures")

# How many tests that no longer exist are named.
_MOST_NAMED = 10


def _read_plan() -> dict[str, Any]:
    path = Path(os.environ.pop(PLAN))
    plan: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    path.unlink()
    return plan


_plan = _read_plan()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> Generator[None, object, object]:
    """Switch off pytest-cov, which looks for its option before options are parsed."""
    if hasattr(early_config.known_args_namespace, "no_cov"):
        args.insert(0, "--no-cov")
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Set the options, the files and the worker, before any plugin is configured."""
    option: Any = config.option
    for name, value in _OFF.items():
        if hasattr(option, name):
            setattr(option, name, value)
    for name in _RECORDING:
        config.pluginmanager.set_blocked(name)
    _set_seeds(option)
    _set_files(config)
    replay = Replay(config)
    config.pluginmanager.register(replay, "rustpar-replay")
    if "serve" in _plan:
        # Nobody could answer a debugger.
        option.usepdb = False
        from rustpar.cli.trial_server import TrialServer

        config.pluginmanager.register(
            TrialServer(_plan["serve"], _plan["setting"], replay.items, replay.missing), "rustpar-trials"
        )


def _set_seeds(option: Any) -> None:
    seeds: dict[str, str] = _plan["setting"]["seeds"]
    for name, seed in seeds.items():
        current = getattr(option, name, None)
        is_text = isinstance(current, str) and current.isdigit()
        setattr(option, name, int(seed) if seed.lstrip("-").isdigit() and not is_text else seed)
    if getattr(option, "randomly_seed", None) == "default":
        # A worker would ask the controller for it.
        option.randomly_seed = 0


def _set_files(config: pytest.Config) -> None:
    """Collect only the files of the tests, unless they were named as packages."""
    if getattr(config.option, "pyargs", False):
        return
    files = dict.fromkeys(node_id.partition("::")[0] for node_id in _plan["tests"])
    existing = [str(config.rootpath / file) for file in files if (config.rootpath / file).exists()]
    if not existing:
        raise pytest.UsageError(f"none of the tests to replay exists below {config.rootpath}")
    config.args = existing
    config.args_source = pytest.Config.ArgsSource.ARGS


class Replay:
    """Makes this process the worker, and restores the order of the plan.

    Attributes:
        items: The tests, by the names that they have in the plan.
        missing: The tests that no longer exist.
    """

    def __init__(self, config: pytest.Config) -> None:
        """Set ``config.workerinput``, unless tests ran in the main process."""
        setting = _plan["setting"]
        self.items: dict[str, pytest.Item] = {}
        self.missing: list[str] = []
        self._input: dict[str, Any] | None = None
        if setting["worker"] is not None:
            self._input = {**setting["workers"][str(setting["worker"])], "mainargv": sys.argv}
            # Plugins that send something from the controller to its workers are configured as in the controller.
            # pytest-rerunfailures registers its hook only later.
            senders = config.hook.pytest_configure_node.get_hookimpls()
            if not senders and not config.pluginmanager.has_plugin("rerunfailures"):
                self._become_worker(config)

    def _become_worker(self, config: pytest.Config) -> None:
        config.workerinput = self._input  # type: ignore[attr-defined]
        config.workeroutput = {}  # type: ignore[attr-defined]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Complete the worker: what a controller would have sent, and its own base of ``tmp_path``."""
        config = session.config
        if self._input is None:
            return
        if not hasattr(config, "workerinput"):
            gateway = SimpleNamespace(id=self._input["workerid"])
            node = SimpleNamespace(config=config, workerinput=self._input, gateway=gateway)
            config.hook.pytest_configure_node(node=node)
            self._become_worker(config)
        base = basetemp_of(config)
        if base is not None:
            move_basetemp(config, base / f"popen-{self._input['workerid']}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        """Register the hook that orders the tests last, so that it is the outermost wrapper."""
        session.config.pluginmanager.register(_Order(self), "rustpar-replay-order")

    def pytest_report_collectionfinish(self) -> str | None:
        """Name the tests that no longer exist."""
        if not self.missing:
            return None
        names = ", ".join(self.missing[:_MOST_NAMED])
        more = len(self.missing) - _MOST_NAMED
        names += f" and {more} more" if more > 0 else ""
        return f"rustpar: {_core.counted(len(self.missing), 'test')} of the run not found, left out: {names}"


class _Order:
    """Restores the order of the plan."""

    def __init__(self, replay: Replay) -> None:
        self._replay = replay

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Generator[None, object, object]:
        """Select and sort after all plugins have done so, and restore what they have deselected."""
        collected = list(items)
        result = yield
        by_id: dict[str, pytest.Item] = {}
        for item in (*collected, *items):
            by_id.setdefault(item.nodeid, item)
        for test in _plan["tests"]:
            # With --dist loadgroup, pytest-xdist's own engine appends the group to the node id.
            found = by_id.get(test) or by_id.get(test.rpartition("@")[0])
            if found is None:
                self._replay.missing.append(test)
            else:
                self._replay.items[test] = found
        items[:] = self._replay.items.values()
        if not items:
            raise pytest.UsageError("none of the tests to replay was found: " + ", ".join(self._replay.missing[:1]))
        return result
