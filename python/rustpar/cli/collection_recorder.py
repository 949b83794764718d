"""A plugin that collects tests and writes their schedule to the file named by ``RUSTPAR_REHEARSAL``.

It is used by ``rustpar schedule``, which tells pytest to run no tests. Workers are counted as in a real run.
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
from rustpar.controller.nodes import expanded
from rustpar.controller.scheduling import remembered
from rustpar.controller.worker_count import check_options, plan_option
from rustpar.recording.history import warnings_of


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Default to ``-n auto``; pytest-xdist's own implementation, which comes next, counts the workers."""
    check_options(config)
    option: Any = config.option
    if option.numprocesses is None and not option.tx:
        option.numprocesses = "auto"


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Write the schedule, or why there is none, when all plugins have selected and sorted the tests."""
    plan: dict[str, object]
    try:
        plan = {"lines": _plan(session.config, session.items)}
    except (ValueError, RuntimeError) as error:
        plan = {"problem": str(error)}
    Path(os.environ["RUSTPAR_REHEARSAL"]).write_text(json.dumps(plan), encoding="utf-8")


def _plan(config: pytest.Config, items: list[pytest.Item]) -> list[str]:
    """Return the lines that describe the schedule.

    Raises:
        ValueError: There are no tests or no workers.
        RuntimeError: The scheduling policy does not terminate.
    """
    option: Any = config.option
    if not items:
        raise ValueError("no tests were collected; use the same arguments as for pytest")
    asked = len(expanded(option.tx))
    if not asked:
        raise ValueError("-n 0 means no workers; give -n another number")
    node_ids = [item.nodeid for item in items]
    known = facts(config, items)
    known |= remembered(config, node_ids, known["kinds"])
    grouped = option.dist == "loadgroup"
    return _core.plan_lines(
        node_ids,
        [group_of(item) if grouped else None for item in items],
        option.dist,
        asked,
        max_chunk=option.maxschedchunk,
        reorder=getattr(option, "loadscopereorder", True),  # an option since xdist 3.7
        plan=plan_option(config),
        facts=known,
        warnings=[*warnings_of(config), *_other_schedulers(config)],
    )


def _other_schedulers(config: pytest.Config) -> list[str]:
    """Return a warning for each plugin with a scheduler; ``--collect-only`` unregisters xdist's and rustpar's own."""
    others = config.hook.pytest_xdist_make_scheduler.get_hookimpls()
    return [f"{other.plugin_name} may provide its own scheduler, which this plan does not consider" for other in others]
