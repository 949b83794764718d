"""A plugin that collects, and writes how the tests would be scheduled to the file named by ``RUSTPAR_REHEARSAL``.

For ``rustpar schedule``. pytest is told to run no test; workers are counted as a run would count them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from rustpar import _core
from rustpar.collection.inventory import facts
from rustpar.collection.markers import group_of
from rustpar.controller.scheduling import remembered, workers_needed
from rustpar.controller.worker_count import asked_plan, check_options
from rustpar.recording.history import warnings_of


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Have a worker for each CPU where nothing else was asked for; pytest-xdist counts them next."""
    check_options(config)
    option: Any = config.option
    if option.numprocesses is None and not option.tx:
        option.numprocesses = "auto"


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Write the plan down, or why there is none, when all plugins have chosen and sorted."""
    plan: dict[str, object]
    try:
        plan = {"lines": _plan(session.config, session.items)}
    except (ValueError, RuntimeError) as error:
        plan = {"problem": str(error)}
    Path(os.environ["RUSTPAR_REHEARSAL"]).write_text(json.dumps(plan), encoding="utf-8")


def _plan(config: pytest.Config, items: list[pytest.Item]) -> list[str]:
    """The lines that tell of the plan.

    Raises:
        ValueError: When there is nothing to plan.
        RuntimeError: When the policy comes to no end.
    """
    option: Any = config.option
    if not items:
        raise ValueError("no tests were collected; give the arguments that you give pytest")
    asked = sum(int(spec.partition("*")[0]) if "*" in spec else 1 for spec in option.tx)
    if not asked:
        raise ValueError("there are no workers with -n 0; give -n another number")
    node_ids = [item.nodeid for item in items]
    known = facts(config, items)
    known |= remembered(config, node_ids, known["kinds"])
    grouped = option.dist == "loadgroup"
    return _core.plan_lines(
        node_ids,
        [group_of(item) if grouped else None for item in items],
        option.dist,
        workers_needed(option.dist, asked, len(items)),
        max_chunk=option.maxschedchunk,
        reorder=getattr(option, "loadscopereorder", True),  # an option since xdist 3.7
        plan=asked_plan(config),
        facts=known,
        warnings=[*warnings_of(config), *_other_schedulers(config)],
    )


def _other_schedulers(config: pytest.Config) -> list[str]:
    """Who may schedule otherwise: with ``--collect-only`` neither pytest-xdist nor rustpar is among them."""
    others = config.hook.pytest_xdist_make_scheduler.get_hookimpls()
    return [f"{other.plugin_name} may bring a scheduler of its own, which is not in this plan" for other in others]
