"""Other runners that are measured beside pytest-xdist: how each is installed, started and read.

Some are plugins and some are programs of their own, so each gets a virtual environment. All are started as their
documentation recommends for a whole run from the command line, without a daemon that outlives it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from compare.environments import environment, pins
from compare.outcomes import Outcomes, read_categories, read_phases, read_record

RECORD_HERE = ("-p", "compare_recorder")


@dataclass(frozen=True)
class Rival:
    """A runner from PyPI in an environment of its own.

    Attributes:
        name: The name of the package.
        python: The interpreter of its environment.
    """

    name: str
    python: Path

    @property
    def is_exact(self) -> bool:
        """Whether outcomes are read exactly; otherwise there is one category for each test."""
        return READERS[self.name] is not read_categories

    @property
    def records_everywhere(self) -> bool:
        """Whether the recorder has to write in every pytest process, because the runner starts several."""
        return self.name == "cito"

    def command(self, workers: int, record: Path) -> list[str]:
        """Return the command that runs the suite in the working directory and writes its outcomes to `record`."""
        return COMMANDS[self.name](self.python, str(workers), str(record))

    def outcomes(self, record: Path) -> Outcomes:
        """Return what the command has written."""
        return READERS[self.name](record)


def parallex(python: Path, workers: str, record: str) -> list[str]:
    """Return the command of pytest-parallex; the recorder is a plugin there, and knows its file."""
    return [str(python), "-m", "pytest", *RECORD_HERE, "--parallel=fork", f"--parallel-workers={workers}"]


def pytest_fast(python: Path, workers: str, record: str) -> list[str]:
    """Return the command of pytest-fast, without its resident daemon."""
    return [str(python.with_name("pytest-fast")), "--workers", workers, "--dump", record]


def rstest(python: Path, workers: str, record: str) -> list[str]:
    """Return the command of rstest."""
    return [str(python.with_name("rstest")), "--python", str(python), "-n", workers, "--report-json", record]


def cito(python: Path, workers: str, record: str) -> list[str]:
    """Return the command of cito, with workers that stay for the whole run, without its daemon."""
    command = [str(python.with_name("cito")), "run", "--python", str(python), "-n", workers, "--warm"]
    return [*command, "--", *RECORD_HERE]


COMMANDS: dict[str, Callable[[Path, str, str], list[str]]] = {
    "pytest-parallex": parallex,
    "pytest-fast": pytest_fast,
    "rstest": rstest,
    "cito": cito,
}
READERS: dict[str, Callable[[Path], Outcomes]] = {
    "pytest-parallex": read_record,
    "pytest-fast": read_categories,
    "rstest": read_phases,
    "cito": read_record,
}


def install(cache: Path, base: str) -> tuple[Rival, ...]:
    """Return the pinned runners, each with the interpreter, and the version of pytest, of `base`."""
    script = "import pytest, sys; print('%d.%d' % sys.version_info[:2], pytest.__version__)"
    version, pytest = subprocess.run([base, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    pinned = pins("rivals")
    return tuple(
        Rival(name, environment(cache / f"{name}-{version}", base, [pinned[name], f"pytest=={pytest}"]))
        for name in COMMANDS
    )
