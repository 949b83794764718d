"""The number of workers for ``-n auto``, from xdist, other plugins, the machine and the last run.

The rules are implemented natively (``src/schedule/worker_count.rs``).
"""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest

from rustpar import _core
from rustpar.config.repeat_option import repeat_of
from rustpar.config.values import ini_choice
from rustpar.controller import last_run

CHOICE_KEY: pytest.StashKey[_core.Choice] = pytest.StashKey()


def chosen(config: pytest.Config) -> _core.Choice | None:
    """Return the choice that was made, limited by ``--maxprocesses``; None if a number was given."""
    choice = config.stash.get(CHOICE_KEY, None)
    return None if choice is None else choice.at_most(len(config.option.tx), "--maxprocesses")


def auto_num_workers(config: pytest.Config, own_plugin: object, *, may_run_without_workers: bool) -> int:
    """Choose the number of workers for ``-n auto`` and ``-n logical``; 0 for a single process.

    Hook implementations of other plugins and conftests take precedence and are not limited, and neither is
    ``PYTEST_XDIST_AUTO_NUM_WORKERS``. Otherwise the number is that of the CPUs available to this process, or with
    `may_run_without_workers` 0 if the last run of the same command was too short to profit from workers.
    """
    from rustpar.compat.xdist_controller import plugin as xdist_plugin

    hook = config.pluginmanager.subset_hook_caller(
        "pytest_xdist_auto_num_workers", remove_plugins=[own_plugin, xdist_plugin]
    )
    answer = hook(config=config)
    if answer is not None:
        choice = _core.Choice.explicit(max(0, int(answer)), "pytest_xdist_auto_num_workers")
    else:
        choice = _machine_choice(max(0, int(xdist_plugin.pytest_xdist_auto_num_workers(config))))
        if may_run_without_workers and repeat_of(config) is None and not choice.is_explicit:
            choice = _zero_workers_choice(config) or choice
    config.stash[CHOICE_KEY] = choice
    config.pluginmanager.register(last_run.Keeper(config), "rustpar-lastrun")
    return choice.count


def _machine_choice(count: int) -> _core.Choice:
    """Return xdist's count, limited to the CPUs available to this process."""
    if os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS"):
        return _core.Choice.explicit(count, "PYTEST_XDIST_AUTO_NUM_WORKERS")
    setting = _interpreters_cpu_count()
    if setting is not None:
        return _core.Choice.explicit(*setting)
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    return _core.Choice.for_machine(count, cpus=os.cpu_count() or 1, usable=usable, quota=_core.cpu_quota())


def _interpreters_cpu_count() -> tuple[int, str] | None:
    """Return the number of CPUs that the interpreter is told to assume, and by what; None if it is not told.

    Python 3.13 has the option and the variable; pytest-xdist after 3.8 heeds them on every version.
    """
    name, value = "-X cpu_count", sys._xoptions.get("cpu_count")
    if value is None:
        name, value = "PYTHON_CPU_COUNT", os.environ.get("PYTHON_CPU_COUNT", "")
    return (int(value), name) if isinstance(value, str) and value.isdecimal() and int(value) else None


def _zero_workers_choice(config: pytest.Config) -> _core.Choice | None:
    """Choose a single process if the last run suggests that it is faster, else None."""
    if config.option.dist == "each" or config.option.tx:
        return None
    run = last_run.recall(config)
    choice = None if run is None else _core.Choice.after_last_run(run.tests, run.seconds)
    if choice is not None:
        last_run.forget(config)
    return choice


PLANS = ("collection", "duration")


def plan_option(config: pytest.Config) -> str:
    """Return the order in which ``--dist load`` assigns tests: one of :data:`PLANS`.

    Raises:
        pytest.UsageError: ``rustpar_plan`` in the configuration file is invalid.
    """
    given: str | None = config.option.rustpar_plan
    return given or ini_choice(config, "rustpar_plan", PLANS)


def check_options(config: pytest.Config) -> None:
    """Reject invalid plans, and values that xdist would accept but run without workers.

    Raises:
        pytest.UsageError: An option is invalid; the message says what to use instead.
    """
    plan_option(config)
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
        raise pytest.UsageError(
            f"--max-worker-restart {restarts}: expected a number; with 0, crashed workers are not replaced"
        )
