"""A plugin that collects once and forks a process for each trial of ``rustpar bisect``.

Requests and results are JSON lines in two pipes. A request is a list of trials, which run at the same time;
``src/replay/case.rs`` describes them. Each trial has a directory, in which its processes leave files.

The hazard it handles: a test may hang, kill its process, or start others. Every process of a trial has its own process
group, which is killed when its time is up, and when this process ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core
from rustpar.cli.trial_lane import Lane, ready_file
from rustpar.process import forking, open_files
from rustpar.process.random_state import RandomState

if TYPE_CHECKING:
    from collections.abc import Mapping

# Seconds between looks at the processes of trials. A trial takes at least some milliseconds.
_INTERVAL = 0.003


class TrialServer:
    """Runs trials instead of the tests."""

    def __init__(
        self, pipes: dict[str, Any], setting: dict[str, Any], items: Mapping[str, pytest.Item], missing: list[str]
    ) -> None:
        """Read requests from a pipe and write results to another one; `pipes` has their descriptors.

        `items` and `missing` are filled while tests are collected: the tests, and those that no longer exist.
        """
        self._requests = os.fdopen(pipes["requests"], encoding="utf-8")
        self._results = os.fdopen(pipes["results"], "w", encoding="utf-8")
        self._directory = Path(pipes["directory"])
        self._setting = setting
        self._items = items
        self._missing = missing
        self._seeds = RandomState()
        self._trials = 0

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run trials until there are no more requests."""
        self._seeds.stop()
        self._send({"missing": self._missing})
        for line in self._requests:
            self._send(self._run(session, json.loads(line)))
        return True

    def _send(self, message: object) -> None:
        self._results.write(json.dumps(message) + "\n")
        self._results.flush()

    def _run(self, session: pytest.Session, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Run trials at the same time and return their results."""
        files = open_files.shared()
        trials = []
        try:
            for request in requests:
                self._trials += 1
                directory = self._directory / str(self._trials)
                directory.mkdir()
                trials.append(_Trial(request, directory))
                for number in range(len(request["lanes"])):
                    lane = Lane(session.config, self._items, request, number, directory, self._setting)
                    trials[-1].pids.append(self._fork(lane, files))
            while not all([trial.has_ended() for trial in trials]):
                time.sleep(_INTERVAL)
        finally:
            for trial in trials:
                trial.kill()
        return [trial.result() for trial in trials]

    def _fork(self, lane: Lane, files: list[open_files.OpenFile]) -> int:
        parent = os.getpid()
        pid = forking.fork()
        if pid != 0:
            return pid
        try:
            os.setpgid(0, 0)
            if _core.die_with_parent(parent):
                self._requests.close()
                self._results.close()
                open_files.reopen(files)
                self._seeds.restore()
                lane.run()
        finally:
            forking.leave(0)


class _Trial:
    """A trial that is in progress."""

    def __init__(self, request: dict[str, Any], directory: Path) -> None:
        self.pids: list[int] = []
        self._request = request
        self._directory = directory
        self._record = directory / "record.jsonl"
        self._deadline = time.monotonic() + request["limit"]
        self._exited: set[int] = set()
        self._is_stopped = False

    def has_ended(self) -> bool:
        """Whether all processes have exited; kills them when the time is up."""
        for number, pid in enumerate(self.pids):
            if pid not in self._exited and os.waitpid(pid, os.WNOHANG)[0] == pid:
                self._exited.add(pid)
                # The others must not wait for it.
                ready_file(self._directory, number).touch()
        if len(self._exited) == len(self.pids):
            return True
        if time.monotonic() > self._deadline or self._test_hangs():
            self._is_stopped = True
            self.kill()
        return len(self._exited) == len(self.pids)

    def _test_hangs(self) -> bool:
        """Whether the test in question has exceeded its own limit."""
        limit: float | None = self._request["test_limit"]
        if limit is None or self.pids[0] in self._exited:
            return False
        with contextlib.suppress(FileNotFoundError):
            return time.time() > self._record.stat().st_mtime + limit
        return False

    def kill(self) -> None:
        """Kill the processes that have not exited, and what they have started."""
        for pid in self.pids:
            # The group exists as long as any process of it.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
            if pid not in self._exited:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                self._exited.add(pid)

    def result(self) -> dict[str, Any]:
        """Return the record of the test, and whether it was stopped because its time was up."""
        record = self._record.read_text(encoding="utf-8") if self._record.exists() else ""
        return {"record": record, "stopped": self._is_stopped}
