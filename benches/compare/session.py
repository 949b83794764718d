"""Runs the runners of one row interleaved, and holds their results.

The speed of the machine drifts, so runs of one runner are never timed in a block: each repetition runs every runner
once, in rotating order, and a ratio is the median of the ratios within the repetitions.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from compare.rivals import Rival
from compare.runners import Bench, Engines, Result, Runner, differences, remove_caches
from compare.suites import NO_SLEEP

Metric = Callable[[Result], float]


def wall(result: Result) -> float:
    """Return the wall seconds."""
    return result.usage.wall


def peak_pss(result: Result) -> float:
    """Return the peak memory in MiB, or 0 if it was not sampled."""
    return result.usage.peak_pss or 0.0


def own_cpu(result: Result) -> float:
    """Return the CPU seconds of the started process alone."""
    return result.usage.cpu_self


def tree_cpu(result: Result) -> float:
    """Return the CPU seconds of the started process and all below it."""
    return result.usage.cpu_tree


@dataclass(frozen=True)
class Line:
    """All runs of one runner on one suite, for printing; if no run is valid, `runs` is 0 and the note says why."""

    label: str
    runs: int
    tests: str
    differ: int
    low: float
    median: float
    high: float
    unit: str = "s"
    note: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Figure:
    """One figure and its limits, lower is better; a figure without limits is for information."""

    name: str
    value: float
    low: float
    high: float
    first: float | None = None
    goal: float | None = None
    unit: str = ""

    def met(self, limit: float | None) -> bool | None:
        """Whether the value is within a limit, or None without one."""
        return None if limit is None else self.value <= limit


def spread(
    name: str, values: Sequence[float], first: float | None = None, goal: float | None = None, unit: str = ""
) -> Figure:
    """Make a figure of the median of ``values``."""
    return Figure(name, statistics.median(values), min(values), max(values), first, goal, unit)


@dataclass
class Report:
    """Results of a row."""

    title: str
    lines: list[Line] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


class Rounds:
    """The results of a row, one per runner and repetition."""

    def __init__(self, runners: Sequence[Runner]) -> None:
        """Start with no results."""
        self.by_runner: dict[Runner, list[Result]] = {runner: [] for runner in runners}
        self.excluded: dict[Runner, tuple[Result, list[str]]] = {}

    def values(self, runner: Runner, metric: Metric = wall) -> list[float]:
        """Return a runner's values in order of repetition."""
        return [metric(result) for result in self.by_runner[runner]]

    def median(self, runner: Runner, metric: Metric = wall) -> float:
        """Return the median of a runner's values."""
        return statistics.median(self.values(runner, metric))

    def ratios(self, runner: Runner, against: Runner, metric: Metric = wall) -> list[float]:
        """Return the ratio within each repetition."""
        pairs = zip(self.values(runner, metric), self.values(against, metric), strict=True)
        return [mine / other for mine, other in pairs if other]


@dataclass
class Session:
    """Settings of one comparison; runs the suites of the rows."""

    bench: Bench
    engines: Engines
    repeat: int
    quick: bool = False
    large: bool = False
    rivals: tuple[Rival, ...] = ()
    # Variables with which every environment can import the packages of the suites; not needed without rivals.
    imports: dict[str, str] = field(default_factory=dict)

    def rounds(
        self,
        report: Report,
        suite: Path | Sequence[Path],
        runners: Sequence[Runner],
        *,
        repeat: int | None = None,
        fresh: bool = False,
        pss: bool = False,
        warm: bool = True,
        rivals: int = 0,
        env: dict[str, str] | None = None,
    ) -> Rounds:
        """Run ``runners`` in turn and check every outcome against plain pytest.

        With several suites, repetition k uses the k-th (they must have the same tests). ``fresh`` removes the caches
        of earlier runs before each run. ``warm`` first runs each runner once untimed. ``rivals`` is the number of
        workers with which the rivals of the session run, too; one that differs from plain pytest is not run again.
        ``env`` is passed to every run.
        """
        suites = [suite] if isinstance(suite, Path) else list(suite)
        env = env or {}
        base = self.baseline(suites[0], env)
        for other in suites[1:]:
            self.baseline(other, env)  # for its bytecode
        others = [self.engines.rival(rival, rivals) for rival in self.rivals if rivals]
        everyone = [*runners, *others]
        results = Rounds(everyone)
        if warm:
            for runner in everyone:
                self.checked(report, results, base, runner, suites[0], env=env | (NO_SLEEP if fresh else {}))
        for k in range(self.repeat if repeat is None else repeat):
            turn = k % len(everyone)
            here = suites[k % len(suites)]
            for runner in [*everyone[turn:], *everyone[:turn]]:
                if runner in results.excluded:
                    continue
                if fresh:
                    remove_caches(here)
                result = self.checked(report, results, base, runner, here, env=env, pss=pss)
                results.by_runner[runner].append(result)
        unit, metric = ("MiB", peak_pss) if pss else ("s", wall)
        for runner, runs in results.by_runner.items():
            if runner in results.excluded:
                report.lines.append(excluded_line(runner, base, *results.excluded[runner], unit))
            else:
                report.lines.append(line(runner, base, runs, metric, unit))
        return results

    def baseline(self, suite: Path, env: dict[str, str]) -> Result:
        """Run plain pytest, without sleeping, to get the reference outcomes; this also writes bytecode."""
        base = self.bench.run(self.engines.plain(), suite, env=env | NO_SLEEP)
        # A released suite may have a test that fails with this Python; then it has to fail with every runner.
        if base.usage.exit_code not in (0, 1) or not base.outcomes:
            sys.exit(f"plain pytest fails on the suite {suite} (exit {base.usage.exit_code}): see {base.log}")
        remove_caches(suite)
        return base

    def checked(
        self,
        report: Report,
        rounds: Rounds,
        base: Result,
        runner: Runner,
        suite: Path,
        *,
        env: dict[str, str],
        pss: bool = False,
    ) -> Result:
        """Run once; add every difference from plain pytest to the report, and exclude a rival that has one."""
        result = self.bench.run(runner, suite, env=env, pss=pss)
        found = differences(base, result)
        if runner.rival:
            report.remarks += [f"{runner.label}: {text}" for text in found[:3]]
            if found:
                rounds.excluded[runner] = result, found
        else:
            report.troubles += [f"{runner.label}: {text}" for text in found[:5]]
            if found:
                report.troubles.append(f"{runner.label}: {len(found)} differences in one run, see {result.log}")
            report.troubles += [f"{runner.label}: process left over: {name}" for name in result.usage.left_over]
        show_progress(result, len(found))
        return result


def show_progress(result: Result, differ: int) -> None:
    """Print a line about one run to standard error, with CPU time of other programs if it was significant."""
    usage = result.usage
    text = f"  {result.runner.label:28} {usage.wall:7.2f} s  {len(result.outcomes):6} tests  {differ} differ"
    if usage.peak_pss is not None:
        text += f"  {usage.peak_pss:.0f} MiB"
    if usage.cpu_others > 0.1 * usage.wall:
        text += f"  (others used {usage.cpu_others:.1f} s CPU)"
    print(text, file=sys.stderr, flush=True)


def line(runner: Runner, base: Result, runs: Sequence[Result], metric: Metric, unit: str) -> Line:
    """Summarize the runs of one runner."""
    counts = sorted({len(run.outcomes) for run in runs})
    tests = str(counts[0]) if len(counts) == 1 else f"{counts[0]}-{counts[-1]}"
    values = [metric(run) for run in runs]
    differ = max(len(differences(base, run)) for run in runs)
    note = "" if not any(run.usage.left_over for run in runs) else "processes left over"
    median = statistics.median(values)
    return Line(runner.label, len(runs), tests, differ, min(values), median, max(values), unit, note, runner.kind)


def excluded_line(runner: Runner, base: Result, result: Result, found: Sequence[str], unit: str) -> Line:
    """Say in place of a time how the run of a rival differed from plain pytest."""
    if result.usage.timed_out:
        note = "did not end"
    elif not result.outcomes:
        note = f"ran none of {len(base.outcomes)} tests"
    elif found[0].startswith("exit status"):
        note = found[0]
    else:
        note = f"{len(found)} of {len(base.outcomes)} outcomes differ"
    return Line(runner.label, 0, str(len(result.outcomes)), len(found), 0.0, 0.0, 0.0, unit, note, runner.kind)
