#!/usr/bin/env python3
"""Run the example suite with plain pytest, pytest-xdist and rustpar, and compare outcomes, times and memory.

    python examples/demo.py [-n WORKERS] [--repeat K]

The interpreter must have pytest, pytest-xdist and pytest-rustpar installed. The output of plain pytest and xdist is
hidden, that of rustpar is shown. Memory is measured in one more run of each. Linux only.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "benches"))

from compare.cli import markdown  # noqa: E402
from compare.runners import Bench, Engines, Result, Runner, differences  # noqa: E402

SUITE = HERE / "bookshop"


def main() -> int:
    """Run the demo; return 1 if the outcomes of a runner differ from those of plain pytest."""
    parser = argparse.ArgumentParser(description="Run the example suite with plain pytest, xdist and rustpar.")
    parser.add_argument("-n", default="auto", dest="workers", help="number of workers (default: auto)")
    parser.add_argument("--repeat", type=int, default=1, help="timed runs of each, interleaved (default 1)")
    parser.add_argument("--no-memory", action="store_true", help="skip the runs that sample memory")
    parser.add_argument("--rustpar-args", default="-p rustpar", help=argparse.SUPPRESS)
    opts = parser.parse_args()
    modules = ["xdist", *(["rustpar"] if opts.rustpar_args == "-p rustpar" else [])]
    if missing := [name for name in modules if importlib.util.find_spec(name) is None]:
        parser.error(f"{sys.executable} lacks {', '.join(missing)}: pip install pytest-rustpar")
    engines = Engines(opts.rustpar_args)
    runners = [engines.plain(), engines.xdist(opts.workers), engines.rustpar(opts.workers)]
    with tempfile.TemporaryDirectory(prefix="rustpar-demo-") as work:
        return demonstrate(Bench(sys.executable, Path(work)), runners, max(1, opts.repeat), not opts.no_memory)


def demonstrate(bench: Bench, runners: list[Runner], repeat: int, memory: bool) -> int:
    """Run all runners and print the table; return the exit status."""
    print("warming up ...", flush=True)
    bench.run(runners[0], SUITE, extra=("--collect-only", "-q"))  # writes bytecode
    timed: dict[Runner, list[Result]] = {runner: [] for runner in runners}
    for k in range(repeat):
        for runner in runners:
            first_rustpar = runner is runners[-1] and k == 0
            print(f"{runner.label} ...", end="\n\n" if first_rustpar else " ", flush=True)
            result = bench.run(runner, SUITE, show=first_rustpar)
            timed[runner].append(result)
            print(f"{'':12}" * first_rustpar + f"{result.usage.wall:.1f} s", flush=True)
    pss = {}
    if memory:
        print("measuring memory ...", flush=True)
        pss = {runner: bench.run(runner, SUITE, pss=True) for runner in runners}

    base = timed[runners[0]][0]
    walls = {runner: statistics.median(r.usage.wall for r in timed[runner]) for runner in runners}
    head = "runner,passed,failed,skipped,xfailed,differ,wall s,vs plain,vs xdist,peak PSS"
    rows = [head.split(",")]
    troubles: list[str] = []
    for runner in runners:
        runs = timed[runner] + ([pss[runner]] if memory else [])
        found = [text for run in runs for text in differences(base, run)]
        troubles += [f"{runner.label}: {text}" for text in found]
        troubles += [f"{runner.label}: process left over: {name}" for run in runs for name in run.usage.left_over]
        counts = runs[0].counts
        failed = sum(n for kind, n in counts.items() if kind not in ("passed", "skipped", "xskipped", "xpassed"))
        rows.append(
            [
                runner.label,
                *(str(n) for n in (counts["passed"], failed, counts["skipped"], counts["xskipped"], len(found))),
                f"{walls[runner]:.2f}",
                f"{walls[runners[0]] / walls[runner]:.2f}x",
                f"{walls[runners[1]] / walls[runner]:.2f}x",
                f"{pss[runner].usage.peak_pss:.0f} MiB" if memory else "-",
            ]
        )
    print(f"\n{markdown(rows)}")
    print("\n".join(f"! {text}" for text in troubles[:20]))
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main())
