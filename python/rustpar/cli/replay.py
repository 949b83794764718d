"""The command ``rustpar replay``: run in one process what a worker of an earlier run has run, in its order.

The native half (``src/cli/replay.rs``) chooses the tests. This half starts pytest with ``rustpar.cli.replay_plugin``;
with ``--beside`` and ``--with-others``, where several processes run tests at the same time, through
``rustpar.cli.trial_client``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from rustpar import _core
from rustpar.cli.pytest_process import pytest_process

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = "replay"


def run(arguments: Sequence[str]) -> int:
    """Run the command; return pytest's exit status, 2 for an error of the command itself."""
    plan = _core.prepare_replay([NAME, *arguments])
    if isinstance(plan, int):
        return plan
    found: dict[str, Any] = json.loads(plan)
    if found["trial"] is not None:
        return _run_trial(found)
    command, environment, directory = pytest_process(found)
    sys.stdout.flush()
    if os.name != "posix":
        return subprocess.call(command, env=environment, cwd=directory)
    # In place of this process: signals, the terminal and the exit status are pytest's.
    os.chdir(directory)
    os.execve(sys.executable, command, environment)


def _run_trial(plan: dict[str, Any]) -> int:
    """Run tests in several processes, and print how the test in question failed; return 1 if it did, else 0."""
    from rustpar.cli.trial_client import Failed, TrialClient

    (test,) = plan["trial"]["lanes"][0]["tests"]
    try:
        with TrialClient(plan) as client:
            if test in client.missing:
                raise Failed(f"{test} no longer exists")
            (result,) = client.run([plan["trial"]])
    except Failed as error:
        print(f"rustpar {NAME}: {error}", file=sys.stderr)
        return 2
    lines = _core.trial_lines(test, result.record, result.is_stopped)
    print("\n".join(lines))
    return 1 if len(lines) > 1 else 0
