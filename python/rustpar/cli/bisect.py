"""The command ``rustpar bisect``: find the fewest tests that make one fail, and say why.

The native half (``src/cli/bisect.rs``) decides which trials to run and what their results mean. This half has them run
by ``rustpar.cli.trial_server``, and checks whether plain pytest shows the result.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rustpar import _core
from rustpar.cli.trial_client import Failed, TrialClient, terminated_at_end

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = "bisect"

# Seconds that plain pytest gets to show the result, beyond what all trials have taken.
_LEAST_LIMIT = 20.0


def run(arguments: Sequence[str]) -> int:
    """Run the command; return 0 if the cause was found, 1 if the test could not be made to fail, 2 for an error."""
    search = _core.Bisection.prepare([NAME, *arguments])
    if isinstance(search, int):
        return search
    begin = time.monotonic()
    plan: dict[str, Any] = json.loads(search.plan())
    try:
        _search(search, plan, begin + plan["limit"])
    except Failed as error:
        print(f"rustpar {NAME}: {error}", file=sys.stderr)
        return 2
    took = time.monotonic() - begin
    test = plan["tests"][plan["test"]]
    is_shown = _is_shown(search, test, _LEAST_LIMIT + took)
    print("\n".join(["", *search.result(took, is_shown)]))
    return 0 if search.is_found() else 1


def _search(search: _core.Bisection, plan: dict[str, Any], deadline: float) -> None:
    """Run trials until the cause is found or the time is up.

    Raises:
        Failed: Trials cannot be run.
    """
    with TrialClient(plan) as client:
        if client.missing:
            print(f"left out, because they no longer exist: {', '.join(client.missing)}")
        if not search.begin(set(client.missing), len(os.sched_getaffinity(0))):
            raise Failed("the test no longer exists")
        while trials := json.loads(search.next_trials()):
            left = deadline - time.monotonic()
            results = (
                client.run([{**trial, "limit": min(trial["limit"], left)} for trial in trials]) if left > 0 else []
            )
            if time.monotonic() < deadline:
                search.answer([(result.record, result.is_stopped) for result in results])
            else:
                search.stop()
            for line in search.take_lines():
                print(line, flush=True)


def _is_shown(search: _core.Bisection, test: str, limit: float) -> bool:
    """Whether plain pytest, as the user would run it, shows the failure."""
    arguments = search.pytest_arguments()
    if arguments is None:
        return False
    with tempfile.TemporaryDirectory(prefix="rustpar-", ignore_cleanup_errors=True) as directory:
        record = Path(directory) / "record.jsonl"
        # It must not change what later runs know.
        own = [f"--rustpar-journal={os.devnull}", f"--rustpar-history={directory}/history.json", "-o"]
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "rustpar",
            "-p",
            "rustpar.cli.failure_recorder",
            *arguments,
            *own,
        ]
        process = subprocess.Popen(
            [*command, f"cache_dir={directory}/cache"],
            env={
                **os.environ,
                "RUSTPAR_RECORD": str(record),
                "RUSTPAR_RECORD_TEST": test,
                "RUSTPAR_RECORD_PARENT": str(os.getpid()),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        with terminated_at_end(process):
            try:
                process.wait(limit)
            except subprocess.TimeoutExpired:
                return False
        return record.exists() and search.is_it(record.read_text(encoding="utf-8"))
