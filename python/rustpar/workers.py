"""How many workers: xdist's answer, corrected by what this process may really use."""

from __future__ import annotations

from typing import Any

import pytest

from rustpar import _core


def auto_num_workers(config: pytest.Config, asker: object) -> int:
    """Return the number of workers for ``-n auto`` and ``-n logical``.

    Hooks of other plugins and of conftests go first and are taken at their word, as is
    ``PYTEST_XDIST_AUTO_NUM_WORKERS``. Else it is xdist's count (physical cores with psutil, else the CPUs of the
    affinity mask), at most the CPUs of an affinity mask that leaves some out, and at most the CPU quota of the
    control group.
    """
    import os

    from xdist import plugin as xdist_plugin

    hook = config.pluginmanager.subset_hook_caller(
        "pytest_xdist_auto_num_workers", remove_plugins=[asker, xdist_plugin]
    )
    answer = hook(config=config)
    if answer is not None:
        return int(answer)
    count = int(xdist_plugin.pytest_xdist_auto_num_workers(config))
    if os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS"):
        return count
    limits = [count, _core.cpu_quota()]
    if hasattr(os, "sched_getaffinity"):
        usable = len(os.sched_getaffinity(0))
        # A mask that leaves nothing out says nothing: who counts more CPUs than there are means it.
        if usable < (os.cpu_count() or 1):
            limits.append(usable)
    return max(1, min(limit for limit in limits if limit is not None))


def check_options(config: pytest.Config) -> None:
    """Refuse values that xdist would take and then run serially.

    Raises:
        pytest.UsageError: With a line that says what to type instead.
    """
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
