"""The journal of a run: every event, in a file under pytest's cache. ``docs/journal.md`` describes it.

It is written in the process that the user has started. The native recorder writes phases as reports arrive; events that
occur once in a run, and details of reports, are composed here.

The hazard it handles: a journal is a convenience. If its file cannot be written, the run continues and ends as usual,
and the summary says so in one line.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import rustpar
from rustpar import _core
from rustpar.compat import property_fixtures
from rustpar.compat.sessions import junit_file
from rustpar.config.slow_limit import slow_limit
from rustpar.config.values import is_given
from rustpar.recording import fixture_timing, journal_file
from rustpar.recording.history import HistoryKeeper, history_of, is_named

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence

    from rustpar.recording.failure_location import Finder

# Options that affect a run or its reports, recorded in the journal.
_OPTIONS = (
    *("numprocesses", "dist", "maxprocesses", "max_worker_restart", "keyword", "markexpr", "maxfail"),
    *("rustpar_start", "rustpar_plan", "rustpar_order", "rustpar_shard", "rustpar_shard_by", "rustpar_max_rss"),
    *("rustpar_timeout", "rustpar_run_timeout"),
)

# Options with which no test is run, or with durations that mean nothing.
_NO_RUN_OPTIONS = ("collectonly", "setuponly", "setupplan", "trace")

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
    journaling = JournalWriter(config, path)
    config.stash[_JOURNALING] = journaling
    has_history = is_named(config) or hasattr(config, "cache")
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

    def __init__(self, config: pytest.Config, path: Path | None) -> None:
        """Write to the file `path`, unless it is None; errors are reported in the summary."""
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
        # The number of each collected test; a test that was given twice has one number.
        self._numbers: list[int] = []

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
        """Open the file and describe the run; last, because looking up versions takes 6 ms, while workers start."""
        if self._has_begun:
            # pytest's own testing tools may run a second session with one configuration; it counts as the same run.
            return (yield)
        self._has_begun = True
        self.journal.begin()
        self.journal.limit_failure_texts(journal_file.retention_of(self.config).characters)
        try:
            if self.path is not None:
                journal_file.make_room(self.path, self.config)
                self.journal.open(self.path)
        except OSError as error:
            self._warn(str(error))
            self.path = None
        try:
            return (yield)
        finally:
            self._describe_run()

    def _describe_run(self) -> None:
        config = self.config
        uid = config.getoption("testrunuid", None) or f"{int(_core.since_epoch() * 1e9):x}-{os.getpid():x}"
        given = {name: config.getoption(name, None) for name in _OPTIONS}
        limit = slow_limit(config)
        given |= {"rustpar_thresholds": _thresholds(config), "rustpar_slow": None if limit is None else str(limit)}
        self.journal.run(
            uid,
            ["pytest", *map(str, config.invocation_params.args)],
            {name: str(value) for name, value in given.items() if value not in (None, "", 0)},
            _versions(config),
            _machine(),
        )

    def pytest_deselected(self, items: Sequence[object]) -> None:
        """Count the deselected tests."""
        self._deselected += len(items)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Record the collection, and measure shared fixtures, if tests run in this process."""
        if not self.config.pluginmanager.has_plugin("dsession"):
            fixture_timing.watch(session, self._fixture)
            self.collected([item.nodeid for item in session.items], self._deselected)
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
        ids = list(dict.fromkeys(node_ids))
        numbers = {node_id: number for number, node_id in enumerate(ids)}
        self._numbers = [numbers[node_id] for node_id in node_ids]
        if len(ids) < len(node_ids):
            # With duplicate node ids, indices are no longer test numbers.
            groups, serial = (), ()
        history = history_of(self.config)
        usual = [] if history is None else history.expected(ids)
        self.journal.collected(ids, usual, groups, serial, deselected)
        self.recorder.collected(ids)

    def marked(self, marks: Mapping[str, Sequence[int]]) -> None:
        """Record which tests carry the markers that thresholds name, given as indices in the collection."""
        if marks:
            self._has_marks = True
            numbers = {name: sorted({self._numbers[place] for place in places}) for name, places in marks.items()}
            self.journal.marks(numbers)

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
        more = self.recorder.report(report)
        if more is not None:
            self._record_details(report, *more)

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
        if report.outcome == "passed" and not hasattr(report, "wasxfail"):
            return
        if report.when in ("setup", "call", "teardown"):
            self._detail(report, report.when, test=test, worker=worker)
        else:
            node = getattr(report, "node", None)
            self._detail(report, "crash", test=test, worker=_number_of(node), outcome=report.outcome)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Record a collection error or skip."""
        if not report.passed:
            self._detail(report, "collect", outcome=report.outcome, node_id=report.nodeid)

    def _detail(self, report: Any, when: str, **about: Any) -> None:
        if self._finder is None:
            from rustpar.recording.failure_location import Finder

            self._finder = Finder(self.config)
        path, line, message = self._finder.find(report)
        if when == "crash":
            # Only the first line; the rest is the stack, which the longrepr includes.
            message = message.partition("\n")[0]
        failed = report.outcome not in ("skipped", "passed")
        self.journal.detail(
            when,
            message=message,
            path=path,
            line=line,
            longrepr=str(report.longrepr or "") if failed else "",
            sections=_as_texts(report.sections) if failed else [],
            **about,
        )

    def pytest_warning_recorded(self) -> None:
        """Count the warnings."""
        self._warnings += 1

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


def _as_texts(pairs: Iterable[tuple[object, object]]) -> list[tuple[str, str]]:
    """Convert names and values to strings; plugins may have added other types."""
    return [(str(name), str(value)) for name, value in pairs]


def _number_of(node: Any) -> int | None:
    """Return the number of the worker whose crash is reported."""
    number = "" if node is None else str(node.gateway.id).removeprefix("gw")
    return int(number) if number.isdecimal() else None


def _versions(config: pytest.Config) -> dict[str, str]:
    plugins = {dist.project_name: dist.version for _, dist in config.pluginmanager.list_plugin_distinfo()}
    python = ".".join(map(str, sys.version_info[:3]))
    return {"python": python, "pytest": pytest.__version__, "pytest-rustpar": rustpar.__version__, **plugins}


def _machine() -> dict[str, str]:
    about = {"cpus": str(os.cpu_count()), "platform": sys.platform}
    if hasattr(os, "uname"):
        system = os.uname()
        about |= {"name": system.nodename, "system": f"{system.sysname} {system.release} {system.machine}"}
    if hasattr(os, "sysconf"):
        with contextlib.suppress(ValueError, OSError):
            about["memory"] = str(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return about
