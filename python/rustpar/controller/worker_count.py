"""How many workers: xdist's answer, corrected by what this process may really use."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

import pytest

from rustpar import _core
from rustpar.config.values import ini_choice
from rustpar.controller import last_run

# Seconds of tests in one process that are not worth workers. Two of them save half of it, and ten trivial tests take
# 0.1 s longer with -n 2 than with -n 0 where two CPUs are idle, 0.22 s where they are busy.
_SHORT = 0.25

# Seconds that pytest takes around the phases of a test, which no report counts: half of what 2,000 trivial tests take
# in one process, 1.0 s of CPU time.
_AROUND_A_TEST = 0.00025


@dataclass(frozen=True)
class Choice:
    """How many workers ``-n auto`` or ``-n logical`` has chosen, and why.

    Attributes:
        count: The workers; 0 for one process that has none.
        why: What the number comes from, in a few words.
        is_given: Whether somebody has named a number, who is taken at their word.
    """

    count: int
    why: str
    is_given: bool = False

    def at_most(self, count: int, why: str) -> Choice:
        """This choice, or a lower one for another reason."""
        return self if self.count <= count else replace(self, count=count, why=why)

    @property
    def words(self) -> str:
        """What the run says of it."""
        number = "one process" if self.count == 0 else _core.counted(self.count, "worker")
        return f"{number} ({self.why})"


CHOICE_KEY: pytest.StashKey[Choice] = pytest.StashKey()


def chosen(config: pytest.Config) -> Choice | None:
    """What was chosen, within ``--maxprocesses``; None where a number was given."""
    choice = config.stash.get(CHOICE_KEY, None)
    return None if choice is None else choice.at_most(len(config.option.tx), "--maxprocesses")


def auto_num_workers(config: pytest.Config, asker: object, *, may_do_without: bool) -> int:
    """Choose the number of workers for ``-n auto`` and ``-n logical``; 0 for one process.

    Hooks of other plugins and of conftests go first and are taken at their word, as is
    ``PYTEST_XDIST_AUTO_NUM_WORKERS``. Else it is none if the last run of the same command was too short to be worth
    any, which only counts where the run `may_do_without`; or what the machine has for this process.
    """
    from xdist import plugin as xdist_plugin

    hook = config.pluginmanager.subset_hook_caller(
        "pytest_xdist_auto_num_workers", remove_plugins=[asker, xdist_plugin]
    )
    answer = hook(config=config)
    if answer is not None:
        choice = Choice(int(answer), "pytest_xdist_auto_num_workers", is_given=True)
    else:
        choice = _of_the_machine(int(xdist_plugin.pytest_xdist_auto_num_workers(config)))
        if may_do_without and not choice.is_given:
            choice = _without_workers(config) or choice
    config.stash[CHOICE_KEY] = choice
    config.pluginmanager.register(last_run.Keeper(config), "rustpar-lastrun")
    return choice.count


def _of_the_machine(count: int) -> Choice:
    """What xdist counts, but no more than this process may use.

    That count is the physical cores with psutil, else the CPUs of the affinity mask. Here it is at most the CPUs of an
    affinity mask that leaves some out, and at most the CPU quota of the control group.
    """
    if os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS"):
        return Choice(count, "PYTEST_XDIST_AUTO_NUM_WORKERS", is_given=True)
    choice = Choice(count, _core.counted(count, "CPU"))
    if hasattr(os, "sched_getaffinity"):
        usable = len(os.sched_getaffinity(0))
        # A mask that leaves nothing out says nothing: who counts more CPUs than there are means it.
        if usable < (os.cpu_count() or 1):
            choice = choice.at_most(usable, "CPU affinity")
    quota = _core.cpu_quota()
    if quota is not None:
        choice = choice.at_most(quota, "CPU quota of the control group")
    return choice


def _without_workers(config: pytest.Config) -> Choice | None:
    """The choice of one process, if the last run says that it is faster."""
    if config.option.dist == "each" or config.option.tx:
        return None
    run = last_run.recall(config)
    if run is None or run.seconds + run.tests * _AROUND_A_TEST > _SHORT:
        return None
    last_run.forget(config)
    took = f"{max(1, round(run.seconds * 1000))} ms"
    return Choice(0, f"the last run's {_core.counted(run.tests, 'test')} took {took}")


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
