"""The engine of pytest-rustpar."""

from collections.abc import Callable, Generator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal, NoReturn, final

from _pytest.mark.structures import Mark
from _pytest.reports import TestReport
from pluggy import HookImpl

from rustpar.cli.trial import Trial

__all__ = [
    "LIVE_BLOCK_CHARACTERS",
    "Choice",
    "Engine",
    "History",
    "Joiner",
    "Journal",
    "Line",
    "Multicall",
    "Order",
    "Recorder",
    "Shard",
    "Shared",
    "Status",
    "Thresholds",
    "Timing",
    "adopt_orphans",
    "audit",
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
    "journal_limits",
    "clear_namespace",
    "limit_without_effect",
    "set_audit_listener",
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
"""The characters beyond ASCII that a live block uses where it may."""

def adopt_orphans(yes: bool) -> None:
    """Whether this process becomes the parent of processes below it whose own parent dies."""

def audit(event: str, args: tuple[Any, ...]) -> None:
    """The hook for `sys.addaudithook`: tells the listener of events that tell something."""

def set_audit_listener(listener: Callable[[str, tuple[Any, ...]], object] | None) -> None:
    """Has the hook tell `listener`, or nobody."""

def outlive_parent() -> None:
    """Takes `die_with_parent` back."""

def cpu_quota() -> int | None:
    """CPUs that the control group's quota amounts to, rounded up; None without a quota."""

def monotonic() -> float:
    """Seconds since a moment that is the same for this process and those forked from it. Nobody can set this clock."""

def since_epoch() -> float:
    """Seconds since the epoch, by the system's clock."""

def sleep(seconds: float) -> None:
    """Sleeps for so many seconds, and then runs the handlers of signals that have come."""

def memory_left() -> int | None:
    """Bytes of memory that the machine and the control group leave; None where nothing tells."""

def peak_memory() -> int:
    """Resident bytes that this process has held at most; 0 where the system is not Linux."""

def resident_memory(process: int | None) -> int | None:
    """Resident bytes of a process, of this one for None: also what it shares with others. None when it is gone, and
    where the system is not Linux.
    """

def proportional_memory(process: int | None) -> int | None:
    """Proportional bytes of a process, of this one for None: what n processes share counts as the n-th part. None when
    it is gone, and where the system is not Linux.
    """

def memory_lines(
    limit: int | None,
    replaced: Sequence[tuple[int, str, str]],
    path: str | PathLike[str] | None,
    verbosity: int,
) -> list[str]:
    """The section on memory in the summary of a run. `replaced` are the resident bytes, the worker and its last test of
    each worker that held more than `limit`; `path` is the run's journal.
    """

def limit_without_effect(resident: int, limit: int) -> str:
    """Why no worker is replaced, where one holds more than the limit from its beginning."""

def replaced_because(resident: int, limit: int, test: str) -> str:
    """Why a worker is replaced after a test."""

def start_lines(name: str, reasons: Sequence[str], remembered: bool, verbosity: int) -> list[str]:
    """The lines that say how workers start; with a `verbosity` above 0, with every reason."""

def new_failures_line(tests: int, with_template: bool) -> str:
    """How to find out why so many tests fail that did not in the last run."""

def progress_line(finished: int, tests: int) -> str:
    """How far a run is; with no tests, they are being collected."""

def process_line(
    name: str, process: int | None, collects: tuple[str, float] | None, runs: tuple[str | None, float] | None
) -> str:
    """What a process does: the file that it `collects`, the test that it `runs`, None while it is idle, each with the
    seconds for which it has done so. Without a number of the `process`, it is being started.
    """

def coverage_line(total: float | None, seconds: float, files: int, joining: float) -> str:
    """What is covered, in percent, and how many seconds measuring took after the last test, a part of them for joining
    so many files.
    """

def read_trial(lines: str, was_stopped: bool) -> tuple[dict[str, str], list[str], int | None]:
    """What a run for `rustpar doctor` has recorded: outcomes by node id, reasons against a template, and the exit
    status, None for a run that has not come to its end.
    """

def trial_line(trial: Trial, plain: Trial) -> str:
    """The line for a run that has ended, beside the one in plain pytest."""

def trials_differ(trials: Sequence[Trial]) -> bool:
    """Whether any test has different outcomes."""

def comparison_lines(trials: Sequence[Trial]) -> tuple[list[str], bool]:
    """The comparison of all runs, and whether they agree."""

def die_with_parent(parent: int) -> bool:
    """Has the kernel kill this process when its parent dies; False when `parent` is already gone."""

def commands() -> list[tuple[str, str]]:
    """The commands that `run_command` knows, and what each of them does."""

def run_command(arguments: Sequence[str]) -> int:
    """Runs a command with its arguments, of which it is the first; returns its exit status.

    Raises what the handler of a signal raises.
    """

def timeline(journal: str | PathLike[str]) -> bytes:
    """The page that shows the run of a journal, beside the run before it.

    Raises OSError when the journal cannot be read, and ValueError when it is damaged or holds no run.
    """

def trace(journal: str | PathLike[str]) -> bytes:
    """The run of a journal as Chrome trace events. Raises OSError or ValueError."""

def timeline_page(data: str) -> str:
    """The page that shows a run; `data` is JSON as described in `src/report/timeline/mod.rs`."""

def drop_clean_pages() -> None:
    """Lets go of memory that can be read again from the files it came from."""

def exit_process(status: int) -> NoReturn:
    """Ends this process as C's `exit` does: functions registered with `atexit` run, and C's streams are written out."""

def share_description(one: int, other: int) -> bool:
    """Whether two descriptors of this process share a position; False where the kernel does not say."""

def was_seeded(state: Sequence[int]) -> bool:
    """Whether a generator in this state was given a seed; the state is what `_random.Random.getstate` returns."""

def fill_pools() -> int:
    """Takes the free places in CPython's pools, so that new objects come to lie in pools of their own.

    It takes some MiB at most, and nothing from another allocator.

    Returns the bytes that were taken.
    """

def clear_namespace(namespace: dict[str, Any], kept: Sequence[type]) -> None:
    """Sets to None what a module holds, but for its builtins, classes, and instances of exactly the types in `kept`."""

def dumps(object: object) -> tuple[bytes, list[str]]:
    """Encodes an object as plain values; also returns the types of what had to be replaced by its repr."""

def loads(bytes: bytes) -> Any:
    """Decodes what `dumps` encoded; raises ValueError for anything else."""

@final
class Choice:
    """How many workers were chosen, and why."""

    @staticmethod
    def explicit(count: int, why: str) -> Choice:
        """A number that somebody has named, who is taken at their word."""

    @staticmethod
    def for_machine(counted: int, *, cpus: int, usable: int | None, quota: int | None) -> Choice:
        """What pytest-xdist has `counted`, but no more than the CPUs of an affinity mask that leaves some of all `cpus`
        out, and no more than the CPU quota of the control group.
        """

    @staticmethod
    def after_last_run(tests: int, seconds: float) -> Choice | None:
        """One process, if it is faster by the last run of the same command: its tests, and the seconds they took."""

    @property
    def count(self) -> int:
        """The workers; 0 for one process that has none."""

    @property
    def is_explicit(self) -> bool:
        """Whether somebody has named a number."""

    @property
    def description(self) -> str:
        """What the run says of it: the number and why."""

    def at_most(self, count: int, why: str) -> Choice:
        """This choice, or a lower one for another reason."""

    def for_tests(self, tests: int) -> Choice:
        """No more workers than there are tests; at least one."""

    def within_memory(self, left: int, template: int, growth: int | None) -> Choice:
        """No more workers than memory is enough for; at least one, and any number that somebody has named.

        `left` are the bytes that are left, `template` those of the template, and `growth` those by which a worker grew
        beyond it in the last run, if that is known.
        """

@final
class Order:
    """The order that `--rustpar-order` asks for: classes of tests, told apart by their markers."""

    def __new__(cls, lines: list[str]) -> Order:
        """Reads lines. Raises ValueError with one line that says what to write."""

    @property
    def markers(self) -> list[str]:
        """The markers that tell the classes apart, in their order."""

    @property
    def count(self) -> int:
        """How many classes there are."""

    def classes(self, tests: int, marked: Mapping[int, Sequence[Mark]]) -> list[int]:
        """The class of each of so many tests, 0 runs first; `marked` is what `markers.marked` returns."""

    @staticmethod
    def sorted(classes: list[int]) -> list[int]:
        """The tests in the order of their classes, as indices; those of one class stay as they are."""

@final
class Shard:
    """One of several parts of a suite."""

    def __new__(cls, text: str, rule: str) -> Shard:
        """Reads K/N, and "duration" or "hash". Raises ValueError with one line that says what to write."""

    def divide(
        self, node_ids: list[str], lines: list[int], seconds: list[float | None], groups: list[str | None]
    ) -> tuple[list[bool], str]:
        """Whether each test is in this part, and what the run says of it; of each test the node id, the line, the
        seconds that it is expected to take, and its group.
        """

def needs(
    marked: Mapping[int, Sequence[Mark]], node_ids: list[str]
) -> tuple[list[tuple[int, bool, list[tuple[str, bool]]]], list[str]]:
    """What tests need by their marks `serial` and `resource`: of each that needs something its index, whether it is
    serial, and the resources with whether others may hold them, too. And a line for each function whose marks make no
    sense. `marked` is what `markers.marked` returns, and `node_ids` are those of the same tests.
    """

def resource_limits(lines: list[str]) -> list[tuple[str, int]]:
    """How many tests may hold each resource at a time. Raises ValueError with one line that says what to write."""

def journal_limits(text: str) -> tuple[int, int] | None:
    """Characters of failures that a journal keeps, and bytes that all journals in a cache may take, by a size; None for
    "all". Raises ValueError with a line that says what to write.
    """

@final
class Shared:
    """The memory that a run's processes share. To be made before the fork server is forked."""

    def __new__(cls) -> Shared: ...
    def dismiss(self, slot: int) -> None:
        """Lets the worker in this slot leave, once its session is over; in slot 0, all workers."""

    def terminate(self) -> None:
        """Tells all processes that a signal to the controller ends the run."""

    def interrupt_at_termination(self) -> None:
        """Has `SIGTERM` and `SIGHUP` interrupt this process as Ctrl-C does, when they end the run."""

    def interrupted(self, slot: int) -> bool:
        """Whether an interrupt has reached the session of the worker in this slot."""

@final
class Line:
    """A worker's line to the controller."""

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
        """Say how long a phase took, where its report says what is not possible."""

    def claim(self) -> int | None:
        """The next test, for good; None when there is none any more. Sleeps while there is none yet."""

    def claim_or_rest(self) -> int | Literal[False] | None:
        """The same, but for one that is in the tear-down of a test: False when it is to finish that without knowing."""

    def peek(self) -> int | None:
        """The test that will probably come next."""

    def may_start(self) -> bool:
        """Whether a claimed test may still start."""

    def may_exit(self) -> bool:
        """Whether this worker, whose session is over, may leave."""

    def must_exit_early(self) -> bool:
        """Whether this worker has to leave while others still run tests."""

    def set_running(self, test: int | None) -> None:
        """Says which test this worker is in, for the case that it dies there."""

    def set_interrupted(self) -> None:
        """Says that an interrupt has reached this worker."""

    def inventory(self, node_ids: list[str], groups: list[str | None], extras: object) -> None:
        """Sends the collection: node ids, their groups (None without), and any plain value."""

    def message(self, topic: int, object: object) -> list[str]:
        """Sends a plain value under a topic; returns the types of what had to be replaced by its repr."""

    def start(self, test: int, id: object, location: tuple[str, int | None, str]) -> None:
        """pytest_runtest_logstart of the test with this node id object and location."""

    def finish(self, test: int, location: tuple[str, int | None, str]) -> None:
        """pytest_runtest_logfinish."""

    def done(self, test: int, duration: float) -> None:
        """The test's protocol is complete; it took `duration` seconds."""

    def monitor_memory(self, limit: int | None) -> None:
        """Begins to watch the memory of this process, before its first test. When it holds more than `limit` bytes
        after a test, there is no further one for it; unless it holds more already.
        """

    def report(self, test: int, report: TestReport) -> bool:
        """Sends the report if it is a plain one of the test started last; returns whether it was."""

    def serialized(self, test: int, failed: bool, data: dict[str, Any]) -> list[str]:
        """Sends a report in its serializable form; returns the types of what had to be replaced by its repr."""

@final
class Multicall:
    """What is called in the place of pluggy's `_multicall`."""

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
        """Calls the implementations, last one first, as pluggy does."""

@final
class Joiner:
    """Joins data files of coverage.py in memory."""

    def __new__(cls, onto: str | PathLike[str] | None = None) -> Joiner:
        """Begins with nothing, or with all that the file `onto` holds.

        Raises ValueError where that is left to coverage.py.
        """

    def add(self, paths: Sequence[str | PathLike[str]], map_path: Callable[[str], str]) -> list[str | None]:
        """Adds files, whose paths of source files `map_path` changes. Says of each why it was left out, or None.

        Raises ValueError where two files are in conflict; then this is of no more use.
        """

    def write(self, path: str | PathLike[str], version: str) -> None:
        """Writes everything to the file `path`, whole or not at all, as made by `version` of coverage.py.

        Raises OSError. This is of no more use then.
        """

@final
class History:
    """What is remembered of tests and shared fixtures. All times are in seconds."""

    @staticmethod
    def load(path: str | PathLike[str]) -> tuple[History, str | None]:
        """The history in a file, empty where there is none; where it cannot be used, empty too, and why in one line."""

    def expected(self, node_ids: list[str]) -> list[float | None]:
        """What each test will probably take, without the fixtures it shares; None when nothing is known."""

    def failed(self, node_ids: list[str]) -> list[bool]:
        """Whether each test failed when it last ran."""

    def fixture_seconds(self, keys: list[str]) -> list[float | None]:
        """What the set-up of each shared fixture will probably take; None when nothing is known."""

    def __len__(self) -> int:
        """The number of tests."""

@final
class Journal:
    """The journal that a run writes. What happens once is in the file when a method returns."""

    def __new__(cls) -> Journal:
        """Without a file, nothing is written."""

    def open(self, path: str | PathLike[str]) -> None:
        """Begins the file `path`. Raises OSError, also when there is such a file."""

    def limit_failure_texts(self, limit: int | None) -> None:
        """Keeps no more than so many characters of what failures say; all for None."""

    @staticmethod
    def may_replace(path: str | PathLike[str]) -> bool:
        """Whether a file is a journal, to go by how it begins; an empty one may become one. Raises OSError."""

    @staticmethod
    def in_directory(directory: str | PathLike[str]) -> list[Path]:
        """The journals in a directory, those of earlier runs first."""

    @staticmethod
    def is_written(path: str | PathLike[str]) -> bool:
        """Whether the run that writes this journal is under way."""

    def is_at(self, path: str | PathLike[str]) -> bool:
        """Whether what stands at `path` is what was written here, all of it and nothing else."""

    def use_batches(self) -> None:
        """From now on, `flush` is called after each batch of reports; else the end of each test is flushed."""

    def flush(self) -> None:
        """Hands everything to the system."""

    def error(self) -> str | None:
        """What went wrong with the file, told once."""

    def begin(self) -> None:
        """The run begins, now."""

    def run(
        self,
        id: str,
        command: Sequence[str],
        options: Mapping[str, str],
        versions: Mapping[str, str],
        machine: Mapping[str, str],
    ) -> None:
        """What the run is that has begun; the first thing to be told."""

    def collected(
        self,
        ids: Sequence[str],
        usual: Sequence[float | None],
        groups: Sequence[str | None],
        serial: Sequence[int],
        deselected: int,
    ) -> None:
        """Tests have been collected; `usual` is what each is expected to take in seconds, empty without a history,
        `groups` with which it stays, empty without, `serial` the places of those that run alone.
        """

    def marks(self, marks: Mapping[str, Sequence[int]]) -> None:
        """Which tests carry markers that thresholds name."""

    def start(self, start: str, workers: int, dist: str) -> None:
        """It is settled how `workers` processes come up, and how tests are scheduled."""

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
        """What a report says beyond its outcome; `outcome` only where no phase says so. Texts are kept as they fit."""

    def properties(self, test: int | None, properties: Sequence[tuple[str, str]]) -> None:
        """What a test, or without one the suite, has recorded of itself. Those of a test are kept as they fit."""

    def worker(self, worker: int, pid: int) -> None:
        """A worker is there, as process `pid`."""

    def gone(self, worker: int, how: str, status: int, *, running: int | None = None, why: str | None = None) -> None:
        """A worker is gone; `how` is "left", "crashed" or "replaced"."""

    def monitor_memory(self) -> None:
        """Tests are about to run in this process: begins to watch its memory."""

    def sample_memory(self) -> None:
        """Writes down what this process holds, if tests run in it."""

    def memory(self, worker: int | None, rss: int, pss: int | None) -> None:
        """A process holds so many bytes now."""

    def peak(self, test: int, worker: int | None, rss: int) -> None:
        """The peak of a process's memory has grown in a test, to so many bytes."""

    def end(self, exit: int, warnings: int) -> None:
        """The run is over."""

@final
class Recorder:
    """The records of a run, for the history and for its journal."""

    def __new__(cls, journal: Journal) -> Recorder: ...
    def collected(self, ids: list[str]) -> None:
        """Tests have been collected: they are numbered in this order. Each is there once."""

    def report(self, report: TestReport) -> tuple[int, int | None] | None:
        """Takes in a report; one that lacks what a test's report has is ignored.

        Returns the number of the test, and that of the worker, where the report says more than how a phase went.
        """

    def measured(self, worker: int, start: float, seconds: float) -> None:
        """A worker has measured what it reports next: when that began, in seconds since the epoch, and how long it
        took.
        """

    def fixture(self, node_id: str, key: str, seconds: float, worker: int | None) -> None:
        """A shared fixture was set up for a test. Comes before the report of the phase in which it was, and is taken
        off the time of that phase.
        """

    def totals(self) -> tuple[int, float]:
        """How many tests came to their end, and the seconds that they and shared fixtures took in all."""

    def save(self, path: str | PathLike[str]) -> str | None:
        """Adds the run to the history in a file, if there is anything to remember; returns a line that says what went
        wrong.
        """

def spoken(seconds: float) -> str:
    """A duration with three digits and a unit, such as `612 ms`; from a minute on as on a clock."""

def spoken_size(bytes: int) -> str:
    """A number of bytes in whole mebibytes, such as `1,234 MiB`."""

def parse_duration(text: str) -> float:
    """The seconds that a text stands for. Raises ValueError with a line that says what to write."""

def parse_size(text: str) -> int:
    """The bytes that a text stands for. Raises ValueError with a line that says what to write."""

def counted(count: int, noun: str) -> str:
    """A number of things, such as `2 workers`."""

def width(text: str) -> int:
    """The columns of a terminal that a text takes."""

@final
class Thresholds:
    """What a run has to keep."""

    def __new__(cls, text: str) -> Thresholds:
        """Reads them. Raises ValueError with three lines: the reason, the expression, and an arrow below the place."""

    @property
    def markers(self) -> list[str]:
        """The markers that they name."""

    def tests_by_marker(self, marked: Mapping[int, Sequence[Mark]]) -> list[tuple[str, list[int]]]:
        """The tests that carry each of these markers; `marked` is what `markers.marked` returns."""

@final
class Timing:
    """Where the time of a run went, in lines for a terminal.

    Node ids are shown relative to the directory that pytest was started in; they begin at the root directory.
    """

    @staticmethod
    def read(journal: str | PathLike[str], started: str | PathLike[str], root: str | PathLike[str]) -> Timing:
        """Of the runs in a journal. Raises OSError or ValueError."""

    def slow_title(self) -> str:
        """The title above the slow tests, with the limit that the last run has."""

    def slow_tests(self) -> list[tuple[str, bool]]:
        """The slow tests, the longest first: lines, and whether each is of a test that took far longer than usual.

        Empty without slow tests.
        """

    def lines(self) -> list[str]:
        """Percentiles, workers and the lower bound. Empty when no test ran."""

    def thresholds(self) -> list[tuple[str, bool]]:
        """What became of thresholds: lines, and whether each is of a broken one.

        Raises ValueError when the journal names some that cannot be understood.
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
    """The lines that tell what each worker would run, and when, if everything takes what is expected; arguments as of
    `Engine.schedule`, with the node ids and the groups of all tests, and warnings to show. Raises RuntimeError when
    there is no such plan.
    """

@final
class Status:
    """How far a run is."""

    @property
    def tests(self) -> int:
        """How many tests there are to run; 0 before they are known."""

    @property
    def finished(self) -> int:
        """How many have finished."""

    @property
    def workers(self) -> list[tuple[int, int | None, float]]:
        """Of each worker that takes part: its number, the test it is in or None, and for how many seconds."""

    def live_block(
        self,
        counts: Mapping[str, int],
        running: Sequence[tuple[int, str, float]],
        size: tuple[int, int],
        has_colours: bool,
        is_drawn: bool,
    ) -> list[str]:
        """The lines of the live block, for a terminal with so many columns and lines; none where it is too low for any.

        `counts` are those of pytest's reporter, by category; `running` has of each running test its worker, its node
        id and its seconds. `is_drawn` says whether the terminal can show `LIVE_BLOCK_CHARACTERS`.
        """

@final
class Engine:
    """The controller's I/O thread, and the objects that its events are made of."""

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
        """Registers the worker that is about to be forked; returns its slot."""

    def join(self, worker: int) -> None:
        """Lets a worker take part: its collection is known, and the same as the others'."""

    def schedule(
        self, dist: str, workers: int, *, max_chunk: int | None, reorder: bool, plan: str, facts: Mapping[str, Any]
    ) -> None:
        """Schedules the tests of the inventory by xdist's distribution mode `dist`, and `load` by `--rustpar-plan`;
        `facts` are what `inventory.facts` tells of them, with `seconds`, `failed` and `setup_seconds` from the history.
        """

    def set_expected(self, seconds: list[float | None], times: int) -> None:
        """Expects tests to take so many `seconds`, None where that is not known, each to be run so many `times`."""

    def status(self) -> Status:
        """How far the run is."""

    def assign(self, worker: int, tests: list[int]) -> None:
        """Assigns tests to a worker by hand."""

    def steal(self, worker: int, tests: list[int]) -> None:
        """Takes exactly these tests back by hand; answered by UNSCHEDULED."""

    def close(self, worker: int) -> None:
        """Assigns nothing more to the worker, by hand."""

    def run_again(self, test: int) -> None:
        """Runs a test once more."""

    def failure_limit(self, limit: int) -> None:
        """Has the engine stop by itself once so many reports have failed; 0 means never."""

    def stop(self) -> None:
        """Lets no further test start."""

    def events(self, into: list[tuple[int, int, Any, Any]], limit: float) -> None:
        """Appends the next batch of events to `into`; nothing when none came within `limit` seconds."""

    def shut_down(self) -> None:
        """Ends the thread."""
