"""One run of a suite for ``rustpar doctor``: pytest in a subprocess, with its outcomes and its duration.

The hazard it handles: the run may hang, and leave processes behind that keep its output open. So it has a time limit
and its own process group, and its output goes to a file.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rustpar import _core

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

# Seconds for a run that exceeds its limit to tear down before it is killed.
_GRACE = 10.0

# How many lines of output are shown for a run that ended unexpectedly.
_TAIL = 15


class Failed(Exception):
    """A run ended before its session had finished; the message says how."""


@dataclass
class Trial:
    """The result of a run.

    Attributes:
        key: Identifies the run: ``plain``, ``xdist``, ``first``, ``second``, ``early`` or ``again``.
        name: The name that is shown.
        seconds: Its duration.
        outcomes: The outcome of each test, by node id.
        reasons: The reasons against forking workers from its template.
        status: pytest's exit status; None if the session did not finish.
        limit: The time limit in seconds if the run exceeded it, else None.
    """

    key: str
    name: str
    seconds: float = 0.0
    outcomes: dict[str, str] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    status: int | None = None
    limit: float | None = None


def run(key: str, name: str, arguments: Sequence[str], directory: Path, limit: float) -> Trial:
    """Run pytest once.

    Args:
        key: Identifies the run.
        name: The name that is shown.
        arguments: Arguments for pytest.
        directory: Where its record and its output are written; must not exist.
        limit: Seconds after which the run is stopped.

    Raises:
        Failed: The process ended before its session had finished.
    """
    directory.mkdir()
    record, output = directory / "record.jsonl", directory / "output"
    command = [sys.executable, "-m", "pytest", "-p", "rustpar", "-p", "rustpar.cli.outcome_recorder", *arguments]
    environment = {**os.environ, "RUSTPAR_RECORD": str(record)}
    trial = Trial(key, name)
    begin = time.monotonic()
    with output.open("wb") as file:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True
        )
        with _terminated_at_end(process):
            try:
                status = process.wait(limit)
            except subprocess.TimeoutExpired:
                status, trial.limit = -signal.SIGKILL, limit
    trial.seconds = time.monotonic() - begin
    if record.exists():
        lines = record.read_text(encoding="utf-8")
        trial.outcomes, trial.reasons, trial.status = _core.read_trial(lines, trial.limit is not None)
    if trial.limit is None and trial.status is None:
        tail = output.read_text(errors="replace").strip().splitlines()[-_TAIL:]
        raise Failed("\n".join([f"the run '{name}' ended with status {status}:", *tail]))
    return trial


@contextlib.contextmanager
def _terminated_at_end(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Terminate the process and its process group when the block ends; an interrupt first lets pytest tear down."""
    try:
        yield
    finally:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
