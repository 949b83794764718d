"""The three runners as command lines, one measured run of any of them, and the comparison of outcomes."""

from __future__ import annotations

import os
import shlex
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from compare.measure import Usage, run

RECORDER = Path(__file__).resolve().parent / "recorder"
PLAIN, XDIST, RUSTPAR = "plain", "xdist", "rustpar"


@dataclass(frozen=True)
class Runner:
    """One way to run a suite; ``kind`` is PLAIN, XDIST or RUSTPAR."""

    kind: str
    args: tuple[str, ...]

    @property
    def label(self) -> str:
        """Name the runner and the options that distinguish it."""
        shown = [a for a in self.args if not a.startswith(("-p", "no:")) and a not in (XDIST, RUSTPAR)]
        return " ".join([self.kind, *shown])


@dataclass(frozen=True)
class Engines:
    """Builds runners; ``rustpar_args`` is what selects rustpar, before ``-n``."""

    rustpar_args: str = "-p rustpar"

    def plain(self) -> Runner:
        """Pytest alone, in one process."""
        return Runner(PLAIN, ("-p", "no:rustpar", "-p", "no:xdist"))

    def xdist(self, workers: int | str, dist: str | None = None) -> Runner:
        """pytest-xdist with its own engine."""
        return Runner(XDIST, ("-p", "no:rustpar", "-n", str(workers), *(("--dist", dist) if dist else ())))

    def rustpar(self, workers: int | str, *args: str) -> Runner:
        """Rustpar with the default scheduling."""
        return Runner(RUSTPAR, (*shlex.split(self.rustpar_args), "-n", str(workers), *args))


@dataclass(frozen=True)
class Result:
    """One run: what it used and every test's outcome."""

    runner: Runner
    usage: Usage
    outcomes: dict[str, str]
    log: Path | None = None

    @property
    def counts(self) -> Counter[str]:
        """How many tests had each outcome; one with subtests counts as passed when all of them passed."""
        parts = (outcome.split("+") for outcome in self.outcomes.values())
        return Counter(next((part for part in found if part != "passed"), "passed") for found in parts)


@dataclass
class Bench:
    """Runs suites with one interpreter, one after the other, and keeps logs and records in ``work``."""

    python: str
    work: Path
    timeout: float = 600.0
    results: list[Result] = field(default_factory=list)

    def run(
        self,
        runner: Runner,
        suite: Path,
        *,
        pss: bool = False,
        env: dict[str, str] | None = None,
        show: bool = False,
        extra: tuple[str, ...] = (),
    ) -> Result:
        """Run the suite in directory ``suite``; ``show`` lets its output through instead of logging it."""
        number = len(self.results)
        record = self.work / "record.txt"
        record.unlink(missing_ok=True)
        log = None if show else self.work / f"{number:03}.{runner.kind}.log"
        args = [self.python, "-m", "pytest", "-p", "compare_recorder", *runner.args, *extra]
        child_env = clean_environment() | {
            "PYTHONPATH": str(RECORDER),
            "COMPARE_RECORD": str(record),
            "COMPARE_PARENT": str(os.getpid()),
            **(env or {}),
        }
        usage = run(args, cwd=suite, env=child_env, log=log, timeout=self.timeout, pss=pss)
        result = Result(runner, usage, read_record(record), log)
        self.results.append(result)
        return result


def clean_environment() -> dict[str, str]:
    """Return the environment without what would change how Python or pytest behaves."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PYTEST", "COMPARE"))}
    return kept | {"LC_ALL": "C.UTF-8"}


def read_record(path: Path) -> dict[str, str]:
    """Read the recorder's file; several entries of one test are joined, so a repetition is a difference."""
    outcomes: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        outcome, _, nodeid = line.partition("\t")
        outcomes[nodeid] = f"{outcomes[nodeid]}+{outcome}" if nodeid in outcomes else outcome
    return outcomes


def differences(base: Result, other: Result) -> list[str]:
    """Return one line for each test, and for the exit status, in which ``other`` differs from ``base``."""
    found = [
        f"{nodeid}: {base.outcomes.get(nodeid, 'absent')} -> {other.outcomes.get(nodeid, 'absent')}"
        for nodeid in sorted(base.outcomes.keys() | other.outcomes.keys())
        if base.outcomes.get(nodeid) != other.outcomes.get(nodeid)
    ]
    if other.usage.timed_out:
        found.append("timed out")
    elif other.usage.exit_code != base.usage.exit_code:
        found.append(f"exit status: {base.usage.exit_code} -> {other.usage.exit_code}")
    return found


def forget_runs(suite: Path) -> None:
    """Remove what earlier runs remembered beside a suite: every hidden file or directory."""
    for path in suite.iterdir():
        if path.name.startswith("."):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
