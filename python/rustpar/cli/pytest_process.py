"""Starting pytest so that it is as in a recorded run."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

# The variable that names the file with the plan, for `rustpar.cli.replay_plugin`, which deletes both.
PLAN = "RUSTPAR_REPLAY"


def pytest_process(plan: dict[str, Any]) -> tuple[list[str], dict[str, str], str]:
    """Return the command, the environment and the directory of a pytest that carries out a plan.

    Args:
        plan: A plan of the native half of a command. ``setting`` has the recorded arguments and environment, and
            ``extra`` further arguments.
    """
    setting = plan["setting"]
    arguments = [*setting["arguments"], *plan["extra"]]
    # After a bare `--` everything is a path.
    end = arguments.index("--") if "--" in arguments else len(arguments)
    arguments.insert(end, "-n0")
    command = [sys.executable, "-m", "pytest", "-p", "rustpar", "-p", "rustpar.cli.replay_plugin", *arguments]
    file, path = tempfile.mkstemp(prefix="rustpar-", suffix=".json")
    with os.fdopen(file, "w", encoding="utf-8") as stream:
        json.dump(plan, stream)
    changes = {**setting["environment"], **_identity(setting), PLAN: path}
    environment = {**os.environ, **{name: value for name, value in changes.items() if value is not None}}
    for name in [name for name, value in changes.items() if value is None]:
        environment.pop(name, None)
    directory = Path(setting["directory"])
    # The directory in which pytest was started may not exist on this machine.
    return command, environment, str(directory if directory.is_dir() else Path.cwd())


def _identity(setting: dict[str, Any]) -> dict[str, str | None]:
    """Return the variables of a worker, which are removed for the main process."""
    if setting["worker"] is None:
        return dict.fromkeys(("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_TESTRUNUID"))
    own = setting["workers"][str(setting["worker"])]
    return {
        "PYTEST_XDIST_WORKER": own["workerid"],
        "PYTEST_XDIST_WORKER_COUNT": str(own["workercount"]),
        "PYTEST_XDIST_TESTRUNUID": own["testrunuid"],
    }
