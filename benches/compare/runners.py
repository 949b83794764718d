"""Command lines of the runners, one measured run of any of them, and the comparison of outcomes."""

from __future__ import annotations

import os
import shlex
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from compare.measure import Usage, run
from compare.outcomes import Outcomes, category, differing, read_record
from compare.rivals import Rival

RECORDER = Path(__file__).resolve().parent / "recorder"
PLAIN, XDIST, RUSTPAR = "plain", "xdist", "rustpar"


@dataclass(frozen=True)
class Runner:
    """One way to run a suite.

    Attributes:
        kind: PLAIN, XDIST, RUSTPAR, or the name of a rival.
        args: Arguments for pytest; of a rival, what distinguishes the runner.
        rival: The rival, which has a command of its own.
        workers: The number of workers of a rival.
    """

    kind: str
    args: tuple[str, ...]
    rival: Rival | None = None
    workers: int = 0

    @property
    def label(self) -> str:
        """Return the name of the runner with its distinguishing options."""
        shown = [a for a in self.args if not a.startswith(("-p", "no:")) and a not in (XDIST, RUSTPAR)]
        return " ".join([self.kind, *shown])


@dataclass(frozen=True)
class Engines:
    """Builds runners; ``rustpar_args`` are the arguments before ``-n`` that select rustpar."""

    rustpar_args: str = "-p rustpar"

    def plain(self) -> Runner:
        """Return the runner for plain pytest, in one process."""
        return Runner(PLAIN, ("-p", "no:rustpar", "-p", "no:xdist"))

    def xdist(self, workers: int | str, dist: str | None = None) -> Runner:
        """Return the runner for pytest-xdist with its own engine."""
        return Runner(XDIST, ("-p", "no:rustpar", "-n", str(workers), *(("--dist", dist) if dist else ())))

    def rustpar(self, workers: int | str, *args: str) -> Runner:
        """Return the runner for rustpar, with the default scheduling unless ``args`` change it."""
        return Runner(RUSTPAR, (*shlex.split(self.rustpar_args), "-n", str(workers), *args))

    @staticmethod
    def rival(rival: Rival, workers: int) -> Runner:
        """Return the runner for one of the others."""
        return Runner(rival.name, ("-n", str(workers)), rival, workers)


@dataclass(frozen=True)
class Result:
    """Resource usage and test outcomes of one run."""

    runner: Runner
    usage: Usage
    outcomes: Outcomes
    log: Path | None = None

    @property
    def counts(self) -> Counter[str]:
        """Number of tests by outcome; a test with subtests has passed if all of them passed."""
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
        """Run the suite in directory ``suite``; ``show`` prints its output instead of logging it."""
        number = len(self.results)
        record = self.work / "record.txt"
        record.unlink(missing_ok=True)
        log = None if show else self.work / f"{number:03}.{runner.kind}.log"
        rival = runner.rival
        if rival:
            args = rival.command(runner.workers, record)
        else:
            args = [self.python, "-m", "pytest", "-p", "compare_recorder", *runner.args, *extra]
        child_env = clean_environment() | {
            **importing(),
            "COMPARE_RECORD": str(record),
            "COMPARE_PARENT": "" if rival and rival.records_everywhere else str(os.getpid()),
            **(env or {}),
        }
        usage = run(args, cwd=suite, env=child_env, log=log, timeout=self.timeout, pss=pss)
        result = Result(runner, usage, rival.outcomes(record) if rival else read_record(record), log)
        self.results.append(result)
        return result


def importing(*directories: Path) -> dict[str, str]:
    """Return the variables with which a run imports from these directories, too, whatever its environment has."""
    return {"PYTHONPATH": os.pathsep.join(map(str, [RECORDER, *directories]))}


def clean_environment() -> dict[str, str]:
    """Return the environment without variables that influence Python or pytest."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PYTEST", "COMPARE"))}
    return kept | {"LC_ALL": "C.UTF-8"}


def differences(base: Result, other: Result) -> list[str]:
    """Return one line for each test, and for the exit status, in which ``other`` differs from ``base``."""
    rival = other.runner.rival
    if rival and not rival.is_exact:
        found = differing({nodeid: category(outcome) for nodeid, outcome in base.outcomes.items()}, other.outcomes)
    else:
        found = differing(base.outcomes, other.outcomes)
    if other.usage.timed_out:
        found.append("timed out")
    elif other.usage.exit_code != base.usage.exit_code:
        found.append(f"exit status: {base.usage.exit_code} -> {other.usage.exit_code}")
    return found


def remove_caches(suite: Path) -> None:
    """Remove what earlier runs cached in the directory of a suite: every hidden file or directory."""
    for path in suite.iterdir():
        if path.name.startswith("."):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
