"""Compare the time of ``rustpar coverage combine`` and ``coverage combine`` on generated data files.

The runs of the two commands are interleaved. The table also has the number of results that differ (0) and the peak
memory of each command. Run it with an interpreter that has rustpar and coverage installed:
``python benches/joining.py``.
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
class DataFiles:
    """Parameters of data files: number, lines or arcs, contexts in each, and source files in each context."""

    files: int
    arcs: bool
    contexts: int
    sources: int

    @property
    def name(self) -> str:
        """Return the name of the row."""
        contexts = f", {self.contexts} contexts" if self.contexts else ""
        return f"{self.files} files, {'arcs' if self.arcs else 'lines'}{contexts}"

    def write(self, directory: Path) -> None:
        """Write the data files, with random data of a program of 2,000 source files."""
        from coverage import CoverageData

        directory.mkdir()
        for number in range(self.files):
            rng = random.Random(number)
            data = CoverageData(str(directory / ".coverage"), suffix=True)
            for context in range(self.contexts or 1):
                data.set_context(f"test_{number}.py::test_{context}|run" if self.contexts else None)
                sources = [f"/app/package/module_{n}.py" for n in rng.sample(range(2000), self.sources)]
                if self.arcs:
                    data.add_arcs(
                        {
                            name: [(rng.randrange(-50, 400), rng.randrange(1, 400)) for _ in range(20)]
                            for name in sources
                        }
                    )
                else:
                    data.add_lines({name: [rng.randrange(1, 400) for _ in range(60)] for name in sources})
            data.write()
            data.close()


DATA_FILES = [
    DataFiles(2, False, 0, 20),
    DataFiles(8, False, 0, 2000),
    DataFiles(8, True, 0, 2000),
    DataFiles(64, True, 0, 2000),
    DataFiles(8, False, 300, 100),
    DataFiles(8, True, 300, 100),
    DataFiles(64, True, 300, 12),
]


def combine(command: str, source: Path, *, memory: bool = False) -> tuple[Usage, Any]:
    """Combine copies of data files; return the resource usage and the contents of the result."""
    with tempfile.TemporaryDirectory() as scratch:
        here = Path(scratch) / "here"
        shutil.copytree(source, here)
        usage = run(
            [sys.executable, "-m", *COMMANDS[command], "-q"],
            cwd=here,
            env=dict(os.environ),
            log=Path(scratch) / "log",
            timeout=600,
            pss=memory,
        )
        return usage, contents(here / ".coverage")


def contents(file: Path) -> list[list[Any]]:
    """Return the contents of a data file, with names in place of ids."""
    named = "select path, context, {} from {} join file f on f.id = file_id join context c on c.id = context_id"
    queries = ["select path from file", named.format("numbits", "line_bits"), named.format("fromno, tono", "arc")]
    with closing(sqlite3.connect(file)) as database:
        return [sorted(database.execute(query)) for query in queries]


def compare(generated: DataFiles, repeat: int) -> str:
    """Return one row of the table."""
    walls: dict[str, list[float]] = {command: [] for command in COMMANDS}
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch) / "generated"
        generated.write(directory)
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
    cells = [generated.name, *(f"{value:.2f} s" for value in seconds), f"{ratio:.3f}", f"{differ}"]
    return " | ".join(["", *cells, *(f"{value:.0f} MiB" for value in memory), ""]).strip()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3, help="timed runs per command (default 3)")
    repeat = parser.parse_args().repeat
    print("| data | coverage | rustpar | ratio | differ | memory of coverage | of rustpar |")
    print("|---|---|---|---|---|---|---|")
    for generated in DATA_FILES:
        print(compare(generated, repeat), flush=True)


if __name__ == "__main__":
    main()
