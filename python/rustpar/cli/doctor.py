"""The command ``rustpar doctor``: is rustpar right for a suite, and how much faster is it?

``rustpar doctor [pytest arguments]`` runs a suite in plain pytest, with pytest-xdist's engine, twice with a template
and once with early workers. It tells how long each took and which tests differ, what that points to, and what
``--rustpar-start=auto`` makes of the suite.

The hazard it handles: whoever runs it wants to know, not to be changed. The runs have a cache of their own, in a
temporary directory; the two with a template share one, since what a run remembers can change the next.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rustpar.cli import trial
from rustpar.terminal.table import aligned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rustpar.cli.trial import Trial

NAME = "doctor"
_HELP = "run a suite in plain pytest, pytest-xdist and rustpar, and compare outcomes and times"

_USAGE = f"""usage: rustpar {NAME} [--limit TIME] [pytest arguments]

{_HELP}.

-n sets the number of workers; without it, there is one for each CPU.
--limit sets how long each run may take, as in 90s or 10m. Without it, that is ten times what plain pytest took, and at
least a minute; for plain pytest it is an hour.
"""

# Differing tests that are listed; the rest is counted.
_MOST_LISTED = 50

# Seconds. A run that takes ten times as long as the same tests in one process hangs; a suite that takes a second may
# have a start-up of many.
_PLAIN_LIMIT = 3600.0
_LEAST_LIMIT = 60.0
_TIMES_PLAIN = 10.0

_NOT_RUN = "not run"

# The runs, in their order: key, name, how it comes up, and the cache that it uses.
_PLAIN = ("plain", "plain pytest", None, "plain")
_RUNS = (
    ("xdist", "pytest-xdist", "xdist", "xdist"),
    ("first", "rustpar", "template", "template"),
    ("second", "rustpar, again", "template", "template"),
    ("early", "rustpar, early", "early", "early"),
)
_AGAIN = ("again", "plain, again", None, "plain again")


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command; what it does not know goes to pytest."""
    commands.add_parser(NAME, help=_HELP, description=_HELP, add_help=False).set_defaults(run=_run_command)


def _run_command(options: argparse.Namespace, pytest_arguments: Sequence[str]) -> int:
    """Run the command; return its exit status: 0 when all is the same, 1 when tests differ, 2 when a run failed."""
    if {"-h", "--help"} & set(pytest_arguments):
        print(_USAGE, end="")
        return 0
    try:
        return doctor(pytest_arguments)
    except (trial.Failed, ValueError) as error:
        print(f"rustpar doctor: {error}", file=sys.stderr)
        return 2


class _Runs:
    """Does the runs and keeps what they have shown, by their keys."""

    def __init__(self, arguments: Sequence[str], workers: str, limit: float | None, directory: Path) -> None:
        self._arguments = arguments
        self._workers = workers
        self._limit = limit
        self._directory = directory
        self.trials: dict[str, Trial] = {}

    def do(self, run: tuple[str, str, str | None, str]) -> None:
        key, name, start, cache = run
        workers = ["-n0"] if start is None else ["-n", self._workers, f"--rustpar-start={start}"]
        caches = self._directory / "caches" / cache
        # In one argument each: pytest looks for rootdir beside each path that it finds among its arguments.
        own = [f"--rustpar-journal={os.devnull}", f"--rustpar-history={caches / 'history.json'}"]
        if not any(argument.endswith("no:cacheprovider") for argument in self._arguments):
            own += ["-o", f"cache_dir={caches}"]
        caches.mkdir(parents=True, exist_ok=True)
        arguments = [*self._arguments, *workers, *own]
        done = trial.run(name, arguments, self._directory / key, self._limit_of(key))
        self.trials[key] = done
        speed = ""
        if key in ("xdist", "first", "second", "early") and done.limit is None and done.seconds:
            speed = f"  {self.trials['plain'].seconds / done.seconds:.1f}x"
        print(f"{name:14}  {done.seconds:7.1f} s{speed:>8}  {done.words()}", flush=True)

    def _limit_of(self, key: str) -> float:
        if self._limit is not None:
            return self._limit
        if key == "plain":
            return _PLAIN_LIMIT
        return max(_LEAST_LIMIT, _TIMES_PLAIN * self.trials["plain"].seconds)


def doctor(arguments: Sequence[str]) -> int:
    """Run and compare; see the module."""
    rest, workers, limit = _own_options(list(arguments))
    with tempfile.TemporaryDirectory(prefix="rustpar-", ignore_cleanup_errors=True) as directory:
        runs = _Runs(rest, workers, limit, Path(directory))
        print(f"workers: {workers}; 2.0x: twice as fast as plain pytest")
        for run in (_PLAIN, *_RUNS):
            runs.do(run)
        if _differing(runs.trials):
            # What differs from itself is flaky.
            runs.do(_AGAIN)
    return _report(runs.trials)


def _report(trials: dict[str, Trial]) -> int:
    differing = _differing(trials)
    print()
    for node_id in differing[:_MOST_LISTED]:
        print(node_id)
        for line in aligned([(one.name, _outcome(one, node_id)) for one in trials.values()], left=(0, 1)):
            print(f"    {line}")
    if len(differing) > _MOST_LISTED:
        print(f"and {len(differing) - _MOST_LISTED} more")
    for line in _conclusion(trials, differing):
        print(line)
    reasons = trials["first"].reasons
    print(f"--rustpar-start=auto decides for {'early' if reasons else 'template'} here" + (":" if reasons else "."))
    for reason in reasons:
        print(f"    {reason}")
    stuck = any(one.limit is not None for one in trials.values())
    return 1 if differing or stuck or len({one.status for one in trials.values()}) > 1 else 0


def _own_options(arguments: list[str]) -> tuple[list[str], str, float | None]:
    """Split into pytest's arguments without ``-n``, its value (without one, a worker for each CPU), and the limit.

    Raises:
        ValueError: When the limit is no duration.
    """
    from rustpar import _core

    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-n", "--numprocesses")
    parser.add_argument("--limit")
    options, rest = parser.parse_known_args(arguments)
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = None if options.limit is None else _core.parse_duration(options.limit)
    return rest, options.numprocesses or str(max(2, cpus)), limit


def _outcome(one: Trial, node_id: str) -> str:
    return one.outcomes.get(node_id, _NOT_RUN)


def _differing(trials: dict[str, Trial]) -> list[str]:
    node_ids = sorted({node_id for one in trials.values() for node_id in one.outcomes})
    return [node_id for node_id in node_ids if len({_outcome(one, node_id) for one in trials.values()}) > 1]


# What differing tests point to, in the order in which it is looked for, and what to do about it.
_CAUSES = {
    "stuck": "were stopped in a run that would not end: look at those that 'did not end' first",
    "flaky": "differ between two runs of plain pytest: they are flaky, whatever runs them",
    "company": (
        "differ under pytest-xdist in the same way: they do not bear company, or another order, or look for a worker. "
        "Try --dist loadfile, or mark them with serial or resource (docs/scheduling.md)"
    ),
    "sharing": (
        "differ with a template and not with early workers: what workers share is the cause. Until that is found, set "
        "rustpar_start = early in the configuration file"
    ),
    "order": (
        "differ between the first run and the second, which knows how long tests take: another order or other company "
        "is the cause, or they are flaky. Run one alone, and then with the tests before it in its file"
    ),
    "rustpar": (
        "differ under rustpar, however its workers come up, and not under pytest-xdist: order or company is the cause, "
        "as rustpar hands tests out otherwise, or they are flaky. Run them alone, and doctor once more"
    ),
    "unclear": "differ without a pattern: some may be flaky; run it again before you look for a cause",
}


def _cause(trials: dict[str, Trial], node_id: str) -> str:
    outcomes = {key: _outcome(one, node_id) for key, one in trials.items()}
    plain, xdist, first, second, early = (outcomes[key] for key in ("plain", "xdist", "first", "second", "early"))
    if trial.STUCK in outcomes.values() or any(
        one.limit is not None and outcomes[key] == _NOT_RUN for key, one in trials.items()
    ):
        return "stuck"
    if outcomes.get("again", plain) != plain:
        return "flaky"
    if xdist != plain and {first, second, early} <= {plain, xdist}:
        return "company"
    if early == xdist == plain:
        # Where workers share a thing, it is chance which of the tests that need it fails.
        return "sharing" if _first_differs(trials) else "order"
    if first != second:
        return "order"
    if first == second == early and xdist == plain:
        return "rustpar"
    return "unclear"


def _first_differs(trials: dict[str, Trial]) -> bool:
    """Whether tests differ in the first run with a template, which knows nothing of earlier ones, and nowhere else."""
    plain, xdist, first, early = (trials[key] for key in ("plain", "xdist", "first", "early"))
    return any(
        _outcome(first, node_id) != outcome
        for node_id, outcome in plain.outcomes.items()
        if _outcome(xdist, node_id) == _outcome(early, node_id) == outcome
    )


def _conclusion(trials: dict[str, Trial], differing: list[str]) -> list[str]:
    lines = [
        f"The run '{one.name}' was stopped after {one.limit:.0f} s." for one in trials.values() if one.limit is not None
    ]
    if not differing:
        count = len(trials["plain"].outcomes)
        lines.append(f"All {count} tests have the same outcome in all {len(trials)} runs.")
        if not lines[1:] and len({one.status for one in trials.values()}) > 1:
            statuses = ", ".join(f"{one.name}: {one.status}" for one in trials.values())
            lines.append(f"The exit status differs: {statuses}.")
        return [*lines, *_speed(trials)]
    causes = [_cause(trials, node_id) for node_id in differing]
    for cause, words in _CAUSES.items():
        if cause in causes:
            lines.append(f"{causes.count(cause)} of {len(differing)} differing tests {words}.")
    return [*lines, *_speed(trials)]


def _speed(trials: dict[str, Trial]) -> list[str]:
    """How fast the second run was, beside the others; nothing where one did not end."""
    plain, xdist, second = (trials[key] for key in ("plain", "xdist", "second"))
    if any(one.limit is not None for one in (plain, xdist, second)) or not second.seconds:
        return []
    return [
        f"With what it remembers, rustpar is {plain.seconds / second.seconds:.1f} times as fast as plain pytest, and "
        f"{xdist.seconds / second.seconds:.1f} times as fast as pytest-xdist."
    ]
