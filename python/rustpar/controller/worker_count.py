"""How many workers: what xdist, other plugins, the machine and the last run say of it.

What follows from that is decided natively (``src/schedule/number_of_workers.rs``).
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from rustpar import _core
from rustpar.config.values import ini_choice
from rustpar.controller import last_run

CHOICE_KEY: pytest.StashKey[_core.Choice] = pytest.StashKey()


def chosen(config: pytest.Config) -> _core.Choice | None:
    """What was chosen, within ``--maxprocesses``; None where a number was given."""
    choice = config.stash.get(CHOICE_KEY, None)
    return None if choice is None else choice.at_most(len(config.option.tx), "--maxprocesses")


def auto_num_workers(config: pytest.Config, asker: object, *, may_do_without: bool) -> int:
    """Choose the number of workers for ``-n auto`` and ``-n logical``; 0 for one process.

    Hooks of other plugins and of conftests go first and are taken at their word, as is
    ``PYTEST_XDIST_AUTO_NUM_WORKERS``. Else it is none if the last run of the same command was too short to be worth
    any, which only counts where the run `may_do_without`; or what the machine has for this process.
    """
    from rustpar.compat.xdist_controller import plugin as xdist_plugin

    hook = config.pluginmanager.subset_hook_caller(
        "pytest_xdist_auto_num_workers", remove_plugins=[asker, xdist_plugin]
    )
    answer = hook(config=config)
    if answer is not None:
        choice = _core.Choice.explicit(max(0, int(answer)), "pytest_xdist_auto_num_workers")
    else:
        choice = _of_the_machine(max(0, int(xdist_plugin.pytest_xdist_auto_num_workers(config))))
        if may_do_without and not choice.is_explicit:
            choice = _without_workers(config) or choice
    config.stash[CHOICE_KEY] = choice
    config.pluginmanager.register(last_run.Keeper(config), "rustpar-lastrun")
    return choice.count


def _of_the_machine(count: int) -> _core.Choice:
    """What xdist counts, but no more than this process may use."""
    if os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS"):
        return _core.Choice.explicit(count, "PYTEST_XDIST_AUTO_NUM_WORKERS")
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    return _core.Choice.for_machine(count, cpus=os.cpu_count() or 1, usable=usable, quota=_core.cpu_quota())


def _without_workers(config: pytest.Config) -> _core.Choice | None:
    """The choice of one process, if the last run says that it is faster."""
    if config.option.dist == "each" or config.option.tx:
        return None
    run = last_run.recall(config)
    choice = None if run is None else _core.Choice.after_last_run(run.tests, run.seconds)
    if choice is not None:
        last_run.forget(config)
    return choice


PLANS = ("collection", "duration")


def asked_plan(config: pytest.Config) -> str:
    """In which order ``--dist load`` hands tests out: one of :data:`PLANS`.

    Raises:
        pytest.UsageError: When ``rustpar_plan`` in the configuration file is none of them.
    """
    given: str | None = config.option.rustpar_plan
    return given or ini_choice(config, "rustpar_plan", PLANS)


def check_options(config: pytest.Config) -> None:
    """Refuse values that xdist would take and then run serially, and plans that nobody knows.

    Raises:
        pytest.UsageError: With a line that says what to type instead.
    """
    asked_plan(config)
    option: Any = config.option
    count = option.numprocesses
    if isinstance(count, int) and count < 0:
        raise pytest.UsageError(
            f"-n {count}: the number of workers cannot be negative; use -n 0 to run without workers"
        )
    if option.maxprocesses is not None and option.maxprocesses < 0:
        raise pytest.UsageError(f"--maxprocesses {option.maxprocesses}: the number of workers cannot be negative")
    if option.maxschedchunk is not None and option.maxschedchunk < 1:
        raise pytest.UsageError(f"--maxschedchunk {option.maxschedchunk}: a worker needs at least one test at a time")
    restarts = option.maxworkerrestart
    if restarts is not None and not restarts.isdecimal():
        raise pytest.UsageError(f"--max-worker-restart {restarts}: give a number, 0 to replace no worker")
