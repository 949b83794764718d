"""What a load test shows while it runs, and the example of the documentation."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tests.pseudoterminal import on_terminal

if TYPE_CHECKING:
    from tests.harness import Suite

EXAMPLE = Path(__file__).parents[2] / "examples" / "load"


def test_the_live_block_shows_users_rate_percentiles_errors_and_stage(suite: Suite) -> None:
    suite.test(
        """
        import asyncio
        import pytest

        @pytest.mark.load(stages=[("1s", 3), ("100s", 3)])
        async def test_it():
            await asyncio.sleep(0.01)
            raise ValueError
        """
    )
    with on_terminal(suite, "--rustpar-load", "-n2", "--rustpar-progress=on", columns=110) as terminal:
        terminal.wait_to_show(r"^0 users  0/s  stage 1/2  1:41 left")
        terminal.wait_to_show(
            r"^3 users  \d+/s  p50 [\d.]+ ms  p95 [\d.]+ ms  p99 [\d.]+ ms  errors 100.00 %  stage 2/2  1:\d\d left"
        )
        terminal.type(b"\x03")
        assert terminal.wait_for_exit() == 2
        assert terminal.shows("of 1:41 min: the run was stopped")


def test_the_example_of_the_documentation_runs_both_ways(suite: Suite) -> None:
    shutil.copytree(EXAMPLE, suite.path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    assert suite.run().counts() == {"passed": 5}
    # The longer ones only take more time.
    run = suite.run("--rustpar-load", "-k", "browsing")
    assert run.counts() == {"passed": 1, "deselected": 4}, run.text
    assert "threshold checks>99%: kept (100.00 %)" in run.out
