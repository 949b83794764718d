"""A plugin that collects, and writes what a plan is made from to the file named by ``RUSTPAR_REHEARSAL``.

For ``rustpar schedule``. pytest is told to run no test; workers are counted as a run would count them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

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
    """Write everything down, when all plugins have chosen and sorted."""
    config = session.config
    option: Any = config.option
    items = session.items
    node_ids = [item.nodeid for item in items]
    known = facts(config, items)
    known |= remembered(config, node_ids, known["kinds"])
    grouped = option.dist == "loadgroup"
    asked = sum(int(spec.partition("*")[0]) if "*" in spec else 1 for spec in option.tx)
    about = {
        "node_ids": node_ids,
        "groups": [group_of(item) if grouped else None for item in items],
        "dist": option.dist,
        "workers": workers_needed(option.dist, asked, len(items)) if asked else 0,
        "plan": asked_plan(config),
        "max_chunk": option.maxschedchunk,
        "reorder": getattr(option, "loadscopereorder", True),  # an option since xdist 3.7
        "facts": known,
        "warnings": [*warnings_of(config), *_other_schedulers(config)],
    }
    Path(os.environ["RUSTPAR_REHEARSAL"]).write_text(json.dumps(about), encoding="utf-8")


def _other_schedulers(config: pytest.Config) -> list[str]:
    """Who may schedule otherwise: with ``--collect-only`` neither pytest-xdist nor rustpar is among them."""
    others = config.hook.pytest_xdist_make_scheduler.get_hookimpls()
    return [f"{other.plugin_name} may bring a scheduler of its own, which is not in this plan" for other in others]
