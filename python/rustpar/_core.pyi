"""The native engine of pytest-rustpar."""

from collections.abc import Callable, Generator, Mapping, Sequence
from os import PathLike
from typing import Any, Literal, NoReturn, final

from _pytest.mark.structures import Mark
from _pytest.reports import TestReport
from pluggy import HookImpl

from rustpar.cli.trial import Trial

__all__ = [
    "LIVE_BLOCK_CHARACTERS",
    "Choice",
    "Completeness",
    "Engine",
    "History",
    "Joiner",
    "Journal",
    "Line",
    "Multicall",
    "Order",
    "Recorder",
    "Retention",
    "Shard",
    "Shared",
    "Status",
    "Thresholds",
    "Timing",
    "adopt_orphans",
    "audit",
    "clear_namespace",
    "commands",
    "comparison_lines",
    "counted",
    "coverage_line",
    "cpu_quota",
    "die_with_parent",
    "drop_clean_pages",
    "dumps",
    "exit_process",
    "fill_pools",
    "limit_without_effect",
    "loads",
    "memory_left",
    "memory_lines",
    "monotonic",
    "needs",
    "new_failures_line",
    "outlive_parent",
    "parse_duration",
    "parse_size",
    "peak_memory",
    "plan_lines",
    "process_line",
    "progress_line",
    "proportional_memory",
    "read_trial",
    "replaced_because",
    "resident_memory",
    "resource_limits",
    "run_command",
    "set_audit_listener",
    "share_description",
    "since_epoch",
    "sleep",
    "spoken",
    "spoken_size",
    "start_lines",
    "timeline",
    "timeline_page",
    "trace",
    "trial_line",
    "trials_differ",
    "was_seeded",
    "width",
]

LIVE_BLOCK_CHARACTERS: str
"""The non-ASCII characters that the live block uses if the terminal can show them."""

def adopt_orphans(yes: bool) -> None:
    """Set whether this process becomes the parent of orphaned descendants (`PR_SET_CHILD_SUBREAPER`)."""

def audit(event: str, args: tuple[Any, ...]) -> None:
    """The hook for `sys.addaudithook`: passes the relevant events to the listener."""

def set_audit_listener(listener: Callable[[str, tuple[Any, ...]], object] | None) -> None:
    """Set the function that receives audit events; None removes it."""

def outlive_parent() -> None:
    """Undo `die_with_parent`."""

def cpu_quota() -> int | None:
    """The number of CPUs that the control group's quota allows, rounded up; None without a quota."""

def monotonic() -> float:
    """Seconds of a monotonic clock that this process and its forks share."""

def since_epoch() -> float:
    """Seconds since the epoch, by the system's clock."""

def sleep(seconds: float) -> None:
    """Sleep for `seconds`, then run the handlers of signals that have arrived meanwhile."""

def memory_left() -> int | None:
    """Bytes of memory that are available on the machine and in the control group; None if unknown."""

def peak_memory() -> int:
    """The peak resident memory of this process in bytes; 0 on systems other than Linux."""

def resident_memory(process: int | None) -> int | None:
    """The resident memory of a process (None: this one) in bytes, including shared pages.

    Returns None if the process is gone, and on systems other than Linux.
    """

def proportional_memory(process: int | None) -> int | None:
    """The proportional memory (PSS) of a process (None: this one) in bytes: a page shared by n processes counts 1/n.

    Returns None if the process is gone, and on systems other than Linux.
    """

def memory_lines(
    limit: int | None,
    replaced: Sequence[tuple[int, str, str]],
    path: str | PathLike[str] | None,
    verbosity: int,
) -> list[str]:
    """The memory section of a run's summary.

    `replaced` has for each worker that exceeded `limit` its resident bytes, its name and its last test; `path` is the
    run's journal.
    """

def limit_without_effect(resident: int, limit: int) -> str:
    """The line for a worker that exceeds the limit before its first test, so that it cannot be replaced."""

def replaced_because(resident: int, limit: int, test: str) -> str:
    """The reason why a worker is replaced after a test."""

def start_lines(name: str, reasons: Sequence[str], remembered: bool, verbosity: int) -> list[str]:
    """The lines that report the start method; all reasons if `verbosity` is above 0."""

def new_failures_line(tests: int, with_template: bool) -> str:
    """The line that says how to find the cause of `tests` failures that are new since the last run."""

def progress_line(finished: int, tests: int) -> str:
    """The progress of a run in one line; 0 `tests` means that collection is not complete."""

def process_line(
    name: str, process: int | None, collects: tuple[str, float] | None, runs: tuple[str | None, float] | None
) -> str:
    """The state of a process in one line.

    `collects` is the file that it collects, `runs` the test that it runs (None: idle), each with the elapsed seconds.
    `process` is its process id; None while it is being started.
    """

def coverage_line(total: float | None, seconds: float, files: int, joining: float) -> str:
    """The coverage in percent, and the `seconds` it took after the last test, `joining` of them to combine files."""

def read_trial(lines: str, was_stopped: bool) -> tuple[dict[str, str], list[str], int | None]:
    """Parse the record of a run by `rustpar doctor`.

    Returns the outcomes by node id, the reasons against a template, and the exit status (None if the session did not
    finish).
    """

def trial_line(trial: Trial, plain: Trial) -> str:
    """The line for a completed run, compared with the run in plain pytest."""

def trials_differ(trials: Sequence[Trial]) -> bool:
    """Whether the outcome of any test differs between the runs."""

def comparison_lines(trials: Sequence[Trial]) -> tuple[list[str], bool]:
    """The lines that compare all runs, and whether all outcomes agree."""

def die_with_parent(parent: int) -> bool:
    """Have the kernel kill this process when its parent dies; False if `parent` is already gone."""

def commands() -> list[tuple[str, str]]:
    """The names of the commands that `run_command` implements, with a description of each."""

def run_command(arguments: Sequence[str]) -> int:
    """Run a command, named by the first of the arguments; return its exit status.

    Raises what the handler of a signal raises.
    """

def timeline(journal: str | PathLike[str]) -> bytes:
    """Render the HTML timeline of a journal's run, compared with the run before it.

    Raises OSError when the journal cannot be read, and ValueError when it is damaged or holds no run.
    """

def trace(journal: str | PathLike[str]) -> bytes:
    """Convert a journal's run to Chrome trace events. Raises OSError or ValueError."""

def timeline_page(data: str) -> str:
    """Render the HTML timeline; `data` is JSON as described in `src/report/timeline/mod.rs`."""

def drop_clean_pages() -> None:
    """Release memory that can be read again from the files that it is mapped from."""

def exit_process(status: int) -> NoReturn:
    """End this process by C's `exit`: functions registered with C's `atexit` run, and C's streams are flushed."""

def share_description(one: int, other: int) -> bool:
    """Whether two descriptors of this process share a file position; False if the kernel cannot tell."""

def was_seeded(state: Sequence[int]) -> bool:
    """Whether a generator in this state was seeded explicitly; `state` is what `_random.Random.getstate` returns."""

def fill_pools() -> int:
    """Fill the free places in CPython's memory pools, so that new objects are allocated in new pools.

    Takes a few MiB at most, and nothing if another allocator is used. Returns the number of bytes taken.
    """

def clear_namespace(namespace: dict[str, Any], kept: Sequence[type]) -> None:
    """Set a module's globals to None, except builtins, classes, and instances of exactly the types in `kept`."""

def dumps(object: object) -> tuple[bytes, list[str]]:
    """Encode an object as plain values; also return the types of objects that were replaced by their repr."""

def loads(bytes: bytes) -> Any:
    """Decode the output of `dumps`; raises ValueError for anything else."""

@final
class Choice:
    """The chosen number of workers, with the reason."""

    @staticmethod
    def explicit(count: int, why: str) -> Choice:
        """A number that was set explicitly."""

    @staticmethod
    def for_machine(counted: int, *, cpus: int, usable: int | None, quota: int | None) -> Choice:
        """The number that pytest-xdist has `counted`, limited by a restricted CPU affinity and by the CPU quota."""

    @staticmethod
    def after_last_run(tests: int, seconds: float) -> Choice | None:
        """A single process, if the last run of the same command suggests that it is faster; else None."""

    @property
    def count(self) -> int:
        """The number of workers; 0 for a single process without workers."""

    @property
    def is_explicit(self) -> bool:
        """Whether the number was set explicitly."""

    @property
    def description(self) -> str:
        """The number and the reason, as shown in the header."""

    def at_most(self, count: int, why: str) -> Choice:
        """This choice, or `count` with the reason `why` if that is lower."""

    def for_tests(self, tests: int) -> Choice:
        """Limit the number to the number of tests; at least one."""

    def within_memory(self, left: int, template: int, growth: int | None) -> Choice:
        """Limit the number to what fits into memory; at least one. A number that was set explicitly stays.

        `left` are the available bytes, `template` the size of the template, and `growth` the bytes by which a worker
        grew beyond it in the last run, if known.
        """

@final
class Order:
    """The order that `--rustpar-order` specifies: classes of tests, distinguished by markers."""

    def __new__(cls, lines: list[str]) -> Order:
        """Parse an order. Raises ValueError with a one-line message."""

    @property
    def markers(self) -> list[str]:
        """The markers that distinguish the classes, in order."""

    @property
    def count(self) -> int:
        """The number of classes."""

    def classes(self, tests: int, marked: Mapping[int, Sequence[Mark]]) -> list[int]:
        """The class of each of `tests` tests; class 0 runs first. `marked` is what `markers.marked` returns."""

    @staticmethod
    def sorted(classes: list[int]) -> list[int]:
        """The indices of the tests, stably sorted by class."""

@final
class Shard:
    """One shard of a suite."""

    def __new__(cls, text: str, rule: str) -> Shard:
        """Parse `K/N` and a rule, "duration" or "hash". Raises ValueError with a one-line message."""

    def divide(
        self, node_ids: list[str], lines: list[int], seconds: list[float | None], groups: list[str | None]
    ) -> tuple[list[bool], str]:
        """Whether each test is in this shard, and a description of the shard; `seconds` are expected durations."""

def needs(
    marked: Mapping[int, Sequence[Mark]], node_ids: list[str]
) -> tuple[list[tuple[int, bool, list[tuple[str, bool]]]], list[str]]:
    """The constraints that the marks `serial` and `resource` put on tests, and warnings about invalid marks.

    A constraint is (index, is serial, [(resource, is shared)]). There is one warning per function. `marked` is what
    `markers.marked` returns, and `node_ids` are those of the same tests.
    """

def resource_limits(lines: list[str]) -> list[tuple[str, int]]:
    """How many tests may hold each resource at a time. Raises ValueError with a one-line message."""

@final
class Retention:
    """The number and size of the journals in pytest's cache."""

    def __new__(cls, number: str, size: str) -> Retention:
        """Parse ``rustpar_journals`` and ``rustpar_journal_size``. Raises ValueError with a one-line message."""

    @property
    def number(self) -> int:
        """How many journals are kept, including that of the current run; 0 for none."""

    @property
    def characters(self) -> int | None:
        """Characters of failure texts in one journal; None for no limit."""

    def make_room(self, directory: str | PathLike[str]) -> None:
        """Delete the oldest journals of a directory, to make room for one more. Raises OSError."""

@final
class Shared:
    """The shared memory of a run's processes. Must be created before the fork server is forked."""

    def __new__(cls) -> Shared: ...
    def dismiss(self, slot: int) -> None:
        """Let the worker in this slot exit once its session has finished; slot 0 means all workers."""

    def terminate(self) -> None:
        """Tell all processes that a signal to the controller ends the run."""

    def interrupt_at_termination(self) -> None:
        """Make `SIGTERM` and `SIGHUP` interrupt this process as Ctrl-C does, if they end the run."""

    def interrupted(self, slot: int) -> bool:
        """Whether the session of the worker in this slot has received an interrupt."""

@final
class Line:
    """A worker's connection to the controller."""

    READY: int
    COLLECT_REPORT: int
    WARNING: int
    INTERNAL_ERROR: int
    FINISHED: int
    INTERRUPTED: int
    SUITE_PROPERTY: int
    NOTICE: int
    COLLECTING: int
    USAGE_ERROR: int
    REASON: int
    FIXTURE: int
    MEASURED: int

    def __new__(cls, shared: Shared, slot: int, report_type: type[TestReport], id_attribute: str) -> Line: ...
    def is_own(self) -> bool: ...
    def measure(self, report: TestReport) -> None:
        """Send the phase's duration as measured in this worker, if the one in its report is impossible."""

    def claim(self) -> int | None:
        """Claim the next test; None when there are no more tests. Sleeps while none is available."""

    def claim_or_rest(self) -> int | Literal[False] | None:
        """As `claim`, during the teardown of a test: False means to finish that without knowing the next test."""

    def peek(self) -> int | None:
        """The test that will probably be claimed next."""

    def may_start(self) -> bool:
        """Whether a claimed test may still start."""

    def may_exit(self) -> bool:
        """Whether this worker, whose session has finished, may exit."""

    def must_exit_early(self) -> bool:
        """Whether this worker must exit while others still run tests."""

    def set_running(self, test: int | None) -> None:
        """Record the running test, so that a crash can be attributed to it."""

    def set_interrupted(self) -> None:
        """Record that this worker has received an interrupt."""

    def inventory(self, node_ids: list[str], groups: list[str | None], extras: object) -> None:
        """Send the collection: node ids, their groups (None without), and any plain value."""

    def message(self, topic: int, object: object) -> list[str]:
        """Send a plain value under a topic; return the types of objects that were replaced by their repr."""

    def start(self, test: int, id: object, location: tuple[str, int | None, str]) -> None:
        """Send `pytest_runtest_logstart` for the test with this node id object and location."""

    def finish(self, test: int, location: tuple[str, int | None, str]) -> None:
        """Send `pytest_runtest_logfinish`."""

    def done(self, test: int, duration: float) -> None:
        """Send that the test's protocol is complete, after `duration` seconds."""

    def monitor_memory(self, limit: int | None) -> None:
        """Start watching the memory of this process, before its first test.

        If it exceeds `limit` bytes after a test, it gets no further test; unless it already exceeds that now.
        """

    def report(self, test: int, report: TestReport) -> bool:
        """Send the report if it is an ordinary one of the test started last; return whether it was sent."""

    def serialized(self, test: int, failed: bool, data: dict[str, Any]) -> list[str]:
        """Send a report in its serializable form; return the types of objects that were replaced by their repr."""

@final
class Multicall:
    """A replacement for pluggy's `_multicall`."""

    def __new__(
        cls,
        fallback: Callable[..., Any],
        *,
        ours: Sequence[str],
        next_to_users: Sequence[str],
        missing: Callable[[str], NoReturn],
        did_not_yield: Callable[[Generator[None, object, object], object], NoReturn],
        second_yield: Callable[[Generator[None, object, object]], NoReturn],
    ) -> Multicall: ...
    def __call__(
        self,
        hook_name: str,
        hook_impls: Sequence[HookImpl],
        caller_kwargs: Mapping[str, object],
        firstresult: bool,
        /,
    ) -> Any:
        """Call the implementations from last to first, as pluggy does."""

@final
class Joiner:
    """Combines data files of coverage.py in memory."""

    def __new__(cls, onto: str | PathLike[str] | None = None) -> Joiner:
        """Start empty, or with the contents of the data file `onto`.

        Raises ValueError if this has to be left to coverage.py.
        """

    def add(self, paths: Sequence[str | PathLike[str]], map_path: Callable[[str], str]) -> list[str | None]:
        """Add data files; `map_path` maps the paths of source files. Returns for each why it was left out, or None.

        Raises ValueError if two files conflict; the object must not be used afterwards.
        """

    def write(self, path: str | PathLike[str], version: str) -> None:
        """Write everything atomically to the file `path`, as made by `version` of coverage.py.

        Raises OSError; the object must not be used afterwards.
        """

@final
class History:
    """The recorded durations and outcomes of tests and shared fixtures. All times are in seconds."""

    @staticmethod
    def load(path: str | PathLike[str]) -> tuple[History, str | None]:
        """Load a history file; empty if it does not exist, and if it is unusable, with the reason in one line."""

    def expected(self, node_ids: list[str]) -> list[float | None]:
        """The expected duration of each test, without shared fixtures; None if unknown."""

    def failed(self, node_ids: list[str]) -> list[bool]:
        """Whether each test failed when it last ran."""

    def fixture_seconds(self, keys: list[str]) -> list[float | None]:
        """The expected set-up time of each shared fixture; None if unknown."""

    def __len__(self) -> int:
        """The number of tests."""

@final
class Journal:
    """The writer of a run's journal. Events that occur once in a run are in the file when a method returns."""

    def __new__(cls) -> Journal:
        """Create a journal without a file, which discards all events."""

    def open(self, path: str | PathLike[str]) -> None:
        """Create the file `path`. Raises OSError, also if it exists."""

    def limit_failure_texts(self, limit: int | None) -> None:
        """Limit the characters of failures that are kept; None for no limit."""

    @staticmethod
    def may_replace(path: str | PathLike[str]) -> bool:
        """Whether a file is empty or starts like a journal, so that it may be overwritten. Raises OSError."""

    def is_at(self, path: str | PathLike[str]) -> bool:
        """Whether the file at `path` is exactly what was written here."""

    def use_batches(self) -> None:
        """Expect `flush` to be called after each batch of reports, instead of flushing at the end of each test."""

    def flush(self) -> None:
        """Pass everything to the operating system."""

    def error(self) -> str | None:
        """The error that occurred while writing, if any; returned only once."""

    def begin(self) -> None:
        """Record the start of the run, now."""

    def run(
        self,
        id: str,
        command: Sequence[str],
        options: Mapping[str, str],
        versions: Mapping[str, str],
        machine: Mapping[str, str],
    ) -> None:
        """Describe the run; must be the first event."""

    def collected(
        self,
        ids: Sequence[str],
        usual: Sequence[float | None],
        groups: Sequence[str | None],
        serial: Sequence[int],
        deselected: int,
    ) -> None:
        """Record the collection.

        `usual` are the expected durations in seconds (empty without a history), `groups` the test groups (empty without
        any), `serial` the indices of serial tests.
        """

    def marks(self, marks: Mapping[str, Sequence[int]]) -> None:
        """Record which tests carry the markers that thresholds name."""

    def start(self, start: str, workers: int, dist: str) -> None:
        """Record the start method, the number of workers and the distribution mode."""

    def detail(
        self,
        when: str,
        *,
        test: int | None = None,
        worker: int | None = None,
        outcome: str | None = None,
        node_id: str | None = None,
        message: str,
        path: str | None = None,
        line: int | None = None,
        longrepr: str,
        sections: Sequence[tuple[str, str]],
    ) -> None:
        """Record details of a report; `outcome` only if no phase has it. Texts are shortened to the limit."""

    def properties(self, test: int | None, properties: Sequence[tuple[str, str]]) -> None:
        """Record the properties of a test, or of the suite for None. Those of a test are shortened to the limit."""

    def worker(self, worker: int, pid: int) -> None:
        """Record that a worker has started as process `pid`."""

    def gone(self, worker: int, how: str, status: int, *, running: int | None = None, why: str | None = None) -> None:
        """Record that a worker has exited; `how` is "left", "crashed" or "replaced"."""

    def monitor_memory(self) -> None:
        """Start watching the memory of this process, because tests run in it."""

    def sample_memory(self) -> None:
        """Record the memory of this process, if tests run in it."""

    def memory(self, worker: int | None, rss: int, pss: int | None) -> None:
        """Record the current memory of a process in bytes."""

    def peak(self, test: int, worker: int | None, rss: int) -> None:
        """Record that a process's memory has reached a new peak of `rss` bytes in a test."""

    def end(self, exit: int, warnings: int) -> None:
        """Record the end of the run."""

@final
class Recorder:
    """Collects a run's results for its history and its journal."""

    def __new__(cls, journal: Journal) -> Recorder: ...
    def collected(self, ids: list[str]) -> None:
        """Number the collected tests in this order. The ids must be unique."""

    def report(self, report: TestReport) -> tuple[int, int | None] | None:
        """Process a report; objects that lack attributes of a test report are ignored.

        Returns the numbers of the test and the worker if the report has details beyond a phase's outcome.
        """

    def measured(self, worker: int, start: float, seconds: float) -> None:
        """Set when the phase that a worker reports next started (seconds since the epoch), and how long it took."""

    def fixture(self, node_id: str, key: str, seconds: float, worker: int | None) -> None:
        """Record the set-up of a shared fixture for a test.

        Must precede the report of its phase, from whose duration it is subtracted.
        """

    def totals(self) -> tuple[int, float]:
        """The number of finished tests, and the seconds that they and shared fixtures took in total."""

    def save(self, path: str | PathLike[str]) -> str | None:
        """Add the run to a history file, if there is anything to add; return an error message or None."""

def spoken(seconds: float) -> str:
    """Format a duration with three digits and a unit, such as `612 ms`; from one minute on as on a clock."""

def spoken_size(bytes: int) -> str:
    """Format a number of bytes in whole mebibytes, such as `1,234 MiB`."""

def parse_duration(text: str) -> float:
    """Parse a duration; return seconds. Raises ValueError with a one-line message."""

def parse_size(text: str) -> int:
    """Parse a size; return bytes. Raises ValueError with a one-line message."""

def counted(count: int, noun: str) -> str:
    """Format a count with its noun, such as `2 workers`."""

def width(text: str) -> int:
    """The number of terminal columns that a text takes."""

@final
class Completeness:
    """Counts how often each collected test was completed, to detect lost tests."""

    def __new__(cls, tests: int) -> Completeness:
        """Count for this many collected tests."""

    def record(self, test: int) -> None:
        """Record that a worker has completed a test, or has crashed in it."""

    def missing(
        self, times: int, given: Sequence[int] | None = None, taken_back: Sequence[int] | None = None
    ) -> list[int]:
        """Return the tests that were completed less than `times` times.

        With `given`, only tests that were assigned to a worker more often than they were taken back.
        """

    @staticmethod
    def message(missing: Sequence[str]) -> str | None:
        """Return the message about missing tests with these node ids; None if there are none."""

@final
class Thresholds:
    """The limits that a run must not exceed."""

    def __new__(cls, text: str) -> Thresholds:
        """Parse expressions. Raises ValueError with three lines: the reason, the expression, and a pointer."""

    @property
    def markers(self) -> list[str]:
        """The markers that the expressions name."""

    def tests_by_marker(self, marked: Mapping[int, Sequence[Mark]]) -> list[tuple[str, list[int]]]:
        """The tests that carry each of these markers; `marked` is what `markers.marked` returns."""

@final
class Timing:
    """An analysis of where a run's time went, as lines for a terminal.

    Node ids, which start at the rootdir, are shown relative to the directory in which pytest was started.
    """

    @staticmethod
    def read(journal: str | PathLike[str], started: str | PathLike[str], root: str | PathLike[str]) -> Timing:
        """Analyse the runs in a journal. Raises OSError or ValueError."""

    def slow_title(self) -> str:
        """The heading of the slow tests, with the limit that was set for the last run."""

    def slow_tests(self) -> list[tuple[str, bool]]:
        """The slow tests, longest first: lines, and whether each is of a test that took far longer than usual.

        Empty without slow tests.
        """

    def lines(self) -> list[str]:
        """Percentiles, workers and the lower bound. Empty if no test ran."""

    def thresholds(self) -> list[tuple[str, bool]]:
        """The results of thresholds: lines, and whether each is of an exceeded threshold.

        Raises ValueError if the journal has invalid thresholds.
        """

def plan_lines(
    node_ids: list[str],
    groups: Sequence[str | None],
    dist: str,
    workers: int,
    *,
    max_chunk: int | None,
    reorder: bool,
    plan: str,
    facts: Mapping[str, Any],
    warnings: Sequence[str],
) -> list[str]:
    """The lines that describe the predicted schedule.

    Arguments are as of `Engine.schedule`, with the node ids and groups of all tests, and warnings to show. Raises
    RuntimeError if there is no schedule.
    """

@final
class Status:
    """A snapshot of a run's progress."""

    @property
    def tests(self) -> int:
        """The number of tests to run; 0 until collection is complete."""

    @property
    def finished(self) -> int:
        """The number of finished tests."""

    @property
    def workers(self) -> list[tuple[int, int | None, float]]:
        """For each worker its number, its running test (None: idle), and for how many seconds."""

    def live_block(
        self,
        counts: Mapping[str, int],
        running: Sequence[tuple[int, str, float]],
        size: tuple[int, int],
        has_colours: bool,
        is_drawn: bool,
    ) -> list[str]:
        """The lines of the live block for a terminal of `size` (columns, lines); none if the terminal is too small.

        `counts` are those of pytest's reporter, by category; `running` has the worker, node id and seconds of each
        running test. `is_drawn` says whether the terminal can show `LIVE_BLOCK_CHARACTERS`.
        """

@final
class Engine:
    """The controller's I/O thread, and the conversion of its events to Python objects."""

    TEMPLATE: int
    INVENTORY: int
    START: int
    REPORT: int
    SERIALIZED: int
    FINISH: int
    DONE: int
    MESSAGE: int
    OUTPUT: int
    FORKED: int
    EXITED: int
    UNSCHEDULED: int
    TEMPLATE_FORKED: int
    TEMPLATE_EXITED: int
    SERVER_GONE: int
    BROKEN: int
    TIMED_OUT: int
    PEAK: int
    OVER_MEMORY_LIMIT: int

    def __new__(
        cls,
        shared: Shared,
        control: int,
        output: int | None,
        *,
        report_type: type[TestReport],
        id_attribute: str,
        make_id: Callable[[str], object] | None,
        testrun_uid: str,
        template_node: object,
    ) -> Engine: ...
    def add_worker(self, worker: int, output: int, node: object, name: str) -> int:
        """Register a worker that is about to be forked; return its slot."""

    def join(self, worker: int) -> None:
        """Let a worker run tests: its collection is known, and the same as the others'."""

    def schedule(
        self, dist: str, workers: int, *, max_chunk: int | None, reorder: bool, plan: str, facts: Mapping[str, Any]
    ) -> None:
        """Schedule the collected tests by xdist's distribution mode `dist`, and for `load` by `--rustpar-plan`.

        `facts` is what `inventory.facts` returns, with `seconds`, `failed` and `setup_seconds` from the history.
        """

    def set_expected(self, seconds: list[float | None], times: int) -> None:
        """Set the expected durations of tests (None: unknown), for progress; each test runs `times` times."""

    def time_limits(self, default: float | None, own: Sequence[tuple[int, float]]) -> None:
        """Set the time limits in seconds: of all tests, and of single ones by index; 0 or None for no limit."""

    def status(self) -> Status:
        """The progress of the run."""

    def assign(self, worker: int, tests: list[int]) -> None:
        """Assign tests to a worker, for a scheduler in Python."""

    def steal(self, worker: int, tests: list[int]) -> None:
        """Take back exactly these tests, for a scheduler in Python; answered by UNSCHEDULED."""

    def close(self, worker: int) -> None:
        """Assign no more tests to the worker, for a scheduler in Python."""

    def run_again(self, test: int) -> None:
        """Run a test once more."""

    def failure_limit(self, limit: int) -> None:
        """Stop after this number of failed reports; 0 means never."""

    def stop(self) -> None:
        """Let no further test start."""

    def events(self, into: list[tuple[int, int, Any, Any]], limit: float) -> None:
        """Append the next batch of events to `into`; nothing if none arrives within `limit` seconds."""

    def shut_down(self) -> None:
        """End the thread."""
