"""Command line, output and JSON file of the comparison."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from compare.environments import REQUIREMENTS, default_cache, environment, site_packages
from compare.released import RELEASED, GivenSuite, given, released
from compare.rivals import install
from compare.rows import ROWS, given_suite
from compare.runners import PLAIN, RUSTPAR, XDIST, Bench, Engines, importing
from compare.session import Figure, Line, Report, Session


def differing(report: Report) -> int:
    """Return the largest number of outcomes in which a run differed; if it is not 0, the figures are invalid."""
    return max((line.differ for line in report.lines), default=0)


def verdict(figure: Figure, differ: int) -> str:
    """Return text that says which limits a figure meets."""
    if differ and figure.first is not None:
        return "INVALID: outcomes differ"
    words = [
        f"{name} <= {limit:g}: {'met' if figure.met(limit) else 'NOT met'}"
        for name, limit in (("first", figure.first), ("goal", figure.goal))
        if limit is not None
    ]
    return ", ".join(words)


def value(figure: Figure) -> str:
    """Format a figure with its range."""
    unit = f" {figure.unit}" if figure.unit else ""
    width = "" if figure.low == figure.high else f" ({figure.low:.3f}-{figure.high:.3f})"
    return f"{figure.value:.3f}{unit}{width}"


def show(name: str, report: Report) -> str:
    """Format the report of one row."""
    out = [f"{name}: {report.title}"]
    for line in report.lines:
        times = f"median {line.median:9.3f} {line.unit} ({line.low:.3f}-{line.high:.3f}) " if line.runs else ""
        runs = f"{line.label:32} {line.runs:3} runs {line.tests:>11} tests {line.differ:5} differ"
        out.append(f"  {runs}   {times}{line.note}".rstrip())
    out += [
        f"  {figure.name:44} {value(figure):26} {verdict(figure, differing(report))}".rstrip()
        for figure in report.figures
    ]
    out += [f"  - {text}" for text in report.remarks]
    out += [f"  ! {text}" for text in report.troubles]
    return "\n".join(out)


def summary(reports: dict[str, Report]) -> str:
    """Return all figures that have limits as a Markdown table."""
    rows = [["row", "figure", "tests", "differ", "value (range)", "first", "goal", "met"]]
    for name, report in reports.items():
        tests = "/".join(dict.fromkeys(line.tests for line in report.lines if line.unit != "us/test"))
        differ = differing(report)
        for figure in report.figures:
            if figure.first is not None and figure.goal is not None:
                met = "goal" if figure.met(figure.goal) else "first" if figure.met(figure.first) else "NO"
                met = "INVALID" if differ else met
                limits = [f"{figure.first:g}", f"{figure.goal:g}"]
                rows.append([name, figure.name, tests, str(differ), value(figure), *limits, met])
    return markdown(rows)


def rivals_table(reports: dict[str, Report], rivals: Sequence[str]) -> str:
    """Return the medians of all runners as a Markdown table; the shortest of a row is bold."""
    kinds = [PLAIN, XDIST, RUSTPAR, *rivals]
    rows = [["suite", *kinds]]
    for report in reports.values():
        timed = [line for line in report.lines if line.kind in kinds and line.unit == "s"]
        best = min((line.median for line in timed if line.runs), default=0.0)
        if any(line.kind in rivals for line in timed):
            cells = [", ".join(cell(line, best) for line in timed if line.kind == kind) for kind in kinds]
            rows.append([report.title, *cells])
    return markdown(rows)


def cell(line: Line, best: float) -> str:
    """Return a median, with the policy if it is not the default one, or what kept the runs from counting."""
    if not line.runs:
        return line.note
    text = f"{line.median:.2f} s"
    _, has_policy, policy = line.label.partition(" --dist ")
    return (f"**{text}**" if line.median == best else text) + (f" ({policy})" if has_policy else "")


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Format rows, of which the first is the head, as a Markdown table."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [rows[0], ["-" * width for width in widths], *rows[1:]]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in lines
    )


def options(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="compare.py",
        description="Compare rustpar with pytest-xdist and plain pytest, in interleaved runs.",
        epilog=f"rows: {', '.join(ROWS)}; suites of released packages: {', '.join(RELEASED)}",
    )
    parser.add_argument("--rows", help="only these rows and suites, separated by commas")
    parser.add_argument(
        "--rivals",
        action="store_true",
        help="also run the runners in tests/requirements/rivals.txt, and the suites of released packages",
    )
    parser.add_argument(
        "--suite",
        action="append",
        default=[],
        metavar="NAME=DIRECTORY",
        help="also run a copy of this suite; options for pytest may follow in the same argument; repeatable",
    )
    parser.add_argument(
        "--imports",
        action="append",
        default=[],
        type=lambda path: Path(path).resolve(),
        metavar="DIR",
        help="a directory that the tests of --suite import from, in all environments; repeatable",
    )
    parser.add_argument(
        "--cache",
        type=Path,
        default=default_cache(),
        metavar="DIR",
        help="where environments and released suites are kept (default %(default)s)",
    )
    parser.add_argument("--repeat", type=int, default=5, help="timed runs per runner (default 5)")
    parser.add_argument("--python", default=sys.executable, help="interpreter that has rustpar and xdist installed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all results to FILE")
    parser.add_argument(
        "--quick", action="store_true", help="small suites and two repeats, to check that everything works"
    )
    parser.add_argument("--large", action="store_true", help="row scale: also run 100,000 tests")
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds for one run (default 600)")
    parser.add_argument(
        "--rustpar-args", default="-p rustpar", help="arguments that select rustpar (default '-p rustpar')"
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep suites and logs in DIR, which must not exist")
    opts = parser.parse_args(argv)
    opts.cache = opts.cache.resolve()
    try:
        opts.suite = dict(given(argument, tuple(opts.imports)) for argument in opts.suite)
    except ValueError as error:
        parser.error(str(error))
    every = [*ROWS, *(RELEASED if opts.rivals else ()), *opts.suite]
    opts.rows = opts.rows.split(",") if opts.rows else every
    known = [*ROWS, *RELEASED, *opts.suite]
    if unknown := [name for name in opts.rows if name not in known]:
        parser.error(f"unknown row {', '.join(unknown)}; expected one of: {', '.join(known)}")
    if opts.quick:
        opts.repeat = min(opts.repeat, 2)
    if opts.repeat < 1:
        parser.error("--repeat must be at least 1")
    if opts.keep and opts.keep.exists():
        parser.error(f"{opts.keep} exists already")
    return opts


def row(name: str, opts: argparse.Namespace) -> Callable[[Session, Path], Report]:
    """Return what measures a row of the benchmark, a suite of the command line, or that of a released package."""
    if name in ROWS:
        return ROWS[name]
    suite: GivenSuite = opts.suite.get(name) or released(name, opts.cache, opts.python)
    return partial(given_suite, given=suite)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the selected rows; return 1 if an outcome differed or a process was left over."""
    opts = options(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    work = opts.keep.resolve() if opts.keep else Path(tempfile.mkdtemp(prefix="rustpar-compare-"))
    work.mkdir(parents=True, exist_ok=True)
    bench = Bench(opts.python, work, timeout=opts.timeout)
    session = Session(bench, Engines(opts.rustpar_args), opts.repeat, quick=opts.quick, large=opts.large)
    if opts.rivals:
        session.rivals = install(opts.cache, opts.python)
        suites = environment(opts.cache / "imports", opts.python, ["-r", str(REQUIREMENTS / "bench.txt")])
        session.imports = importing(site_packages(suites))
    print(f"{platform.platform()}, {os.cpu_count()} CPUs, {opts.python}, rustpar is `{opts.rustpar_args}`")
    reports: dict[str, Report] = {}
    clean = False
    try:
        for name in opts.rows:
            reports[name] = row(name, opts)(session, work / name)
            print(f"\n{show(name, reports[name])}\n", flush=True)
            if opts.json:
                opts.json.write_text(json.dumps({n: asdict(r) for n, r in reports.items()}, indent=1) + "\n")
        clean = not any(report.troubles for report in reports.values())
    except KeyboardInterrupt:
        print("\ninterrupted")
    finally:
        if reports:
            print(summary(reports))
            if opts.rivals:
                print("\n" + rivals_table(reports, [rival.name for rival in session.rivals]))
        if clean and not opts.keep:
            shutil.rmtree(work, ignore_errors=True)
        else:
            print(f"\nsuites and logs: {work}")
    return 0 if clean else 1
