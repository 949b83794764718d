"""One process of a trial: it runs some tests, waits for the other processes, and runs some more.

The hazard it handles: a test may fail only in the moment in which another one does something. So both are repeated,
each time in a fork of this process, so that what a test leaves behind does not affect its repetition. And a process
that is killed while it runs a test may leave something behind in the file system: so each finishes what it has begun.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from rustpar.cli.failure_recorder import FailureRecorder
from rustpar.compat.sessions import move_basetemp
from rustpar.process import forking
from rustpar.process.identity import become_worker, replace_output

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pytest

# Seconds between looks at the files of the other processes.
_INTERVAL = 0.001


def ready_file(directory: Path, number: int) -> Path:
    """Return the file that says that a process of a trial is ready, or has exited."""
    return directory / f"ready-{number}"


class Lane:
    """A process of a trial; the first one runs the test in question."""

    def __init__(
        self,
        config: pytest.Config,
        items: Mapping[str, pytest.Item],
        trial: dict[str, Any],
        number: int,
        directory: Path,
        setting: dict[str, Any],
    ) -> None:
        """Run lane `number` of a trial.

        Args:
            config: The configuration of the session that has collected the tests.
            items: The tests, by the names that they have in trials.
            trial: The trial, described in ``src/replay/case.rs``.
            number: The index of the lane.
            directory: The directory of the trial.
            setting: The setting, described in ``src/replay/setting.rs``.
        """
        self._config = config
        self._items = items
        self._trial = trial
        self._number = number
        self._lane: dict[str, Any] = trial["lanes"][number]
        self._directory = directory
        self._setting = setting

    def run(self) -> None:
        """Run the tests, in a new fork of the process that has collected."""
        self._set_identity()
        before = [self._items[test] for test in self._lane["before"]]
        tests = [self._items[test] for test in self._lane["tests"]]
        if self._number == 0:
            record = FailureRecorder(self._config, tests[-1].nodeid, self._directory / "record.jsonl")
            self._config.pluginmanager.register(record, "rustpar-failure-recorder")
        _run_items(before, tests[:1])
        self._meet()
        time.sleep(self._lane["delay"])
        if not self._trial["repeat"]:
            _run_items(tests, [])
        elif self._number == 0:
            self._repeat_test(tests)
        else:
            self._repeat_others(tests)

    def _set_identity(self) -> None:
        config, worker = self._config, self._lane["worker"]
        output = os.open(os.devnull, os.O_WRONLY)
        name = "main"
        if worker is None:
            replace_output(config, output)
        else:
            own: dict[str, Any] = config.workerinput  # type: ignore[attr-defined]
            workerinput = {**own, **self._setting["workers"][str(worker)]}
            name = workerinput["workerid"]
            become_worker(config, workerinput, output)
        base = self._directory / f"tmp-{self._number}"
        base.mkdir()
        move_basetemp(config, base / f"popen-{name}")

    def _meet(self) -> None:
        """Wait until all processes are ready."""
        ready_file(self._directory, self._number).touch()
        files = [ready_file(self._directory, number) for number in range(len(self._trial["lanes"]))]
        while not all(file.exists() for file in files):
            time.sleep(_INTERVAL)

    def _repeat_test(self, tests: Sequence[pytest.Item]) -> None:
        """Repeat the test until it fails, but only until the other processes have run all of their tests once."""
        record = self._directory / "record.jsonl"
        others = [self._directory / f"pass-{number}" for number in range(1, len(self._trial["lanes"]))]
        try:
            while True:
                is_last = all(file.exists() for file in others)
                _run_in_fork(tests)
                text = record.read_text(encoding="utf-8") if record.exists() else ""
                if is_last or '"failed": true' in text or '"finished"' not in text:
                    return
        finally:
            (self._directory / "stop").touch()

    def _repeat_others(self, tests: Sequence[pytest.Item]) -> None:
        """Repeat the tests until the first process needs them no more."""
        while not (self._directory / "stop").exists():
            _run_in_fork(tests)
            (self._directory / f"pass-{self._number}").touch()


def _run_items(items: Sequence[pytest.Item], following: Sequence[pytest.Item]) -> None:
    """Run tests; shared fixtures that the first of the `following` ones uses stay set up."""
    for item, nextitem in zip(items, [*items[1:], *following[:1], None], strict=False):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=nextitem)


def _run_in_fork(items: Sequence[pytest.Item]) -> None:
    pid = forking.fork()
    if pid == 0:
        try:
            _run_items(items, [])
        finally:
            forking.leave(0)
    os.waitpid(pid, 0)
