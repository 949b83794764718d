"""The rows of the benchmark: suite, runners, figures and their limits.

The benchmark of combining coverage data is in ``joining.py``: it compares two commands, not ways to run tests.
"""

from __future__ import annotations

import math
import subprocess
from collections.abc import Callable
from pathlib import Path

from compare import suites
from compare.released import GivenSuite, copied
from compare.runners import Runner
from compare.session import Figure, Line, Metric, Report, Session, own_cpu, peak_pss, spread, tree_cpu

# Suites that sleep take 15 to 35 s with every runner, and vary far less than those that use the CPU.
SLOW_REPEATS = 3
SKEWED_WORKERS = SLEEP_WORKERS = 8
WAITING_WORKERS = 32


def trivial_n2(session: Session, root: Path) -> Report:
    """Measure the overhead of the engine, with as many workers as the reference machine has cores."""
    tests, files = (1000, 10) if session.quick else (10_000, 100)
    report = Report(f"{tests} trivial tests in {files} files, -n 2")
    plain, xdist, rustpar = (e := session.engines).plain(), e.xdist(2), e.rustpar(2)
    rounds = session.rounds(report, suites.trivial(root / "suite", tests, files), [plain, xdist, rustpar], rivals=2)
    report.figures += [
        spread("wall / xdist wall", rounds.ratios(rustpar, xdist), 0.50, 0.30),
        spread("wall / plain wall", rounds.ratios(rustpar, plain), 0.65, 0.40),
        spread("(xdist wall / plain wall)", rounds.ratios(xdist, plain)),
    ]
    return report


def trivial_n8(session: Session, root: Path) -> Report:
    """Measure the overhead with more workers than cores, where each worker has to start and collect."""
    tests, files = (1000, 10) if session.quick else (10_000, 100)
    report = Report(f"{tests} trivial tests in {files} files, -n 8")
    xdist, rustpar = session.engines.xdist(8), session.engines.rustpar(8)
    rounds = session.rounds(report, suites.trivial(root / "suite", tests, files), [xdist, rustpar], rivals=8)
    report.figures.append(spread("wall / xdist wall", rounds.ratios(rustpar, xdist), 0.30, 0.18))
    return report


def imports_n8(session: Session, root: Path) -> Report:
    """Measure time and memory of a suite with heavy imports; memory is sampled in separate runs."""
    files = 20 if session.quick else 200
    report = Report(f"{files} files importing numpy and pandas, -n 8")
    script = [session.bench.python, "-c", "import numpy, pandas"]
    if not session.imports and subprocess.run(script, capture_output=True).returncode:
        report.troubles.append(f"skipped: {session.bench.python} cannot import numpy and pandas")
        return report
    suite = suites.importing(root / "suite", files)
    plain, xdist, rustpar = (e := session.engines).plain(), e.xdist(8), e.rustpar(8)
    rounds = session.rounds(report, suite, [plain, xdist, rustpar], rivals=8, env=session.imports)
    weighed = min(session.repeat, 2)
    memory = session.rounds(
        report, suite, [plain, xdist, rustpar], repeat=weighed, pss=True, warm=False, env=session.imports
    )
    report.figures += [
        spread("wall / xdist wall", rounds.ratios(rustpar, xdist), 0.22, 0.15),
        spread("peak PSS / xdist's", memory.ratios(rustpar, xdist, peak_pss), 0.30, 0.20),
        spread("(peak PSS / plain's)", memory.ratios(rustpar, plain, peak_pss)),
        spread("(xdist wall / plain wall)", rounds.ratios(xdist, plain)),
    ]
    return report


def sleep(session: Session, root: Path) -> Report:
    """Compare the time of equal tests that sleep with that of the worker that has most of them."""
    return equal_sleeps(session, root, SLEEP_WORKERS, 80, (1.02, 1.01))[0]


def waiting(session: Session, root: Path) -> Report:
    """Measure many more workers than cores, for tests that wait: what pytest-parallel runs in threads."""
    report, suite = equal_sleeps(session, root, WAITING_WORKERS, 64, (1.15, 1.05))
    xdist, rustpar = session.engines.xdist(WAITING_WORKERS), session.engines.rustpar(WAITING_WORKERS)
    memory = session.rounds(report, suite, [xdist, rustpar], repeat=1, pss=True, warm=False)
    report.figures.append(spread("peak PSS / xdist's", memory.ratios(rustpar, xdist, peak_pss), 0.35, 0.25))
    return report


def equal_sleeps(
    session: Session, root: Path, workers: int, quick: int, limits: tuple[float, float]
) -> tuple[Report, Path]:
    """Measure 500 tests that sleep equally long, or a `quick` number, against the best time; return the suite, too."""
    tests, seconds = (quick, 0.25) if session.quick else (500, 0.5)
    bound = math.ceil(tests / workers) * seconds
    report = Report(f"{tests} tests x {seconds} s sleep, -n {workers}; bound {bound:.1f} s")
    xdist, rustpar = session.engines.xdist(workers), session.engines.rustpar(workers)
    suite = suites.sleeping(root / "suite", [seconds] * tests, 25)
    repeat = min(session.repeat, SLOW_REPEATS)
    rounds = session.rounds(report, suite, [xdist, rustpar], repeat=repeat, fresh=True, rivals=workers)
    report.figures += [
        spread("wall / bound", [w / bound for w in rounds.values(rustpar)], *limits),
        spread("(xdist wall / bound)", [w / bound for w in rounds.values(xdist)]),
    ]
    return report, suite


def deciding(session: Session, root: Path) -> Report:
    """Measure the cost of ``--rustpar-start=auto`` for a suite without a reason for ``early``."""
    tests, files = (1000, 10) if session.quick else (10_000, 100)
    report = Report(f"{tests} trivial tests in {files} files, -n 2, start mode auto or template")
    auto, template = (session.engines.rustpar(2, f"--rustpar-start={start}") for start in ("auto", "template"))
    # The difference is smaller than the noise of a few pairs.
    suite = suites.trivial(root / "suite", tests, files)
    rounds = session.rounds(report, suite, [auto, template], repeat=4 * session.repeat)
    report.figures.append(spread("auto wall / template wall", rounds.ratios(auto, template), 1.02))
    return report


def hazards(session: Session, root: Path) -> Report:
    """Measure suites whose workers must not be forked from a template: early workers must not be slower than xdist."""
    tests, files = (1000, 10) if session.quick else (5000, 100)
    report = Report(f"{tests} trivial tests in {files} files, with a conftest that needs early workers, -n 2")
    xdist, rustpar = session.engines.xdist(2), session.engines.rustpar(2)
    for name, conftest in suites.UNSAFE_CONFTESTS.items():
        suite = suites.trivial(root / name, tests, files)
        (suite / "conftest.py").write_text(conftest, encoding="utf-8")
        for when, fresh in (("first run", True), ("next run", False)):
            rounds = session.rounds(report, suite, [xdist, rustpar], fresh=fresh)
            figure = f"{name}, {when}: wall / xdist wall"
            report.figures.append(spread(figure, rounds.ratios(rustpar, xdist), 1.0, 0.8))
    return report


def skewed(session: Session, root: Path) -> Report:
    """Measure tests of skewed durations without a history; each repetition shuffles them again."""
    repeat = min(session.repeat, SLOW_REPEATS)
    shuffled = [suites.skewed_seconds(seed, 8 if session.quick else 1) for seed in range(repeat)]
    best = suites.best_list_schedule(shuffled[0], SKEWED_WORKERS)
    in_order = [suites.list_schedule(seconds, SKEWED_WORKERS) / best for seconds in shuffled]
    report = Report(
        f"{len(shuffled[0])} tests of skewed durations, no history, -n {SKEWED_WORKERS};"
        f" best list schedule {best:.2f} s"
    )
    shuffled_suites = [suites.sleeping(root / f"suite{k}", seconds, 16) for k, seconds in enumerate(shuffled)]
    xdist, rustpar = session.engines.xdist(SKEWED_WORKERS), session.engines.rustpar(SKEWED_WORKERS)
    rounds = session.rounds(report, shuffled_suites, [xdist, rustpar], repeat=repeat, fresh=True, rivals=SKEWED_WORKERS)
    report.figures += [
        spread("wall / best list schedule", [w / best for w in rounds.values(rustpar)], 1.08, 1.05),
        spread("(xdist wall / best list schedule)", [w / best for w in rounds.values(xdist)]),
        spread("(list schedule in collection order / best)", in_order),
    ]
    return report


def skewed_history(session: Session, root: Path) -> Report:
    """Measure tests of skewed durations with a history."""
    seconds = suites.skewed_seconds(0, 8 if session.quick else 1)
    bound = suites.lower_bound(seconds, SKEWED_WORKERS)
    report = Report(
        f"{len(seconds)} tests of skewed durations, with history, -n {SKEWED_WORKERS};"
        f" max(total/N, longest) {bound:.2f} s"
    )
    xdist, rustpar = session.engines.xdist(SKEWED_WORKERS), session.engines.rustpar(SKEWED_WORKERS)
    suite = suites.sleeping(root / "suite", seconds, 16)
    repeat = min(session.repeat, SLOW_REPEATS)
    rounds = session.rounds(report, suite, [xdist, rustpar], repeat=repeat, rivals=SKEWED_WORKERS)
    report.figures += [
        spread("wall / bound", [w / bound for w in rounds.values(rustpar)], 1.05, 1.02),
        spread("(xdist wall / bound)", [w / bound for w in rounds.values(xdist)]),
    ]
    return report


def fixtures(session: Session, root: Path) -> Report:
    """Measure modules of unequal size with a costly fixture, without a history."""
    return expensive_fixtures(session, root, fresh=True)


def fixtures_history(session: Session, root: Path) -> Report:
    """Measure modules of unequal size with a costly fixture, with a history."""
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
        report, suite, [load, scope, rustpar], repeat=min(session.repeat, SLOW_REPEATS), fresh=fresh, rivals=4
    )
    better = min((load, scope), key=rounds.median)
    report.figures += [
        spread(f"wall / xdist {better.args[-1]} wall", rounds.ratios(rustpar, better), 0.95, 0.85),
        spread("(wall / each fixture once and even)", [w / ideal for w in rounds.values(rustpar)]),
    ]
    return report


def controller_cpu(session: Session, root: Path) -> Report:
    """Measure the CPU time of the controller per passing test.

    This is the kernel's count for the started process alone, over its whole life, read after it has exited and before
    it is reaped. Costs that do not grow with the number of tests (start, plugins, options) cancel out in the
    difference between two suites with the same number of files: (CPU at `many` - CPU at `few`) / (many - few).
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
    """Measure the overhead of `-n 2` for three tests."""
    report = Report("3 tests, -n 2")
    plain, xdist, rustpar = (e := session.engines).plain(), e.xdist(2), e.rustpar(2)
    suite = suites.trivial(root / "suite", 3, 1)
    rounds = session.rounds(report, suite, [plain, xdist, rustpar], repeat=3 * session.repeat, rivals=2)

    def added(runner: Runner) -> list[float]:
        return [a - b for a, b in zip(rounds.values(runner), rounds.values(plain), strict=True)]

    report.figures += [
        spread("wall - plain wall", added(rustpar), 0.15, 0.05, "s"),
        spread("(xdist wall - plain wall)", added(xdist), unit="s"),
    ]
    return report


def scale(session: Session, root: Path) -> Report:
    """Measure suites of growing size, 100 tests per file: (wall - wall of 3 tests) / tests should not grow."""
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


def given_suite(session: Session, root: Path, given: GivenSuite) -> Report:
    """Measure a suite that was not written for this benchmark, with two workers."""
    report = Report(f"tests of {given.directory.name}, -n 2")
    plain, xdist, rustpar = (e := session.engines).plain(), e.xdist(2), e.rustpar(2)
    suite = copied(given, root / "suite")
    rounds = session.rounds(report, suite, [plain, xdist, rustpar], rivals=2, env=given.env)
    report.figures += [
        spread("(wall / xdist wall)", rounds.ratios(rustpar, xdist)),
        spread("(wall / plain wall)", rounds.ratios(rustpar, plain)),
    ]
    return report


ROWS: dict[str, Callable[[Session, Path], Report]] = {
    "trivial-n2": trivial_n2,
    "trivial-n8": trivial_n8,
    "imports-n8": imports_n8,
    "deciding": deciding,
    "hazards": hazards,
    "sleep": sleep,
    "waiting": waiting,
    "skewed": skewed,
    "skewed-history": skewed_history,
    "fixtures": fixtures,
    "fixtures-history": fixtures_history,
    "controller-cpu": controller_cpu,
    "three-tests": three_tests,
    "scale": scale,
}
