"""The journal of a run: every event, in a file under pytest's cache. ``docs/journal.md`` describes it.

It is written in the process that the user has started. The native recorder writes phases as reports arrive; events that
occur once in a run, and details of reports, are composed here.

The hazard it handles: a journal is a convenience. If its file cannot be written, the run continues and ends as usual,
and the summary says so in one line.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core
from rustpar.collection.loaded_code import loaded_files
from rustpar.compat import property_fixtures
from rustpar.compat.sessions import junit_file
from rustpar.config.slow_limit import slow_limit
from rustpar.config.values import is_given
from rustpar.recording import fixture_timing, journal_file
from rustpar.recording.description import describe_run, selection_of
from rustpar.recording.history import HistoryKeeper, history_of, is_named

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence

    from rustpar.recording.failure_location import Finder

# Options with which no test is run, or with durations that mean nothing.
_NO_RUN_OPTIONS = ("collectonly", "setuponly", "setupplan", "trace")

# Attributes of reports that workers add, and those that are known from the events of phases and from the tests.
_WORKER_ATTRIBUTES = frozenset({"node", "item_index", "worker_id", "testrun_uid"})
_KNOWN_ATTRIBUTES = _WORKER_ATTRIBUTES | {
    *("nodeid", "location", "keywords", "outcome", "when", "duration", "start", "stop")
}

_JOURNALING: pytest.StashKey[JournalWriter] = pytest.StashKey()


def journal_writer_of(config: pytest.Config) -> JournalWriter:
    """Return the journal writer of this run."""
    return config.stash[_JOURNALING]


def observe(config: pytest.Config, create_timing: Callable[[pytest.Config, JournalWriter], object]) -> None:
    """Record the run of `config` in a journal and in the history, if tests are run and these are enabled.

    Args:
        config: The session's configuration.
        create_timing: Creates the plugin that evaluates the journal at the end, if that is needed.
    """
    is_run = not any(config.getoption(name, False) for name in _NO_RUN_OPTIONS)
    path = journal_file.choose(config, is_needed=_is_needed(config)) if is_run else None
    resumed = None
    if is_run and config.getoption("rustpar_resume", None) is not None:
        from rustpar.recording import resumed_run, resumption

        resumed = resumption.prepare(config)
        if resumed is not None:
            config.stash[resumed_run.RESUMPTION] = resumed
    journaling = JournalWriter(config, path, None if resumed is None else resumed.earlier)
    if resumed is not None:
        resumed.writer = journaling
    config.stash[_JOURNALING] = journaling
    # How long a load test takes says nothing about the test.
    has_history = (is_named(config) or hasattr(config, "cache")) and config.getoption("rustpar_load", None) is None
    if not is_run or not (has_history or journaling.path):
        return
    if is_judged(config):
        # Registered before the journal, which ends with the exit status that thresholds may change: among trylast
        # hooks, those of plugins registered later run later.
        config.pluginmanager.register(create_timing(config, journaling), "rustpar-timing")
    config.pluginmanager.register(journaling, "rustpar-journaling")
    config.pluginmanager.register(property_fixtures, "rustpar-fixtures")
    if has_history:
        config.pluginmanager.register(HistoryKeeper(config, journaling.recorder), "rustpar-remembering")


def is_judged(config: pytest.Config) -> bool:
    """Whether the journal is read at the end of the run, for thresholds or for the timing sections."""
    return _thresholds(config) is not None or slow_limit(config) is not None or config.getoption("verbose", 0) > 0


def _thresholds(config: pytest.Config) -> _core.Thresholds | None:
    if not is_given(config, "rustpar_thresholds"):
        return None
    from rustpar.collection.thresholds import thresholds_of

    return thresholds_of(config)


def _is_needed(config: pytest.Config) -> bool:
    """Whether a journal has to be written even if none is kept."""
    is_drawn = config.getoption("rustpar_timeline", None) or config.getoption("rustpar_trace", None)
    return bool(is_drawn) or is_judged(config)


class JournalWriter:
    """Writes the journal of a run.

    Attributes:
        path: The file; None if none is written.
        journal: The native journal, which discards events if there is no file.
        recorder: Processes reports and set-ups of shared fixtures.
    """

    def __init__(self, config: pytest.Config, path: Path | None, earlier: _core.EarlierRun | None = None) -> None:
        """Write to the file `path`, unless it is None; errors are reported in the summary.

        Args:
            config: The session's configuration.
            path: The file.
            earlier: The run that this one resumes, and whose results its journal will contain.
        """
        self.config = config
        self.path = path
        self.journal = _core.Journal()
        self.recorder = _core.Recorder(self.journal)
        # Created at the first failure.
        self._finder: Finder | None = None
        self._warning: str | None = None
        self._warnings = 0
        self._deselected = 0
        self._has_begun = False
        self._has_collected = False
        self._has_marks = False
        # Properties of the suite, unless pytest's --junitxml keeps them.
        self._suite_properties: list[tuple[str, object]] = []
        # The indices of the tests that are to run, if others have finished.
        self._scheduled: Sequence[int] | None = None
        self._earlier = earlier
        self._selection = selection_of(config) if path is not None else {}
        self._is_suspended = False
        # What a worker has sent of a report and of a warning that are about to be recorded.
        self.sent_report: dict[str, Any] | None = None
        self.sent_warning: dict[str, Any] | None = None

    def _warn(self, reason: str) -> None:
        self._warning = f"the journal {self.path} cannot be written: {reason}; check the disk, or name another file"

    def complete_file(self) -> Path | None:
        """Return the journal if it has all events so far and no other run's; else None."""
        self.journal.flush()
        error = self.journal.error()
        if error is not None:
            self._warn(error)
        if self._warning is None and self.path is not None and not self.journal.is_at(self.path):
            self._warning = f"the journal {self.path} was replaced during the run; give each run a file of its own"
        return self.path if self._warning is None else None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionstart(self) -> Generator[None, object, object]:
        """Open the file and describe the run; last, because looking up versions takes time, while workers start."""
        if self._has_begun:
            # pytest's own testing tools may run a second session with one configuration; it counts as the same run.
            return (yield)
        self._has_begun = True
        self.journal.begin()
        self.journal.limit_failure_texts(journal_file.retention_of(self.config).characters)
        try:
            resumed = None if self._earlier is None else self._earlier.path
            if self._earlier is not None:
                self.journal.continue_after(self._earlier.seconds)
            if self.path is not None:
                self.journal.open(journal_file.make_room(self.path, self.config, resumed))
        except OSError as error:
            self._warn(str(error))
            self.path = None
        try:
            result = yield
        except BaseException:
            # What ends the run is reported, whatever else goes wrong.
            with contextlib.suppress(Exception):
                self._describe_run()
            raise
        self._describe_run()
        return result

    def _describe_run(self) -> None:
        resumed = None if self._earlier is None else self._earlier.id
        describe_run(self.journal, self.config, self._selection, _thresholds(self.config), resumed)

    def pytest_deselected(self, items: Sequence[object]) -> None:
        """Count the deselected tests."""
        self._deselected += len(items)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Record the collection, and measure shared fixtures, if tests run in this process."""
        if not self.config.pluginmanager.has_plugin("dsession"):
            fixture_timing.watch(session, self._fixture)
            self.collected([item.nodeid for item in session.items], self._deselected)
            if self.path is not None:
                self.loaded(loaded_files(self.config, session.items))
            if _thresholds(self.config) is not None:
                from rustpar.collection.thresholds import marks_of

                self.marked(marks_of(self.config, session.items))
            self.journal.monitor_memory()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Record the collection with pytest-xdist's own engine."""
        if not self._has_collected:
            self.collected(ids, 0)

    def collected(
        self, node_ids: Sequence[str], deselected: int, groups: Sequence[str | None] = (), serial: Sequence[int] = ()
    ) -> None:
        """Record which tests are to run, and how many are deselected.

        Args:
            node_ids: The tests.
            deselected: How many tests were collected and will not run.
            groups: The group of each test; empty without groups.
            serial: The indices of serial tests.
        """
        self._has_collected = True
        self.recorder.collected(node_ids, deselected, groups, serial, history_of(self.config))

    def loaded(self, files: Sequence[str]) -> None:
        """Record the project's own files, given relative to rootdir."""
        if self.path is not None:
            self.journal.code(self.config.rootpath, files)

    def schedule(self, indices: Sequence[int]) -> None:
        """Set which of the collected tests are to run, if others have finished in the run that this one resumes."""
        self._scheduled = indices

    def number_of(self, test: int) -> int:
        """Return the number of a test, given its index among those that are to run."""
        return self.recorder.number(test if self._scheduled is None else self._scheduled[test])

    @contextlib.contextmanager
    def suspended(self) -> Iterator[None]:
        """Record no reports and warnings in this block, except the number of warnings."""
        self._is_suspended = True
        try:
            yield
        finally:
            self._is_suspended = False

    def marked(self, marks: Mapping[str, Sequence[int]]) -> None:
        """Record which tests carry the markers that thresholds name, given as indices in the collection."""
        if marks:
            self._has_marks = True
            self.recorder.marked(marks)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object) -> None:
        """Read the marked tests from the output of a worker of pytest-xdist's own engine."""
        if self._has_marks or _thresholds(self.config) is None:
            return
        from rustpar.collection.thresholds import OUTPUT

        marks = getattr(node, "workeroutput", {}).get(OUTPUT)
        if marks:
            self.marked(marks)

    def _fixture(self, node_id: str, key: str, seconds: float) -> None:
        self.recorder.fixture(node_id, key, seconds, None)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record a report and its details."""
        if self._is_suspended:
            return
        more = self.recorder.report(report)
        if more is not None:
            self._record_details(report, *more)
            self.journal.flush_report()

    def suite_property(self, name: str, value: object) -> None:
        """Store a property recorded by ``record_testsuite_property``; in pytest's ``--junitxml`` if that is given."""
        xml = junit_file(self.config)
        if xml is not None:
            xml.add_global_property(name, value)
        else:
            self._suite_properties.append((name, value))

    def _record_details(self, report: pytest.TestReport, test: int, worker: int | None) -> None:
        if report.when == "teardown" and report.user_properties:
            self.journal.properties(test, _as_texts(report.user_properties))
        is_phase = report.when in ("setup", "call", "teardown")
        if not is_phase:
            worker = _number_of(getattr(report, "node", None))
        if report.outcome != "passed" or hasattr(report, "wasxfail"):
            outcome = None if is_phase else _outcome_of(report)
            when = report.when if is_phase and report.when is not None else "crash"
            self._detail(report, when, test=test, worker=worker, outcome=outcome)
        attributes = self.sent_report
        if not attributes:
            from rustpar.compat.longrepr import to_serializable

            attributes = to_serializable(self.config, report)
        if attributes is not None:
            known = _KNOWN_ATTRIBUTES if is_phase else _WORKER_ATTRIBUTES
            kept = {name: value for name, value in attributes.items() if name not in known}
            if kept.pop("rustpar_quarantine", None) is not None:
                # Whether its entry holds is decided anew when the run is resumed.
                del kept["wasxfail"]
                kept |= {} if is_phase else {"outcome": "failed"}
            self.journal.report(test, worker, kept)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Record a collection error or skip."""
        if not report.passed:
            self._detail(report, "collect", outcome=report.outcome, node_id=report.nodeid)
            self.journal.flush_report()

    def _detail(self, report: Any, when: str, **about: Any) -> None:
        if self._finder is None:
            from rustpar.recording.failure_location import Finder

            self._finder = Finder(self.config)
        path, line, message = self._finder.find(report)
        if when == "crash":
            # Only the first line; the rest is the stack, which the longrepr includes.
            message = message.partition("\n")[0]
        failed = _outcome_of(report) not in ("skipped", "passed")
        self.journal.detail(
            when,
            message=message,
            path=path,
            line=line,
            longrepr=str(report.longrepr or "") if failed else "",
            sections=_as_texts(report.sections) if failed else [],
            **about,
        )

    def pytest_warning_recorded(self, warning_message: Any, when: str, nodeid: str, location: object) -> None:
        """Count the warnings, and record those of tests."""
        self._warnings += 1
        if when != "runtest" or self._is_suspended or self.path is None:
            return
        data = self.sent_warning
        if data is None:
            from rustpar.compat.warning_message import to_plain

            data = to_plain(warning_message)
        self.journal.warning(self.recorder.test(nodeid), {"data": data, "location": location})

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Record the end of the run, after all other events."""
        xml = junit_file(self.config)
        properties = self._suite_properties if xml is None else xml.global_properties
        if properties:
            self.journal.properties(None, _as_texts(properties))
        self.journal.sample_memory()
        # The session's exitstatus may have changed meanwhile; sessions not run by pytest's main loop have none.
        self.journal.end(int(getattr(session, "exitstatus", exitstatus)), self._warnings)
        self.complete_file()

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Report an error of the journal."""
        if self._warning is not None:
            terminalreporter.write_line(f"rustpar: {self._warning}", yellow=True)


def _outcome_of(report: Any) -> str:
    """Return the outcome as the journal has it."""
    return "quarantined" if hasattr(report, "rustpar_quarantine") else str(report.outcome)


def _as_texts(pairs: Iterable[tuple[object, object]]) -> list[tuple[str, str]]:
    """Convert names and values to strings; plugins may have added other types."""
    return [(str(name), str(value)) for name, value in pairs]


def _number_of(node: Any) -> int | None:
    """Return the number of the worker whose crash is reported."""
    number = "" if node is None else str(node.gateway.id).removeprefix("gw")
    return int(number) if number.isdecimal() else None
