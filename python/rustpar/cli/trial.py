"""One run of a suite for ``rustpar doctor``: pytest in a process of its own, its outcomes and its time.

The hazard it handles: a run that is tried out may hang, and leave processes behind that hold its output open. So it has
a limit and a process group of its own, and its output goes to a file.
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

# Seconds for a run that is over its limit to tear down, before it is killed.
_GRACE = 10.0

# Lines of a run's output that say why it came to no end.
_TAIL = 15


class Failed(Exception):
    """A run has not come as far as the end of its session; the message says how it ended."""


@dataclass
class Trial:
    """What a run has shown.

    Attributes:
        key: In which way the suite was run: ``plain``, ``xdist``, ``first``, ``second``, ``early`` or ``again``.
        name: That in words.
        seconds: How long it took.
        outcomes: The outcome of each test, by node id.
        reasons: Why forks of its template would share what each worker needs alone.
        status: pytest's exit status; None for a run that did not come to its end.
        limit: The seconds that it was stopped after; None for one that was not.
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
        key: In which way the suite is run.
        name: That in words.
        arguments: For pytest.
        directory: Where its record and its output are kept, and nothing else.
        limit: Seconds after which it is stopped.

    Raises:
        Failed: When it ended by itself before its session did.
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
        with _ended_with_us(process):
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
def _ended_with_us(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End a process that still runs in the end, and all in its group; let it tear down first what it has set up."""
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
