"""The side of ``rustpar bisect`` that starts a pytest with ``rustpar.cli.trial_server`` and sends it trials.

The hazard it handles: that pytest may fail before it has collected, or die. Its output goes to a file, the end of which
explains it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rustpar.cli.pytest_process import pytest_process

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

# Seconds for pytest to tear down before it is killed.
_GRACE = 10.0

# How many lines of pytest's output are shown if it has ended.
_TAIL = 15


class Failed(Exception):
    """Trials cannot be run; the message says why."""


class Result(NamedTuple):
    """The result of a trial: the record of the test, and whether it was stopped because its time was up."""

    record: str
    is_stopped: bool


class TrialClient:
    """A pytest that has collected the tests of a plan, and runs trials.

    Attributes:
        missing: The tests of the plan that no longer exist.
    """

    def __init__(self, plan: dict[str, Any]) -> None:
        """Start it when the block is entered."""
        if sys.platform != "linux":
            raise Failed("only available on Linux, where trials can be forked")
        self._plan = plan
        self._stack = contextlib.ExitStack()
        self.missing: list[str] = []

    def __enter__(self) -> TrialClient:
        """Start pytest and wait until it has collected.

        Raises:
            Failed: It ended before that.
        """
        with contextlib.ExitStack() as stack:
            name = stack.enter_context(tempfile.TemporaryDirectory(prefix="rustpar-", ignore_cleanup_errors=True))
            directory = Path(name)
            self._output = directory / "output"
            requests, self._requests_fd = os.pipe()
            self._results_fd, results = os.pipe()
            (directory / "trials").mkdir()
            pipes = {"requests": requests, "results": results, "directory": str(directory / "trials")}
            command, environment, where = pytest_process({**self._plan, "serve": pipes})
            with self._output.open("wb") as file:
                process = subprocess.Popen(
                    command,
                    env=environment,
                    cwd=where,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=file,
                    pass_fds=(requests, results),
                    start_new_session=True,
                )
            os.close(requests)
            os.close(results)
            stack.enter_context(terminated_at_end(process))
            self._results = stack.enter_context(os.fdopen(self._results_fd, encoding="utf-8"))
            self._requests = stack.enter_context(os.fdopen(self._requests_fd, "w", encoding="utf-8"))
            self.missing = self._receive()["missing"]
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End pytest."""
        self._stack.close()

    def run(self, trials: Sequence[dict[str, Any]]) -> list[Result]:
        """Run trials at the same time.

        Raises:
            Failed: pytest has ended.
        """
        with contextlib.suppress(BrokenPipeError):
            self._requests.write(json.dumps(trials) + "\n")
            self._requests.flush()
        return [Result(result["record"], result["stopped"]) for result in self._receive()]

    def _receive(self) -> Any:
        line = self._results.readline()
        if not line:
            tail = self._output.read_text(errors="replace").strip().splitlines()[-_TAIL:]
            raise Failed("\n".join(["pytest ended instead of running trials:", *tail]))
        return json.loads(line)


@contextlib.contextmanager
def terminated_at_end(process: subprocess.Popen[bytes]) -> Iterator[None]:
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
