"""The rows of the design's table "Figures to reach": which suite, which runners, which figure, which limits.

The row on joining coverage data is not here: it compares two commands, not two ways to run tests.
"""

from __future__ import annotations

import math
import subprocess
from collections.abc import Callable
from pathlib import Path

from compare import suites
from compare.runners import Runner
from compare.session import Figure, Line, Metric, Report, Session, own_cpu, peak_pss, spread, tree_cpu

# Sleeping suites take 15 to 35 s whatever the runner; their spread is far below that of the CPU-bound ones.
SLOW_REPEATS = 3
SKEWED_WORKERS = SLEEP_WORKERS = 8


def trivial_n2(session: Session, root: Path) -> Report:
    """Time the engine's own cost, with as many workers as the reference machine has cores."""
    tests, files = (1000, 10) if session.quick else (10_000, 100)
    report = Report(f"{tests} trivial tests in {files} files, -n 2")
    plain, xdist, rustpar = (e := session.engines).plain(), e.xdist(2), e.rustpar(2)
    rounds = session.rounds(report, suites.trivial(root / "suite", tests, files), [plain, xdist, rustpar])
    report.figures += [
        spread("wall / xdist wall", rounds.ratios(rustpar, xdist), 0.50, 0.30),
        spread("wall / plain wall", rounds.ratios(rustpar, plain), 0.65, 0.40),
        spread("(xdist wall / plain wall)", rounds.ratios(xdist, plain)),
    ]
    return report


def trivial_n8(session: Session, root: Path) -> Report:
    """Time the same with more workers than cores, where each costs start and collection."""
    tests, files = (1000, 10) if session.quick else (10_000, 100)
    report = Report(f"{tests} trivial tests in {files} files, -n 8")
    xdist, rustpar = session.engines.xdist(8), session.engines.rustpar(8)
    rounds = session.rounds(report, suites.trivial(root / "suite", tests, files), [xdist, rustpar])
    report.figures.append(spread("wall / xdist wall", rounds.ratios(rustpar, xdist), 0.30, 0.18))
    return report


def imports_n8(session: Session, root: Path) -> Report:
    """Time and weigh a suite with heavy imports; memory is sampled in runs of its own."""
    files = 20 if session.quick else 200
    report = Report(f"{files} files importing numpy and pandas, -n 8")
    if subprocess.run([session.bench.python, "-c", "import numpy, pandas"], capture_output=True).returncode:
        report.troubles.append(f"skipped: {session.bench.python} cannot import numpy and pandas")
        return report
    suite = suites.importing(root / "suite", files)
    plain, xdist, rustpar = (e := session.engines).plain(), e.xdist(8), e.rustpar(8)
    rounds = session.rounds(report, suite, [plain, xdist, rustpar])
    weighed = min(session.repeat, 2)
    memory = session.rounds(report, suite, [plain, xdist, rustpar], repeat=weighed, pss=True, warm=False)
    report.figures += [
        spread("wall / xdist wall", rounds.ratios(rustpar, xdist), 0.22, 0.15),
        spread("peak PSS / xdist's", memory.ratios(rustpar, xdist, peak_pss), 0.30, 0.20),
        spread("(peak PSS / plain's)", memory.ratios(rustpar, plain, peak_pss)),
        spread("(xdist wall / plain wall)", rounds.ratios(xdist, plain)),
    ]
    return report


def sleep(session: Session, root: Path) -> Report:
    """Time equal waiting tests against the number of rounds the fullest worker needs."""
    tests, seconds = (80, 0.25) if session.quick else (500, 0.5)
    bound = math.ceil(tests / SLEEP_WORKERS) * seconds
    report = Report(f"{tests} tests x {seconds} s sleep, -n {SLEEP_WORKERS}; bound {bound:.1f} s")
    xdist, rustpar = session.engines.xdist(SLEEP_WORKERS), session.engines.rustpar(SLEEP_WORKERS)
    suite = suites.sleeping(root / "suite", [seconds] * tests, 25)
    repeat = min(session.repeat, SLOW_REPEATS)
    rounds = session.rounds(report, suite, [xdist, rustpar], repeat=repeat, fresh=True)
    report.figures += [
        spread("wall / bound", [w / bound for w in rounds.values(rustpar)], 1.02, 1.01),
        spread("(xdist wall / bound)", [w / bound for w in rounds.values(xdist)]),
    ]
    return report


def deciding(session: Session, root: Path) -> Report:
    """Time what it costs that rustpar decides by itself how to start, where there is nothing to decide."""
    tests, files = (1000, 10) if session.quick else (10_000, 100)
    report = Report(f"{tests} trivial tests in {files} files, -n 2, the start decided or given")
    decided, given = (session.engines.rustpar(2, f"--rustpar-start={start}") for start in ("auto", "template"))
    # The difference is smaller than the noise of a few pairs.
    suite = suites.trivial(root / "suite", tests, files)
    rounds = session.rounds(report, suite, [decided, given], repeat=4 * session.repeat)
    report.figures.append(spread("auto wall / template wall", rounds.ratios(decided, given), 1.02))
    return report


def hazards(session: Session, root: Path) -> Report:
    """Time suites that a template must not be forked from: early workers have to be no slower than xdist's."""
    tests, files = (1000, 10) if session.quick else (5000, 100)
    report = Report(f"{tests} trivial tests in {files} files, with a habit that each worker needs for itself, -n 2")
    xdist, rustpar = session.engines.xdist(2), session.engines.rustpar(2)
    for habit, conftest in suites.HABITS.items():
        suite = suites.trivial(root / habit, tests, files)
        (suite / "conftest.py").write_text(conftest, encoding="utf-8")
        for when, fresh in (("first run", True), ("next run", False)):
            rounds = session.rounds(report, suite, [xdist, rustpar], fresh=fresh)
            figure = f"{habit}, {when}: wall / xdist wall"
            report.figures.append(spread(figure, rounds.ratios(rustpar, xdist), 1.0, 0.8))
    return report


def skewed(session: Session, root: Path) -> Report:
    """Time skewed durations that nobody knows yet; each repetition shuffles them anew."""
    repeat = min(session.repeat, SLOW_REPEATS)
    shuffled = [suites.skewed_seconds(seed, 8 if session.quick else 1) for seed in range(repeat)]
    best = suites.best_list_schedule(shuffled[0], SKEWED_WORKERS)
    in_order = [suites.list_schedule(seconds, SKEWED_WORKERS) / best for seconds in shuffled]
    report = Report(
        f"{len(shuffled[0])} tests of skewed durations, no history, -n {SKEWED_WORKERS};"
        f" best list schedule {best:.2f} s"
    )
    made = [suites.sleeping(root / f"suite{k}", seconds, 16) for k, seconds in enumerate(shuffled)]
    xdist, rustpar = session.engines.xdist(SKEWED_WORKERS), session.engines.rustpar(SKEWED_WORKERS)
    rounds = session.rounds(report, made, [xdist, rustpar], repeat=repeat, fresh=True)
    report.figures += [
        spread("wall / best list schedule", [w / best for w in rounds.values(rustpar)], 1.08, 1.05),
        spread("(xdist wall / best list schedule)", [w / best for w in rounds.values(xdist)]),
        spread("(list schedule in collection order / best)", in_order),
    ]
    return report


def skewed_history(session: Session, root: Path) -> Report:
    """Time skewed durations after a run that could remember them."""
    seconds = suites.skewed_seconds(0, 8 if session.quick else 1)
    bound = suites.lower_bound(seconds, SKEWED_WORKERS)
    report = Report(
        f"{len(seconds)} tests of skewed durations, with history, -n {SKEWED_WORKERS};"
        f" max(total/N, longest) {bound:.2f} s"
    )
    xdist, rustpar = session.engines.xdist(SKEWED_WORKERS), session.engines.rustpar(SKEWED_WORKERS)
    suite = suites.sleeping(root / "suite", seconds, 16)
    rounds = session.rounds(report, suite, [xdist, rustpar], repeat=min(session.repeat, SLOW_REPEATS))
    report.figures += [
        spread("wall / bound", [w / bound for w in rounds.values(rustpar)], 1.05, 1.02),
        spread("(xdist wall / bound)", [w / bound for w in rounds.values(xdist)]),
    ]
    return report


def fixtures(session: Session, root: Path) -> Report:
    """Time modules of unequal size with a costly fixture, never run before."""
    return expensive_fixtures(session, root, fresh=True)


def fixtures_history(session: Session, root: Path) -> Report:
    """Time the same with remembered durations."""
    return expensive_fixtures(session, root, fresh=False)


def expensive_fixtures(session: Session, root: Path, *, fresh: bool) -> Report:
    """Compare with xdist's better policy: `load` repeats fixtures, `loadscope` cannot split a module."""
    # Half the tests are in one module, more than a worker's share; the others are small.
    modules, setup, test = [200, *[12, 8, 16, 4, 20] * 3], 1.0, 0.05
    if session.quick:
        setup, test = setup / 4, test / 4
    ideal = (len(modules) * setup + sum(modules) * test) / 4
    report = Report(
        f"{sum(modules)} tests in {len(modules)} modules with a {setup} s fixture,"
        f" {'no' if fresh else 'with'} history, -n 4; each fixture once and even: {ideal:.2f} s"
    )
    load, scope, rustpar = (e := session.engines).xdist(4, "load"), e.xdist(4, "loadscope"), e.rustpar(4)
    suite = suites.module_fixtures(root / "suite", modules, setup, test)
    rounds = session.rounds(
        report, suite, [load, scope, rustpar], repeat=min(session.repeat, SLOW_REPEATS), fresh=fresh
    )
    better = min((load, scope), key=rounds.median)
    report.figures += [
        spread(f"wall / xdist {better.args[-1]} wall", rounds.ratios(rustpar, better), 0.95, 0.85),
        spread("(wall / each fixture once and even)", [w / ideal for w in rounds.values(rustpar)]),
    ]
    return report


def controller_cpu(session: Session, root: Path) -> Report:
    """Weigh the controller's work per passing test.

    The kernel's count for the started process alone, over its whole life, read when it has ended and before
    it is waited for.  What does not grow with the tests (start, plugins, options) is taken out by using the
    difference between two suites with equally many files: (CPU at `many` - CPU at `few` tests) / (many -
    few).
    """
    few, many, files = (500, 2500, 25) if session.quick else (2000, 10_000, 100)
    report = Report(f"CPU of the controller process per passing test, between {few} and {many} tests, -n 2")
    xdist, rustpar = session.engines.xdist(2), session.engines.rustpar(2)

    sizes = [(n, suites.trivial(root / f"suite{n}", n, files)) for n in (few, many)]
    measured = [session.rounds(report, suite, [xdist, rustpar]) for _, suite in sizes]

    def slopes(runner: Runner, metric: Metric, what: str) -> Figure:
        pairs = zip(*(rounds.values(runner, metric) for rounds in measured), strict=True)
        found = spread(what, [(more - less) / (many - few) * 1e6 for less, more in pairs])
        derived(report, runner, what, f"{few}-{many}", found)
        return found

    def ratios(metric: Metric, what: str) -> tuple[float, float, float]:
        against, mine = slopes(xdist, metric, what).value, slopes(rustpar, metric, what)
        return mine.value / against, mine.low / against, mine.high / against

    report.figures += [
        Figure("CPU per test / xdist's", *ratios(own_cpu, "controller"), first=0.35, goal=0.15),
        Figure("(CPU of all processes per test / xdist's)", *ratios(tree_cpu, "all processes")),
    ]
    return report


def derived(report: Report, runner: Runner, what: str, tests: str, found: Figure) -> None:
    """Add a line of microseconds per test, computed from earlier lines of the same runner."""
    before = [line for line in report.lines if line.label == runner.label]
    runs, differ = min(line.runs for line in before), max(line.differ for line in before)
    label = f"{runner.label}, {what}"
    report.lines.append(Line(label, runs, tests, differ, found.low, found.value, found.high, "us/test"))


def three_tests(session: Session, root: Path) -> Report:
    """Time what `-n 2` costs somebody who runs three tests."""
    report = Report("3 tests, -n 2")
    plain, xdist, rustpar = (e := session.engines).plain(), e.xdist(2), e.rustpar(2)
    suite = suites.trivial(root / "suite", 3, 1)
    rounds = session.rounds(report, suite, [plain, xdist, rustpar], repeat=3 * session.repeat)

    def added(runner: Runner) -> list[float]:
        return [a - b for a, b in zip(rounds.values(runner), rounds.values(plain), strict=True)]

    report.figures += [
        spread("wall - plain wall", added(rustpar), 0.15, 0.05, "s"),
        spread("(xdist wall - plain wall)", added(xdist), unit="s"),
    ]
    return report


def scale(session: Session, root: Path) -> Report:
    """Time suites of growing size, 100 tests a file: (wall - wall of 3 tests) / tests should not grow."""
    sizes = [200, 1000] if session.quick else [1000, 10_000, *([100_000] if session.large else [])]
    report = Report(f"cost per test at {', '.join(map(str, sizes))} tests, -n 2")
    xdist, rustpar = session.engines.xdist(2), session.engines.rustpar(2)
    start = session.rounds(report, suites.trivial(root / "suite3", 3, 1), [xdist, rustpar])
    costs: dict[Runner, list[float]] = {xdist: [], rustpar: []}
    for n in sizes:
        suite = suites.trivial(root / f"suite{n}", n, n // 100)
        rounds = session.rounds(report, suite, [xdist, rustpar], repeat=1 if n > 10_000 else None)
        for runner, cost in costs.items():
            cost.append((rounds.median(runner) - start.median(runner)) / n * 1e6)
            derived(report, runner, "per test", str(n), spread("", cost[-1:]))
    flat = {runner: max(cost) / min(cost) for runner, cost in costs.items()}
    report.figures += [
        spread("largest / smallest cost per test", [flat[rustpar]], 1.15, 1.05),
        spread("(the same for xdist)", [flat[xdist]]),
    ]
    return report


ROWS: dict[str, Callable[[Session, Path], Report]] = {
    "trivial-n2": trivial_n2,
    "trivial-n8": trivial_n8,
    "imports-n8": imports_n8,
    "deciding": deciding,
    "hazards": hazards,
    "sleep": sleep,
    "skewed": skewed,
    "skewed-history": skewed_history,
    "fixtures": fixtures,
    "fixtures-history": fixtures_history,
    "controller-cpu": controller_cpu,
    "three-tests": three_tests,
    "scale": scale,
}
