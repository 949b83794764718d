"""The command ``rustpar doctor``: does a suite work with rustpar, and how much faster is it?

``rustpar doctor [pytest arguments]`` runs a suite in plain pytest, with pytest-xdist's engine, twice with a template
and once with early workers. It prints how long each run took, which tests had different outcomes, the probable cause,
and the start method that ``--rustpar-start=auto`` would choose.

The hazard it handles: a diagnosis must not change the project's state. The runs use their own caches in a temporary
directory; the two runs with a template share one, because what a run remembers can change the next.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rustpar import _core
from rustpar.cli import trial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rustpar.cli.trial import Trial

NAME = "doctor"
_HELP = "run a suite in plain pytest, pytest-xdist and rustpar, and compare outcomes and times"

_USAGE = f"""usage: rustpar {NAME} [--limit TIME] [pytest arguments]

{_HELP}.

-n sets the number of workers; the default is one per CPU.
--limit sets the maximum time of each run, for example 90s or 10m. The default is an hour for plain pytest, and for each
other run ten times what plain pytest took, but at least a minute.
"""

# In seconds. A run that takes ten times as long as plain pytest hangs; the least limit allows for a slow start-up of a
# suite that takes only a second.
_PLAIN_LIMIT = 3600.0
_LEAST_LIMIT = 60.0
_TIMES_PLAIN = 10.0

# The runs, in order: key, name, start method, and name of the cache directory.
_PLAIN = ("plain", "plain pytest", None, "plain")
_RUNS = (
    ("xdist", "pytest-xdist", "xdist", "xdist"),
    ("first", "rustpar", "template", "template"),
    ("second", "rustpar, again", "template", "template"),
    ("early", "rustpar, early", "early", "early"),
)
_AGAIN = ("again", "plain, again", None, "plain again")


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command; unknown arguments are passed to pytest."""
    commands.add_parser(NAME, help=_HELP, description=_HELP, add_help=False).set_defaults(run=_run_command)


def _run_command(options: argparse.Namespace, pytest_arguments: Sequence[str]) -> int:
    """Run the command; return its exit status: 0 if the outcomes agree, 1 if tests differ, 2 if a run failed."""
    if {"-h", "--help"} & set(pytest_arguments):
        print(_USAGE, end="")
        return 0
    try:
        return doctor(pytest_arguments)
    except (trial.Failed, ValueError) as error:
        print(f"rustpar doctor: {error}", file=sys.stderr)
        return 2


class _Runs:
    """Runs the suite and stores the results by key."""

    def __init__(self, arguments: Sequence[str], workers: str, limit: float | None, directory: Path) -> None:
        self._arguments = arguments
        self._workers = workers
        self._limit = limit
        self._directory = directory
        self.trials: dict[str, Trial] = {}

    def execute(self, run: tuple[str, str, str | None, str]) -> None:
        key, name, start, cache = run
        workers = ["-n0"] if start is None else ["-n", self._workers, f"--rustpar-start={start}"]
        caches = self._directory / "caches" / cache
        # As one argument each: pytest looks for the rootdir next to every path among its arguments.
        own = [f"--rustpar-journal={os.devnull}", f"--rustpar-history={caches / 'history.json'}"]
        if not any(argument.endswith("no:cacheprovider") for argument in self._arguments):
            own += ["-o", f"cache_dir={caches}"]
        caches.mkdir(parents=True, exist_ok=True)
        arguments = [*self._arguments, *workers, *own]
        done = trial.run(key, name, arguments, self._directory / key, self._limit_of(key))
        self.trials[key] = done
        print(_core.trial_line(done, self.trials["plain"]), flush=True)

    def _limit_of(self, key: str) -> float:
        if self._limit is not None:
            return self._limit
        if key == "plain":
            return _PLAIN_LIMIT
        return max(_LEAST_LIMIT, _TIMES_PLAIN * self.trials["plain"].seconds)


def doctor(arguments: Sequence[str]) -> int:
    """Run the suite in all ways, print the comparison, and return the exit status."""
    rest, workers, limit = _split_arguments(list(arguments))
    with tempfile.TemporaryDirectory(prefix="rustpar-", ignore_cleanup_errors=True) as directory:
        runs = _Runs(rest, workers, limit, Path(directory))
        print(f"workers: {workers}; 2.0x: twice as fast as plain pytest")
        for run in (_PLAIN, *_RUNS):
            runs.execute(run)
        trials = list(runs.trials.values())
        if _core.trials_differ(trials):
            # Repeat the plain run: a test whose outcomes differ between two plain runs is flaky.
            runs.execute(_AGAIN)
            trials = list(runs.trials.values())
    lines, agree = _core.comparison_lines(trials)
    print()
    for line in lines:
        print(line)
    return 0 if agree else 1


def _split_arguments(arguments: list[str]) -> tuple[list[str], str, float | None]:
    """Split the arguments into those for pytest, the number of workers (default: the number of CPUs), and the limit.

    Raises:
        ValueError: The limit is not a valid duration.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-n", "--numprocesses")
    parser.add_argument("--limit")
    options, rest = parser.parse_known_args(arguments)
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = None if options.limit is None else _core.parse_duration(options.limit)
    return rest, options.numprocesses or str(max(2, cpus)), limit
