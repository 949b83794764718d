"""The native engine of pytest-rustpar."""

from collections.abc import Callable, Generator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from re import Match
from typing import Any, Literal, NoReturn, final

from _pytest.mark.structures import Mark
from _pytest.reports import TestReport
from pluggy import HookImpl

__all__ = [
    "LIVE_BLOCK_CHARACTERS",
    "VERSION",
    "Bisection",
    "Changes",
    "Choice",
    "Completeness",
    "EarlierReport",
    "EarlierRun",
    "Engine",
    "History",
    "Joiner",
    "Journal",
    "Leftover",
    "Line",
    "LoadGenerator",
    "LoadOutcome",
    "LoadPlan",
    "LoadSeconds",
    "Multicall",
    "Opcodes",
    "Order",
    "ProcessState",
    "ProjectFiles",
    "Quarantine",
    "Recorder",
    "Repetitions",
    "Retention",
    "RetryDelay",
    "Shard",
    "Shared",
    "Status",
    "Thresholds",
    "Timing",
    "WatchSession",
    "add_audit_hook",
    "adopt_orphans",
    "audit",
    "blocking_threads",
    "clear_namespace",
    "commands",
    "counted",
    "coverage_line",
    "cpu_quota",
    "crash_text",
    "describe_exit",
    "die_with_parent",
    "digest",
    "drop_clean_pages",
    "dumps",
    "exit_process",
    "fill_pools",
    "forked_crash_text",
    "hide_reports",
    "holds_lock",
    "is_exiting",
    "is_in_mask",
    "largest_thread_pool",
    "leak_kinds",
    "leak_line",
    "limit_without_effect",
    "live_area",
    "loads",
    "memory_kills",
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
    "prepare_replay",
    "process_line",
    "progress_line",
    "proportional_memory",
    "reap",
    "record_opened_files",
    "record_temporary_files",
    "remember_imports",
    "replaced_because",
    "resident_memory",
    "resource_limits",
    "retry_lines",
    "run_command",
    "scheduler_name",
    "seeds_generator",
    "set_audit_listener",
    "set_up_once_line",
    "set_use_listener",
    "share_description",
    "shortened_stack",
    "since_epoch",
    "sleep",
    "spoken",
    "spoken_size",
    "start_lines",
    "start_of_process",
    "thread_count",
    "thread_pool_lines",
    "timeline",
    "timeline_page",
    "trace",
    "track_reports",
    "trial_lines",
    "unknown_threads",
    "was_seeded",
]

LIVE_BLOCK_CHARACTERS: str
"""The non-ASCII characters that the live block uses if the terminal can show them."""

VERSION: str
"""The version of the package."""

def adopt_orphans(yes: bool) -> None:
    """Set whether this process becomes the parent of orphaned descendants (`PR_SET_CHILD_SUBREAPER`)."""

def add_audit_hook() -> bool:
    """Add the hook; return False if this interpreter cannot call it, and `sys.addaudithook(audit)` is needed."""

def audit(event: str, args: tuple[Any, ...]) -> None:
    """The hook: passes the relevant events to the listener, and records temporary files."""

def record_opened_files(directories: list[str], listener: Callable[[str, bool], object]) -> None:
    """Have the audit hook call `listener(path, is_written)` for each file in these directories that Python code opens,
    replaces or deletes."""

def record_temporary_files() -> None:
    """Start recording the names that `tempfile` makes; the audit hook must be installed."""

def leak_kinds() -> list[str]:
    """The kinds of leaks."""

def leak_line(test: str | None, fixture: str | None, what: str) -> str:
    """The line about a leak of a test, or of a fixture that was torn down with this test; without the test for None."""

def set_use_listener(listener: Callable[[str, tuple[Any, ...]], object] | None) -> None:
    """Have the audit hook call `listener(event, args)` for each use of a file, a directory or a connection; None for
    nobody."""

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

def thread_count() -> int:
    """Number of threads of this process; 1 if the system does not tell."""

def unknown_threads(known: int) -> tuple[int, list[str]]:
    """Number of threads of this process that are not prepared for a fork, except `known` ones, and libraries' names.

    The names are those of libraries that they wait in, as far as known. It may be wrong while threads start and end.
    """

def largest_thread_pool() -> tuple[str, int, str] | None:
    """The largest thread pool of numerical libraries that this process has loaded.

    Returns:
        The library, its threads, and the environment variable that sets their number. None if there is none, or if such
        a variable is set.
    """

def seeds_generator(line: str, is_from_system: bool) -> bool:
    """Whether a line of source code seeds a random number generator, judged by its text.

    Args:
        line: The line.
        is_from_system: Whether it must request one of the system's random numbers, too.
    """

def memory_kills() -> tuple[int, int]:
    """How often the kernel has killed a process to get memory: of the control group, and of the machine."""

def digest(text: str) -> str:
    """A digest of a text, in 16 hexadecimal digits."""

def shortened_stack(stack: str) -> str:
    """A stack that faulthandler has written, without frames of pytest and of the interpreter's own modules."""

def forked_crash_text(phase: str, status: int, stack: str) -> str:
    """The text about a test whose own process has ended before the test, by its exit code or minus a signal."""

def describe_exit(status: int, is_sent: bool) -> str:
    """How a process ended, from its exit code or minus the signal that killed it, which rustpar may have sent."""

def crash_text(
    worker: str,
    test: str,
    phase: str,
    status: int,
    *,
    is_sent: bool,
    time_limit: float | None,
    stack: str,
    memory: tuple[int, int],
    killed_for_memory: tuple[bool, bool],
    has_lost_parent: bool,
    beside: Sequence[tuple[str, str, float]],
) -> str:
    """The text of a worker's death in a phase of a test.

    `status` is its exit code or minus the signal that killed it, which rustpar may have sent; `time_limit` the seconds
    of the limit that the test has exceeded; `memory` its resident bytes when last measured and at most, 0 if unknown;
    `killed_for_memory` whether the kernel has killed processes of the control group and of the machine during the run;
    `beside` has the worker, node id and seconds of tests that ran at the same time.
    """

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

def thread_pool_lines(library: str, threads: int, variable: str, workers: int, cpus: int) -> list[str]:
    """A line if the threads of a numerical library in all workers are more than the CPUs can run; else none."""

def set_up_once_line(names: list[str], seconds: float) -> str:
    """A line about the fixtures that were set up once for all workers."""

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

def die_with_parent(parent: int) -> bool:
    """Have the kernel kill this process when its parent dies; False if `parent` is already gone."""

def blocking_threads(signals: int) -> tuple[set[int], set[int]]:
    """The threads of this process that have the main thread's name and block all of these signals, a mask.

    Returns:
        All of them, and those that are asleep.
    """

def start_of_process(process: int) -> int | None:
    """When a process was started, in ticks since boot, rounded up; None if there is none."""

def is_exiting(process: int) -> bool:
    """Whether a process of a single thread is exiting, or has exited.

    The kernel says so before it kills the children that die with their parent, and before anyone can wait for it.
    """

def holds_lock(descriptor: int) -> bool:
    """Whether the description of an open file of this process holds a lock.

    It may be flock's, or fcntl's newer kind; traditional ones belong to a process.

    Raises:
        OSError: That cannot be seen.
    """

def is_in_mask(process: int, signal: int, masks: list[str]) -> bool:
    """Whether a signal is in one of these masks of a process, by their names in ``/proc/<pid>/status``."""

def reap(child: int) -> tuple[int | None, int] | None:
    """Wait for a child that has exited, without blocking.

    Returns:
        None while it runs; then its exit code, or minus the signal that killed it, and the peak of its resident bytes.
        The exit code is None if something else has waited for the child.
    """

def commands() -> list[tuple[str, str]]:
    """The names of the commands that `run_command` implements, with a description of each."""

def run_command(arguments: Sequence[str]) -> int:
    """Run a command, named by the first of the arguments; return its exit status.

    Raises what the handler of a signal raises.
    """

def prepare_replay(arguments: Sequence[str]) -> str | int:
    """Run the native half of ``rustpar replay``, whose name is the first of the arguments.

    Returns the plan as JSON, described in ``src/cli/replay.rs``, or the exit status if there is nothing to run.
    """

def trial_lines(test: str, record: str, is_stopped: bool) -> list[str]:
    """Describe the result of a single trial: one line if the test did not fail, otherwise also the failure."""

@final
class Changes:
    """The files of a git repository, what depends on them, and the tests."""

    def __new__(
        cls,
        top: str | PathLike[str],
        tracked: bytes,
        differing: bytes,
        untracked: bytes,
        ignored: bytes,
        packages: list[str],
        path: list[str],
    ) -> Changes:
        """Take the output of git, the directories of installed packages, and those on Python's path.

        Raises:
            ValueError: The output has an unknown format.
        """

    def load(self, scans: str | PathLike[str], imports: str | PathLike[str], scanner: str) -> list[str]:
        """Use what earlier runs have stored in two files; return why it could not be used, one line each."""

    def changed(self) -> list[str]:
        """Return the paths of the files that have changed, relative to the top of the repository."""

    def set_tests(self, are_tests: list[bool]) -> None:
        """Say which of the changed files have the name of a file with tests."""

    def add_tests(self, file: str, others: list[str]) -> int:
        """Add tests by their file and other files that they use, all absolute; return the number of their group."""

    def add_plugins(self, files: list[str]) -> None:
        """Add the files of pytest's plugins, on which all tests depend; conftests are ignored."""

    def add_loaded(self, files: list[str]) -> None:
        """Add the files of imported modules; all tests depend on those that no import leads to."""

    def unscanned(self) -> list[tuple[int, bytes]]:
        """Return the numbers and contents of files that have to be scanned, each once; empty when all are."""

    def add_facts(
        self,
        file: int,
        facts: tuple[list[tuple[int, str, list[str]]], list[str], bool, bool, bool, bool, bool, bool, bool] | None,
    ) -> None:
        """Add what a file says; None if it cannot be parsed.

        Args:
            file: The number of the file.
            facts: Its imports (number of dots, module, names), its literals, whether it imports what is not known,
                whether it imports by name, whether it lists directories, whether it starts processes, whether these are
                of Python, whether other code than that of fixtures does, and whether it requests fixtures by computed
                names.
        """

    def select(self) -> list[bool]:
        """Whether the tests of each group depend on what has changed."""

    def summary(self, reference: str, of_tests: list[int]) -> str:
        """Return the line about the selection; `of_tests` has the group of each test."""

    def reasons(self, of_tests: list[int], is_whole: bool) -> list[str]:
        """Return the lines about why tests are selected, at most twenty unless `is_whole`."""

    def locate(self, path: str) -> list[str]:
        """Return the paths of the files in the repository that an absolute path may mean."""

    def is_known(self, group: int, path: str) -> bool:
        """Whether imports lead from the tests of a group to the file with this absolute path, or it is elsewhere."""

    def save(self, scans: str | PathLike[str]) -> str | None:
        """Store the scanned files; return why that was not possible."""

def remember_imports(path: str | PathLike[str], imported: list[str], opened: list[tuple[str, str]]) -> str | None:
    """Add what tests have imported dynamically, and opened by the code of a file, to what a file has.

    Returns why that was not possible. Paths are relative to the top of the repository.
    """

@final
class Bisection:
    """The search of ``rustpar bisect``: decides which trials to run, and what their results mean."""

    @staticmethod
    def prepare(arguments: Sequence[str]) -> Bisection | int:
        """Choose the failure by the command's arguments; returns the exit status if there is nothing to search."""

    def plan(self) -> str:
        """What the process that runs trials needs to know, as JSON, described in ``src/cli/bisect.rs``."""

    def begin(self, missing: set[str], jobs: int) -> bool:
        """Start with at most `jobs` trials at the same time, and without the tests that are missing.

        Returns whether the failed test itself still exists.
        """

    def next_trials(self) -> str:
        """The next trials, as JSON, described in ``src/replay/case.rs``; an empty list when the search is over."""

    def answer(self, results: Sequence[tuple[str, bool]]) -> None:
        """Take the results of these trials: their records, and whether they were stopped because their time was up."""

    def stop(self) -> None:
        """End the search because its time is up."""

    def take_lines(self) -> list[str]:
        """The lines about what has become known since the last call."""

    def pytest_arguments(self) -> list[str] | None:
        """Arguments of plain pytest that may show the failure; None if it cannot."""

    def is_it(self, record: str) -> bool:
        """Whether the record of a run of plain pytest shows the failure in question."""

    def result(self, seconds: float, is_shown: bool) -> list[str]:
        """The lines of the result, after this many seconds; `is_shown` says that plain pytest shows the failure."""

    def is_found(self) -> bool:
        """Whether a cause was found."""

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

def hide_reports(yes: bool) -> None:
    """Set whether the garbage collector does not visit further reports from workers, until `track_reports`."""

def track_reports(reports: list[Any], report_type: type[TestReport]) -> None:
    """Let the garbage collector visit reports from workers again; objects of other types are left out."""

def dumps(object: object) -> tuple[bytes, list[str]]:
    """Encode an object as plain values; also return the types of objects that were replaced by their repr."""

def loads(bytes: bytes) -> Any:
    """Decode the output of `dumps`; raises ValueError for anything else."""

@final
class ProjectFiles:
    """The contents of a project's files as of the last look, and a descriptor that says when to look again."""

    def __new__(cls, top: str | PathLike[str], project: str) -> ProjectFiles:
        """Watch a project.

        Args:
            top: The top of the repository; without one, the project's directory.
            project: The project's directory, relative to the top; empty for the top itself.

        Raises:
            OSError: Files cannot be watched; a line that says what to do.
        """

    def fileno(self) -> int:
        """Return the descriptor that is readable when something may have changed."""

    def clear(self) -> None:
        """Make the descriptor unreadable until something may have changed again."""

    def set_scope(self, tracked: bytes, ignored: bytes, not_collected: list[str]) -> None:
        """Take what git has printed about files in the index and ignored ones, and patterns of `norecursedirs`.

        Raises:
            ValueError: The output of git has an unknown format.
        """

    def look(self) -> list[tuple[str, str]]:
        """Look at all files; return what differs from the last look: path, and A (added), D (deleted) or M (modified).

        Raises:
            OSError: Files cannot be watched; a line that says what to do.
        """

    def paths(self) -> list[str]:
        """Return the paths of all files, relative to the top."""

@final
class WatchSession:
    """What has changed and what has failed, and what the next run has to run because of that."""

    def __new__(cls) -> WatchSession:
        """Know nothing."""

    def note(self, changes: list[tuple[str, str]]) -> None:
        """Take what has changed while no run was under way."""

    def has_pending(self) -> bool:
        """Whether there are changes that no run has seen."""

    def has_failing(self) -> bool:
        """Whether anything has failed and not passed since."""

    def filter(self) -> str | None:
        """Return the expression of the filter."""

    def set_filter(self, expression: str) -> str | None:
        """Set the filter, an empty text for none; return the mode of the run that follows from that."""

    def begin(self, mode: str) -> tuple[str, str, list[tuple[str, str]], list[str]]:
        """Begin a run of `all` tests, the `affected` or the `failed` ones.

        Returns:
            What it is a run of, the line about it, the changes whose tests it has to run, and the node ids of what has
            failed.
        """

    def end(
        self,
        report: str | None,
        status: int,
        is_interrupted: bool,
        seconds: float,
        during: list[tuple[str, str]],
        tracked: list[str],
    ) -> bool:
        """End a run; return whether to run the affected tests again at once.

        Args:
            report: What the run has reported, as JSON; None if it has not come that far.
            status: Its exit status, or minus the signal.
            is_interrupted: Whether the user has interrupted it.
            seconds: Its duration.
            during: What has changed while it was under way.
            tracked: The files among these that git has.
        """

    def lines(self, columns: int, has_keys: bool, is_coloured: bool) -> list[str]:
        """Return the lines after a run."""

    @staticmethod
    def help() -> list[str]:
        """Return the lines about the keys."""

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
class Opcodes:
    """The opcodes of this version of Python, for finding where the result of a call is stored."""

    def __new__(cls, names: list[str]) -> Opcodes:
        """`names` are those of the opcodes by their numbers, `dis.opname`."""

    def use_of_result(self, code: bytes, last: int, is_function: bool) -> tuple[str, int | None]:
        """What happens to the result of the instruction at offset `last` of `code`, a code object's `co_code`.

        Returns:
            "name" or "attribute" with a number in `co_names`; "key" with a number in `co_consts`, or None if it is no
            constant; "variable", "return" or "drop" with None.
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

    def make_room(self, directory: str | PathLike[str], keep: str | PathLike[str] | None = None) -> None:
        """Delete the oldest journals of a directory but not `keep`, to make room for one more. Raises OSError."""

@final
class Shared:
    """The shared memory of a run's processes. Must be created before the fork server is forked."""

    def __new__(cls) -> Shared: ...
    def dismiss(self, slot: int) -> None:
        """Let the worker in this slot exit once its session has finished; slot 0 means all workers."""

    def terminate(self) -> None:
        """Tell all processes that a signal to the controller ends the run."""

    def interrupt_at_termination(self, interrupt: int) -> None:
        """Make `SIGTERM` and `SIGHUP` send the signal `interrupt` to this process, if they end the run."""

    def pause(self, is_paused: bool) -> None:
        """Start no test, or start tests again; meanwhile, no time counts for the limits of tests."""

    def lend_terminal(self, slot: int) -> None:
        """Let the worker in this slot use the terminal."""

    def has_terminal(self, slot: int) -> bool:
        """Whether the worker in this slot still has the terminal."""

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
    SAVED: int
    ONCE: int
    DEBUGGER: int
    LOAD: int
    FILES: int

    def __new__(cls, shared: Shared, slot: int, report_type: type[TestReport], id_attribute: str) -> Line: ...
    def is_own(self) -> bool: ...
    def measure(self, report: TestReport) -> None:
        """Send the phase's duration as measured in this worker, if the one in its report is impossible."""

    def claim(self) -> int | None:
        """Claim the next test; None when there are no more tests. Sleeps while none is available."""

    def tried(self) -> int:
        """How often the test that was claimed last was tried before."""

    def leaves_retries(self) -> bool:
        """Whether a failed test is tried again by the engine's choice, and not by this worker on its own."""

    def retry(self, test: int, tried: int, delay: float) -> None:
        """Send that the running test has failed, and is to be tried again `delay` seconds after its end.

        It has been tried `tried` times.
        """

    def claim_or_rest(self) -> int | Literal[False] | None:
        """As `claim`, during the teardown of a test: False means to finish that without knowing the next test."""

    def peek(self) -> int | None:
        """The test that will probably be claimed next."""

    def may_start(self) -> bool:
        """Whether a claimed test may still start."""

    def has_terminal(self) -> bool:
        """Whether this worker may use the terminal for a debugger."""

    def return_terminal(self) -> None:
        """Give the terminal back."""

    def may_exit(self) -> bool:
        """Whether this worker, whose session has finished, may exit."""

    def must_exit_early(self) -> bool:
        """Whether this worker must exit while others still run tests."""

    def set_running(self, test: int | None, tried: int = 0) -> None:
        """Record the running test, and how often it was tried before, so that a crash can be attributed to it."""

    def set_forked(self, process: int | None) -> None:
        """Record in which process this worker has its test run; None before that is waited for."""

    def is_timed_out(self) -> bool:
        """Whether that process was ended at the time limit of its test."""

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

    def serialized(self, test: int, failed: bool, is_last: bool, data: dict[str, Any]) -> list[str]:
        """Send a report in its serializable form; return the types of objects that were replaced by their repr.

        `is_last` says that it is a test's last one. It is sent with the end of the test.
        """

@final
class ProcessState:
    """The state of this process at some time: threads, children, descriptors, environment, working directory."""

    @staticmethod
    def now() -> ProcessState:
        """The state now."""

    def refresh(self) -> None:
        """Make this the state now, before a test."""

    def is_of_this_process(self) -> bool:
        """Whether it is the state of this process, and not of one that has forked it."""

    def is_current(self) -> bool:
        """Whether nothing has been added or changed since; if so, what was removed is no longer part of the state."""

    def leftovers(self) -> list[Leftover]:
        """What has been added or changed since."""

    def include(self, leftovers: Sequence[Leftover]) -> None:
        """Count leftovers as known."""

    def include_restored(self, leftovers: Sequence[Leftover]) -> None:
        """Count variables and the directory as known that have the value again that they had before a leftover."""

@final
class Leftover:
    """Something that was left."""

    @property
    def kind(self) -> str:
        """The kind, one of `leak_kinds()`."""

    @property
    def number(self) -> int | None:
        """The number of the descriptor, process or thread; None for other kinds."""

    @property
    def path(self) -> str | None:
        """The path of the temporary file; None for other kinds."""

    def describe(self) -> str:
        """What is there now, in words."""

    def is_left(self) -> bool:
        """Whether it is still there; a variable or the directory, whether it still has the value that was left."""

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

    def add(
        self,
        paths: Sequence[str | PathLike[str]],
        match_name: Callable[[str], Match[str] | None] | None,
        map_path: Callable[[str], str] | None,
    ) -> tuple[list[str], list[str], list[tuple[str, str]]]:
        """Add data files, one of each group with the same contents.

        `match_name` is `coverage.sqldata.filename_match`, which finds hashes in file names; `map_path` maps the paths
        of source files. Returns the added files, duplicates of these, and the files that were left out with the reason.

        Raises ValueError if two files conflict, and OSError if a file is gone; the object must not be used afterwards.
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

    def flush_report(self) -> None:
        """Pass all events of a report to the operating system, unless batches are used."""

    def continue_after(self, seconds: float) -> None:
        """Let the times of events continue after those of the run that is resumed, which lasted so long."""

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
        rootdir: str,
        directory: str,
        environment: Mapping[str, str],
        seeds: Mapping[str, str],
        selection: Mapping[str, str],
        resumes: str | None,
    ) -> None:
        """Describe the run; must be the first event. The name, system and memory of the machine are added.

        `directory` is where pytest was started, relative to `rootdir`. `selection` are the options with which a run can
        be resumed, `resumes` is the id of the run that it resumes.
        """

    def start(self, start: str, workers: int, dist: str, count: int, uid: str) -> None:
        """Record the start method, the number of workers, the distribution mode, and what each worker is told.

        That is `count`, the number of workers, and `uid`, the id of the run.
        """

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

    def report(self, test: int, worker: int | None, attributes: dict[str, Any]) -> None:
        """Record the attributes of a report that other events do not contain, unless they are too large."""

    def warning(self, test: int, warning: dict[str, Any]) -> None:
        """Record a warning of a test."""

    def done(self, worker: int) -> None:
        """Record that a worker has completed its last test, at the next flush and unless it reports another before."""

    def saved(self, worker: int) -> None:
        """Record that the coverage data of all tests that a worker has completed is saved."""

    def lost(self) -> None:
        """Record that the process that forks workers has died."""

    def code(self, root: str | PathLike[str], files: Sequence[str]) -> None:
        """Record digests of the project's own files, which are given relative to `root`."""

    def properties(self, test: int | None, properties: Sequence[tuple[str, str]]) -> None:
        """Record the properties of a test, or of the suite for None. Those of a test are shortened to the limit."""

    def worker(self, worker: int, pid: int, first: int | None = None) -> None:
        """Record that a worker has started as process `pid`.

        If it is a replacement, `first` is the first of the workers that replaced one another.
        """

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
class EarlierReport:
    """A report of a test that an earlier run has finished."""

    @property
    def when(self) -> str | None:
        """The phase; None for the crash of a worker."""

    @property
    def outcome(self) -> str:
        """`passed`, `failed`, `skipped` or `rerun`, as in reports."""

    @property
    def is_xfail(self) -> bool:
        """Whether a failure was expected."""

    @property
    def start(self) -> float:
        """When the phase began, in seconds since the epoch."""

    @property
    def seconds(self) -> float:
        """How long it took."""

    @property
    def attributes(self) -> dict[str, Any] | None:
        """The attributes that are not known otherwise; None if there are none, or if they were too large."""

    @property
    def is_shortened(self) -> bool:
        """Whether the attributes were too large; the properties below replace them."""

    @property
    def message(self) -> str:
        """The error or the reason."""

    @property
    def place(self) -> tuple[str | None, int | None]:
        """The file and the line, counted from 1, in which it happened."""

    @property
    def text(self) -> str:
        """The text of the failure."""

    @property
    def sections(self) -> list[tuple[str, str]]:
        """Captured output: titles and texts."""

@final
class EarlierRun:
    """A run that can be resumed."""

    @staticmethod
    def latest(directory: str | PathLike[str], selection: Mapping[str, str]) -> EarlierRun | None:
        """Return the last unfinished run among the journals in a directory; None if the same has been run since."""

    @staticmethod
    def named(name: str, here: str | PathLike[str], directory: str | PathLike[str] | None) -> EarlierRun:
        """Return the run in the journal `name`, relative to `here`, or the one in `directory` whose id begins so.

        Raises ValueError with a line that says what to do.
        """

    @property
    def path(self) -> Path:
        """Its journal."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def seconds(self) -> float:
        """How long it ran."""

    @property
    def began(self) -> str:
        """When it started, in local time."""

    @property
    def has_ended(self) -> bool:
        """Whether it ended with an exit status, although not all tests had run."""

    @property
    def workers(self) -> list[tuple[int, float]]:
        """The process ids of its workers, and when they were started, in seconds since the epoch."""

    @property
    def saved_by(self) -> list[int]:
        """The processes that have saved coverage data of its tests."""

    def summary(self) -> str:
        """Return a line that says how many tests have finished."""

    def compare(self, selection: Mapping[str, str], versions: Mapping[str, str]) -> None:
        """Raise ValueError with the first option or version that differs."""

    def require_coverage(self, processes: set[int]) -> None:
        """Count only tests whose coverage data was saved by one of these processes."""

    def divide(self, node_ids: Sequence[str]) -> list[bool]:
        """Return which of the collected tests have finished.

        Raises ValueError with the first test that only one of the collections has.
        """

    def compare_code(self, root: str | PathLike[str], loaded: Sequence[str]) -> None:
        """Raise ValueError with the first file that has changed, or is new, and that finished tests may depend on."""

    def tests(self) -> list[tuple[int, int | None, list[EarlierReport | dict[str, Any]]]]:
        """Return the finished tests: index in the collection, worker, and its reports and warnings in order."""

@final
class Recorder:
    """Collects a run's results for its history and its journal."""

    def __new__(cls, journal: Journal) -> Recorder: ...
    def collected(
        self,
        node_ids: Sequence[str],
        deselected: int,
        groups: Sequence[str | None],
        serial: Sequence[int],
        history: History | None,
    ) -> None:
        """Record the collection, with the expected durations from the history, and number the tests in this order.

        `groups` are the test groups (empty without any), `serial` the indices of serial tests.
        """

    def load_seconds(self, seconds: LoadSeconds) -> None:
        """Record a second of a load test."""

    def load_result(self, result: LoadOutcome) -> None:
        """Record the result of a load test."""

    def marked(self, marks: Mapping[str, Sequence[int]]) -> None:
        """Record which tests carry the markers that thresholds name, given as indices in the collection."""

    def report(self, report: TestReport) -> tuple[int, int | None] | None:
        """Process a report; objects that lack attributes of a test report are ignored.

        Returns the numbers of the test and the worker if the report has details beyond a phase's outcome and captured
        output.
        """

    def number(self, place: int) -> int:
        """Return the number of the test at a place of the collection."""

    def test(self, node_id: str) -> int:
        """Return the number of a test, which is registered if it is unknown."""

    def resume(self, earlier: EarlierRun) -> None:
        """Copy the finished tests of a run to the journal, and to the history unless that run has been added to it."""

    def measured(self, worker: int, start: float, seconds: float) -> None:
        """Set when the phase that a worker reports next started (seconds since the epoch), and how long it took."""

    def fixture(self, node_id: str, key: str, seconds: float, worker: int | None, once: bool = False) -> None:
        """Record the set-up of a shared fixture for a test.

        Must precede the report of its phase, from whose duration it is subtracted, unless the fixture was set up
        `once` for all workers, before their tests.
        """

    def leak(self, test: str, worker: str | None, fixture: str | None, kind: str, what: str) -> None:
        """Record a leak of a test, or of a fixture that was torn down with this test."""

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

def live_area(lines: Sequence[str], columns: int, width: int, end: str, erases_right: bool) -> tuple[str, str]:
    """The texts that draw lines below the output of a terminal, and erase them; both leave the cursor where it was.

    `width` is the width of the output's last line, and `end` its last character. `erases_right` says whether erasing
    may include what is right of the cursor.
    """

def scheduler_name(dist: str) -> str:
    """The name of xdist's scheduler class for a mode of `--dist`. Raises ValueError for an unknown mode."""

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
    PASSED: int
    PASSED_CALL: int
    REPORT: int
    SERIALIZED: int
    FINISH: int
    DONE: int
    RETRY: int
    MESSAGE: int
    OUTPUT: int
    FORKED: int
    EXITED: int
    UNSCHEDULED: int
    TEMPLATE_FORKED: int
    TEMPLATE_EXITED: int
    SERVER_GONE: int
    LOAD_SECOND: int
    LOAD_RESULT: int
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

    def join(self, worker: int, first: int) -> None:
        """Let a worker run tests: its collection is known, and the same as the others'.

        `first` is the first of the workers that replaced one another; if it has replaced none, the worker itself.
        """

    def use_collection(self, node_ids: list[str], groups: Sequence[str | None]) -> None:
        """Set the tests that several workers have collected together: their node ids, and their groups."""

    def schedule(
        self,
        dist: str,
        workers: int,
        *,
        max_chunk: int | None,
        reorder: bool,
        plan: str,
        facts: Mapping[str, Any],
        retries_last: bool | None,
        repeats: int | None = None,
    ) -> None:
        """Schedule the collected tests by xdist's distribution mode `dist`, and for `load` by `--rustpar-plan`.

        `facts` is what `inventory.facts` returns, with `seconds`, `failed` and `setup_seconds` from the history.
        `retries_last` says whether failed tests are tried again after all others; None if no test is tried again.
        `repeats` is how often every test runs, 0 if until the run is stopped; None for once.
        """

    def set_expected(self, seconds: list[float | None], times: int) -> None:
        """Set the expected durations of tests (None: unknown), for progress; each test runs `times` times."""

    def time_limits(self, default: float | None, own: Sequence[tuple[int, float]]) -> None:
        """Set the time limits in seconds: of all tests, and of single ones by index; 0 or None for no limit."""

    def watch(
        self,
        limit: float,
        left: float | None,
        *,
        status: int,
        errors: int,
        stack_signal: int | None,
        interrupt_signal: int,
    ) -> None:
        """Report on standard error if Python is busy with one batch of events for `limit` seconds.

        A run that is still busy some seconds after it has used up the `left` seconds gets the `interrupt_signal`, and
        at last the process exits with `status`. The descriptor `errors` is standard error, which is duplicated. On
        `stack_signal` the main thread writes its stack to it.
        """

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

    def retry(self, worker: int, test: int, tried: int, delay: float) -> None:
        """Try a test again in which this worker has crashed, after `delay` seconds at the earliest.

        It has been tried `tried` times. If tests are assigned directly, only that number is recorded.
        """

    def retry_in_replacement(self, first: int, test: int, tried: int) -> None:
        """Try a test again in which a worker has crashed, in its replacement.

        `first` is as of `join`. The test has been tried `tried` times.
        """

    def settle(self, test: int) -> None:
        """Do not try a test again in which a worker has crashed."""

    def failure_limit(self, limit: int) -> None:
        """Stop after this number of failed reports; 0 means never."""

    def load(self, plans: Sequence[tuple[int, str]], generators: int) -> None:
        """Run tests, given by index with what `LoadPlan.dumps` has returned, as load tests on so many workers.

        Raises:
            ValueError: A plan is invalid.
        """

    def decide_generator(self, worker: int, is_replaced: bool) -> None:
        """Run the remaining load tests without a worker that was lost, unless it is replaced."""

    def stop(self) -> None:
        """Let no further test start."""

    def events(self, into: list[tuple[int, int, Any, Any]], limit: float) -> None:
        """Append the next batch of events to `into`; nothing if none arrives within `limit` seconds."""

    def shut_down(self) -> None:
        """End the thread."""

@final
class LoadPlan:
    """What a load test does.

    Durations are seconds, or texts with a unit (``"1m"``); pauses also have the form ``"1s..3s"``. Stages are pairs of
    duration and target. Models and names follow k6 (https://grafana.com/docs/k6/latest/using-k6/scenarios/).
    """

    AS_MARKED: str

    def __new__(
        cls,
        *,
        users: float | None = None,
        duration: float | str | None = None,
        stages: Sequence[tuple[float | str, float]] | None = None,
        rate: float | None = None,
        rate_stages: Sequence[tuple[float | str, float]] | None = None,
        iterations: int | None = None,
        iterations_per_user: int | None = None,
        think: float | str | None = None,
        graceful_stop: float | str | None = None,
        seed: int = 0,
        thresholds: str | None = None,
        abort: str | None = None,
        weights: Sequence[int] = ...,
        sequence: bool = False,
    ) -> LoadPlan:
        """Plan what the arguments of a mark ask for.

        Raises:
            ValueError: They contradict each other, or one is invalid; the message says what to write.
            TypeError: One has the wrong type.
        """

    def in_profile(self, name: str, defined: Sequence[str]) -> LoadPlan:
        """Return the plan in a profile, one of those that are `defined`, one in each line, or of those built in.

        Raises:
            ValueError: It is unknown, invalid, or does not go with this plan.
        """

    @staticmethod
    def check_profile(name: str, defined: Sequence[str]) -> None:
        """Check that there is such a profile.

        Raises:
            ValueError: There is none, or a definition is invalid.
        """

    def dumps(self) -> str:
        """Return the plan as a text, for :meth:`loads`."""

    @staticmethod
    def loads(text: str) -> LoadPlan:
        """Return the plan of a text.

        Raises:
            ValueError: It is not one of :meth:`dumps`.
        """

    @property
    def words(self) -> str:
        """What is asked for: ``50 users for 1:00 min``."""

    @property
    def users(self) -> int:
        """The highest number of users."""

    @property
    def seconds(self) -> float:
        """How long it takes, without the graceful stop."""

    @property
    def graceful_stop(self) -> float:
        """For how many seconds running iterations may go on at the end."""

@final
class LoadGenerator:
    """Paces and measures the users of one worker in a load test; users are given by their numbers."""

    @staticmethod
    def join(line: Line, test: int, plan: LoadPlan) -> LoadGenerator | None:
        """Wait for this worker's share of the users; None if the run is being stopped."""

    def users(self) -> list[int]:
        """Return the numbers of this worker's users."""

    def wait_for_beginning(self) -> bool:
        """Report that the users are set up, and wait until all workers begin; False if the load test does not begin."""

    def seconds_left(self) -> float:
        """Return for how many seconds iterations may still start; less than 0 after the planned end."""

    def next(self, user: int) -> float | None:
        """Return the seconds until the user's next iteration is due; None if it has none left."""

    def sleep(self, user: int) -> bool | None:
        """Have `due` return the user when its next iteration is due; False if that is now, None if none is left."""

    def wait(self, user: int) -> bool:
        """Wait, in a thread, until the user's next iteration is due; False if it has none left."""

    def timer_descriptor(self) -> int:
        """Return the descriptor that becomes readable when a sleeping user is due."""

    def wake_after(self, seconds: float) -> None:
        """Have :meth:`due` return None after so many seconds.

        Raises:
            OSError: The timer cannot be set.
        """

    def due(self) -> list[int | None]:
        """Return the sleeping users that are due, None for :meth:`wake_after`; after :meth:`stop`, all of them.

        Raises:
            OSError: The timer cannot be set.
        """

    def begin(self, user: int) -> int:
        """Begin an iteration now; return the number of its task."""

    def end(self, user: int, failed: bool) -> None:
        """End the iteration now, and send its duration."""

    def cancel(self, user: int) -> None:
        """Forget the iteration, which was interrupted."""

    def iteration(self, user: int) -> int:
        """Return how many iterations the user has ended."""

    def running(self) -> list[int]:
        """Return the users that are running an iteration."""

    def target(self) -> float:
        """Return how many users, or iterations per second, are asked for now."""

    @staticmethod
    def clock() -> int:
        """Return the monotonic clock in nanoseconds."""

    def add_time(self, name: str, user: int, nanos: int, failed: bool) -> None:
        """Add a duration to a metric.

        Raises:
            RuntimeError: There are more than 65,535 metrics.
        """

    def add_number(self, kind: str, name: str, number: float) -> None:
        """Add a number to a ``trend``, ``counter`` or ``gauge``.

        Raises:
            ValueError: It is another kind.
            RuntimeError: There are more than 65,535 metrics.
        """

    def add_truth(self, kind: str, name: str, truth: bool) -> None:
        """Add true or false to a ``rate`` or ``check``.

        Raises:
            ValueError: It is another kind.
            RuntimeError: There are more than 65,535 metrics.
        """

    def ask_to_stop(self, why: str) -> None:
        """Ask for the end of the load test in all workers, and say why."""

    def stop(self) -> None:
        """Let no further iteration start in this worker, and wake the users that wait.

        Raises:
            OSError: The timer cannot be set.
        """

    def is_stopped(self) -> bool:
        """Whether no further iteration starts in this worker."""

    def should_stop(self) -> bool:
        """Whether the load test is to be stopped; to be called often, because it also reports the used CPU time."""

    def finish(self, interrupted: int) -> None:
        """Report that no user runs an iteration any more, except for those that were `interrupted`."""

    def has_ended(self) -> bool:
        """Whether no worker runs an iteration any more, or the run is stopped."""

@final
class LoadSeconds:
    """A second of the metrics of a load test."""

    @property
    def test(self) -> int:
        """The index of the test."""

    def values(self) -> list[tuple[str | None, str, int, int, tuple[int, int, int, int] | None, float | None]]:
        """Return the metrics that have values.

        Name (None: iterations), kind, number of values, failures, percentiles 50, 95, 99 and 100 (of durations in
        microseconds), and the sum of a counter or the last value of a gauge.
        """

    def level(self) -> tuple[int, float, int, int] | None:
        """Return users, target, and the iterations that have started and were dropped in this second."""

@final
class LoadOutcome:
    """What a load test has measured."""

    @property
    def test(self) -> int:
        """The index of the test."""

    @property
    def problems(self) -> list[str]:
        """Why it has failed; empty if it has passed."""

    @property
    def was_interrupted(self) -> bool:
        """Whether it has ended early because the run was stopped."""

    @property
    def seconds(self) -> float:
        """How long it has taken."""

    def table(self) -> list[tuple[str, bool]]:
        """Return the lines of its table, and whether each is highlighted."""

    def details(self) -> str:
        """Return the text of its failure: problems and figures."""

@final
class Repetitions:
    """Counts repetitions of tests."""

    def __init__(self) -> None:
        """Start empty."""

    def add(self, id: str, seconds: float, is_skipped: bool, worker: str | None, failure: str | None) -> None:
        """Add a repetition that has ended: how long it took, the worker, and the first line of the error."""

    def lines(self, selected: list[str]) -> list[tuple[str, bool]]:
        """Return the lines of the summary, and whether each is highlighted.

        `selected` are the arguments that select the tests.
        """

@final
class RetryDelay:
    """The delays of a test that is tried again and again.

    Attributes:
        text: What it was parsed from.
    """

    text: str
    def __new__(cls, text: str) -> RetryDelay:
        """Parse `500ms`, `1s*2` or `1s*2..30s`.

        Raises:
            ValueError: The text is invalid; the message says what to write.
        """

    def after(self, attempts: int) -> float:
        """Seconds before the next attempt, after so many."""

def retry_lines(
    tests: Sequence[tuple[str, int | None, bool, Sequence[tuple[int, str | None, str]]]],
) -> list[tuple[str, bool]]:
    """The lines about tests that were tried again, and whether each is highlighted.

    Each test is given by its node id, the number of the attempt in which it has passed, whether the last one has
    failed, and the failed attempts before it: number, worker, error.
    """

@final
class Quarantine:
    """The entries of a quarantine file."""

    def __new__(cls, text: str, today: str) -> Quarantine:
        """Parse a file; `today` is the date, as in 2026-12-31.

        Raises:
            ValueError: A line is invalid; the message names it.
        """

    def find(self, node_id: str) -> int | None:
        """Return the number of the first entry that applies to a test and holds; None if there is none."""

    def note(self, entry: int) -> str:
        """Return what excuses a failure: the date and the reason of an entry.

        Raises:
            IndexError: There is no such entry.
        """

    def lines(self, failed: Sequence[tuple[str, str, int]]) -> list[tuple[str, bool]]:
        """Return the lines about failed tests, given by node id, error and entry, and whether each is highlighted.

        Raises:
            IndexError: There is no such entry.
        """

    def expired(self, node_ids: Sequence[str], file: str) -> list[str]:
        """Return the lines about entries of `file` that have expired and apply to one of these tests."""

    def unused(self, node_ids: Sequence[str], file: str) -> list[str]:
        """Return the lines about entries of `file` that apply to none of these tests."""
