"""Time ``rustpar coverage combine`` beside ``coverage combine`` on made data files, in runs that take turns.

Beside every time stands what the two results differ in (0), and the most memory that the command had.  Run it with an
interpreter that has rustpar and coverage installed: ``python benches/joining.py``.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sqlite3
import statistics
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compare.measure import Usage, run

COMMANDS = {"coverage": ("coverage", "combine"), "rustpar": ("rustpar.cli", "coverage", "combine")}


@dataclass(frozen=True)
class Made:
    """Data files: how many, what is measured, contexts in each, and source files in each context."""

    files: int
    arcs: bool
    contexts: int
    sources: int

    @property
    def name(self) -> str:
        """In words."""
        contexts = f", {self.contexts} contexts" if self.contexts else ""
        return f"{self.files} files, {'arcs' if self.arcs else 'lines'}{contexts}"

    def write(self, directory: Path) -> None:
        """Write them, as measured in a program of 2,000 source files."""
        from coverage import CoverageData

        directory.mkdir()
        for number in range(self.files):
            dice = random.Random(number)
            data = CoverageData(str(directory / ".coverage"), suffix=True)
            for context in range(self.contexts or 1):
                data.set_context(f"test_{number}.py::test_{context}|run" if self.contexts else None)
                sources = [f"/app/package/module_{n}.py" for n in dice.sample(range(2000), self.sources)]
                if self.arcs:
                    data.add_arcs(
                        {
                            name: [(dice.randrange(-50, 400), dice.randrange(1, 400)) for _ in range(20)]
                            for name in sources
                        }
                    )
                else:
                    data.add_lines({name: [dice.randrange(1, 400) for _ in range(60)] for name in sources})
            data.write()
            data.close()


MADE = [
    Made(2, False, 0, 20),
    Made(8, False, 0, 2000),
    Made(8, True, 0, 2000),
    Made(64, True, 0, 2000),
    Made(8, False, 300, 100),
    Made(8, True, 300, 100),
    Made(64, True, 300, 12),
]


def combine(command: str, made: Path, *, memory: bool = False) -> tuple[Usage, Any]:
    """Combine copies of data files; return what that used and what the result says."""
    with tempfile.TemporaryDirectory() as scratch:
        here = Path(scratch) / "here"
        shutil.copytree(made, here)
        usage = run(
            [sys.executable, "-m", *COMMANDS[command], "-q"],
            cwd=here,
            env=dict(os.environ),
            log=Path(scratch) / "log",
            timeout=600,
            pss=memory,
        )
        return usage, said(here / ".coverage")


def said(file: Path) -> list[list[Any]]:
    """What a data file says, by names and not by numbers."""
    named = "select path, context, {} from {} join file f on f.id = file_id join context c on c.id = context_id"
    queries = ["select path from file", named.format("numbits", "line_bits"), named.format("fromno, tono", "arc")]
    with closing(sqlite3.connect(file)) as database:
        return [sorted(database.execute(query)) for query in queries]


def compare(made: Made, repeat: int) -> str:
    """One row of the table."""
    walls: dict[str, list[float]] = {command: [] for command in COMMANDS}
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch) / "made"
        made.write(directory)
        wanted = combine("coverage", directory)[1]
        differ = 0
        for turn in range(repeat):
            for command in sorted(COMMANDS, reverse=bool(turn % 2)):
                usage, found = combine(command, directory)
                walls[command].append(usage.wall)
                differ += found != wanted
        memory = [combine(command, directory, memory=True)[0].peak_pss or 0.0 for command in COMMANDS]
    seconds = [statistics.median(walls[command]) for command in COMMANDS]
    ratio = statistics.median(ours / theirs for theirs, ours in zip(*walls.values(), strict=True))
    cells = [made.name, *(f"{value:.2f} s" for value in seconds), f"{ratio:.3f}", f"{differ}"]
    return " | ".join(["", *cells, *(f"{value:.0f} MiB" for value in memory), ""]).strip()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3, help="timed runs per command (default 3)")
    repeat = parser.parse_args().repeat
    print("| data | coverage | rustpar | ratio | differ | memory of coverage | of rustpar |")
    print("|---|---|---|---|---|---|---|")
    for made in MADE:
        print(compare(made, repeat), flush=True)


if __name__ == "__main__":
    main()
