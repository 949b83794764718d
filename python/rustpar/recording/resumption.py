"""``--rustpar-resume``: run the tests that an earlier run has not finished, and report the results of all.

The journal of the earlier run tells which tests have finished (``src/journal/resume/``). They are collected and not
run; their reports are made again from the journal and passed to all plugins, before those of the other tests. So
whatever plugins report is the result of the whole.

The hazard it handles: results may no longer hold. The run is refused, with the reason, if options, versions, the
collected tests or the code of finished tests have changed. Until all results are copied to the new journal, that of the
earlier run is kept, and found when this run is killed as well.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import pytest

from rustpar import _core
from rustpar.collection.finished_tests import Description, take_out
from rustpar.collection.loaded_code import loaded_files
from rustpar.config.versions import versions
from rustpar.coverage import earlier_data, measuring
from rustpar.recording import journal_file
from rustpar.recording.description import selection_of
from rustpar.recording.replay import Replay

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from contextlib import AbstractContextManager


class Writer(Protocol):
    """The journal of the run that resumes another.

    Attributes:
        path: The file; None if none is written.
        recorder: Copies the results of finished tests.
    """

    path: Path | None
    recorder: _core.Recorder

    def suspended(self) -> AbstractContextManager[None]:
        """Record no reports in this block."""


# Seconds to wait for workers of a killed run: they interrupt their tests and tear down what they have set up, and are
# killed after ten seconds.
_EXIT_LIMIT = 11.0
_POLL_INTERVAL = 0.02

# Seconds by which the start times of a process differ, in the journal and in /proc.
_TOLERANCE = 2.0


class Finished(NamedTuple):
    """What a process that collects has found about finished tests.

    Attributes:
        node_ids: All collected tests, in their order.
        descriptions: Of the finished tests, by index.
    """

    node_ids: list[str]
    descriptions: dict[int, Description]


def prepare(config: pytest.Config) -> Resumption | None:
    """Find the run that is resumed, and compare it with this one as far as is known before tests are collected.

    Returns:
        How it is resumed; None if there is nothing to resume.

    Raises:
        pytest.UsageError: It cannot be resumed; a one-line message.
    """
    if config.getoption("dist", "no") == "each":
        raise pytest.UsageError("--rustpar-resume does not work with --dist each; omit one of them")
    earlier = _find(config)
    if earlier is None:
        earlier_data.prepare(config, None)
        config.pluginmanager.register(_NothingToResume(), "rustpar-resume")
        return None
    try:
        earlier.compare(selection_of(config), versions(config))
    except ValueError as error:
        raise _refusal(earlier, error) from None
    _wait_for(earlier.workers)
    saved = earlier_data.prepare(config, {*earlier.saved_by, *(pid for pid, _ in earlier.workers)})
    if saved is not None:
        earlier.require_coverage(set(saved))
    resumption = Resumption(config, earlier, saved)
    config.pluginmanager.register(resumption, "rustpar-resume")
    return resumption


def refuse_other_engine() -> None:
    """Refuse a run with pytest-xdist's own engine."""
    raise pytest.UsageError(
        "--rustpar-resume does not work with pytest-xdist's own engine; omit --rustpar-start=xdist, or use -n0"
    )


def load(path: str, saved: Sequence[int] | None) -> _core.EarlierRun:
    """Return the run in a journal, in another process of the run that resumes it.

    Raises:
        ValueError: The journal cannot be read.
    """
    earlier = _core.EarlierRun.named(path, Path.cwd(), None)
    if saved is not None:
        earlier.require_coverage(set(saved))
    return earlier


def _find(config: pytest.Config) -> _core.EarlierRun | None:
    name, directory = config.getoption("rustpar_resume"), journal_file.directory_of(config)
    if name:
        try:
            return _core.EarlierRun.named(name, config.invocation_params.dir, directory)
        except ValueError as error:
            raise pytest.UsageError(f"--rustpar-resume: {error}") from None
    return None if directory is None else _core.EarlierRun.latest(directory, selection_of(config))


def _refusal(earlier: _core.EarlierRun, error: ValueError) -> pytest.UsageError:
    return pytest.UsageError(
        f"--rustpar-resume: the run of {earlier.began} cannot be resumed: {error}; run all tests, without this option"
    )


class _NothingToResume:
    """Says in the header that all tests are run."""

    def pytest_report_header(self) -> str:
        return "rustpar: nothing to resume: no earlier run is unfinished; all tests run"


class Resumption:
    """A run that resumes an earlier one.

    Attributes:
        earlier: The earlier run.
        saved: The processes whose coverage data counts; None if no coverage is measured.
        writer: The journal of this run, once it is created.
    """

    def __init__(self, config: pytest.Config, earlier: _core.EarlierRun, saved: list[int] | None) -> None:
        """Resume `earlier` in the session of `config`."""
        self._config = config
        self.earlier = earlier
        self.saved = saved
        self.writer: Writer | None = None
        self._shortened = 0

    def pytest_report_header(self) -> str:
        """Report how many tests have finished."""
        return f"rustpar: {self.earlier.summary()}"

    def data_files(self) -> list[Path]:
        """Return the coverage data files of the earlier run."""
        return [] if self.saved is None else earlier_data.files_of_runs(self._config, self.saved)

    def check(self, node_ids: Sequence[str], loaded: Sequence[str]) -> list[bool]:
        """Return which of the collected tests have finished.

        Args:
            node_ids: All collected tests.
            loaded: The project's own files that are loaded, relative to rootdir.

        Raises:
            pytest.UsageError: The tests or the code of finished tests have changed.
        """
        try:
            mask = self.earlier.divide(node_ids)
            # Without a finished test no result depends on the code; a run killed this early may not have recorded it.
            if any(mask):
                self.earlier.compare_code(self._config.rootpath, loaded)
        except ValueError as error:
            raise _refusal(self.earlier, error) from None
        return mask

    def replay(self, finished: Finished, writer: Writer, replay: Replay) -> None:
        """Copy the results of finished tests to the journal, and report them to all plugins."""
        writer.recorder.resume(self.earlier)
        if writer.path is not None:
            with contextlib.suppress(OSError):
                journal_file.publish(writer.path, self.earlier.path)
        with writer.suspended():
            for index, worker, steps in self.earlier.tests():
                replay.test(index, finished.node_ids[index], finished.descriptions[index], worker, steps)
        self._shortened = replay.shortened

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Report whether texts of finished tests are shortened."""
        if self._shortened:
            text = _core.counted(self._shortened, "resumed report")
            terminalreporter.write_line(f"rustpar: {text} shortened: see rustpar_journal_size", yellow=True)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Without workers: report the finished tests, and take them out."""
        if self._config.pluginmanager.has_plugin("dsession") or self._is_interrupted(session):
            return (yield)
        assert self.writer is not None
        node_ids = [item.nodeid for item in session.items]
        self.check(node_ids, loaded_files(self._config, session.items))
        finished = Finished(node_ids, take_out(session.items, self.earlier))
        measuring.combine_at_exit(self._config, "none", self.data_files())
        self.replay(finished, self.writer, Replay(self._config))
        # pytest runs nothing if tests have failed before this loop, and --maxfail counts from here on.
        failed, session.testsfailed, session.shouldfail = session.testsfailed, 0, False
        try:
            return (yield)
        finally:
            session.testsfailed += failed

    def _is_interrupted(self, session: pytest.Session) -> bool:
        """Whether pytest will run no test, because files could not be collected."""
        return bool(session.testsfailed) and not self._config.getoption("continue_on_collection_errors", False)


def _wait_for(workers: Sequence[tuple[int, float]]) -> None:
    """Wait for workers of the earlier run that are still tearing down, and for the process that has forked them.

    They get as long as they may take at most.
    """
    deadline = _core.monotonic() + _EXIT_LIMIT
    waiting = {pid: process for pid, began in workers if (process := _process(pid)) and _is_same(process, began)}
    for process in list(waiting.values()):
        parent = _process(process.parent)
        if parent is not None and process.parent > 1:
            waiting[process.parent] = parent
    while waiting and _core.monotonic() < deadline:
        _core.sleep(_POLL_INTERVAL)
        waiting = {pid: process for pid, process in waiting.items() if _is_running(pid, process)}


class _Process(NamedTuple):
    """A running process: its parent, and when it was started, in seconds since the system was."""

    parent: int
    started: float


def _process(pid: int) -> _Process | None:
    """Return a process that is running."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else _Process(int(fields[1]), int(fields[19]) / os.sysconf("SC_CLK_TCK"))


def _is_running(pid: int, process: _Process) -> bool:
    """Whether a process is still running; its parent changes when that has exited."""
    now = _process(pid)
    return now is not None and now.started == process.started


def _is_same(process: _Process, began: float) -> bool:
    """Whether a process was started at this time since the epoch; another one may have its id."""
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    return abs(_core.since_epoch() - uptime + process.started - began) < _TOLERANCE
