"""Random data files of coverage.py, combining them with either command, and reading their contents."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from coverage import CoverageData

from tests.harness import RUN_LIMIT

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = {"coverage": ("coverage",), "rustpar": ("rustpar.cli", "coverage")}


def write_random_files(directory: Path, files: int, seed: int, *, arcs: bool) -> None:
    """Write data files with lines or arcs, contexts, plugins, source files without lines, and the same data twice."""
    dice = random.Random(seed)
    directory.mkdir(parents=True, exist_ok=True)
    plugin = {f"{directory}/app/mod_{n}.py": f"plugin{n % 2}" for n in range(40) if n % 5 == 0}
    for number in range(files):
        # The last file has the same data as the one before.
        own = random.Random(f"{seed} {min(number, files - 2)}")
        data = CoverageData(str(directory / ".coverage"), suffix=f"host.pid{number}.{'X' * own.randrange(1, 4)}")
        for context in [None, *(f"test_{own.randrange(30)}.py::test|run" for _ in range(own.randrange(6)))]:
            data.set_context(context)
            sources = [f"{directory}/app/mod_{own.randrange(40)}.py" for _ in range(own.randrange(1, 30))]
            if arcs:
                data.add_arcs({name: [_arc(own) for _ in range(own.randrange(40))] for name in sources})
            else:
                data.add_lines({name: [_line(own) for _ in range(own.randrange(40))] for name in sources})
        data.touch_files([f"{directory}/app/untouched_{dice.randrange(9)}.py"])
        measured = data.measured_files()
        data.add_file_tracers({name: tracer for name, tracer in plugin.items() if name in measured})
        data.write()
        data.close()


def _line(dice: random.Random) -> int:
    return dice.randrange(1, dice.choice([10, 300, 40_000]))


def _arc(dice: random.Random) -> tuple[int, int]:
    return (dice.choice([-1, 1]) * _line(dice), dice.choice([-1, 1, 1]) * _line(dice))


@dataclass(frozen=True)
class Combined:
    """Result of a command: exit status, output, contents of the combined file, and remaining files."""

    status: int
    out: str
    err: str
    result: dict[str, Any] | None
    files: list[str]


def combine(command: str, directory: Path, *args: str, limit_file: int | None = None) -> Combined:
    """Combine the data files in a directory; `limit_file` bounds the size of every file written, in bytes."""

    def limit() -> None:
        import resource

        if limit_file is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit_file, limit_file))

    done = subprocess.run(
        [sys.executable, "-m", *COMMANDS[command], "combine", *args],
        cwd=directory,
        capture_output=True,
        encoding="utf-8",
        timeout=RUN_LIMIT,
        preexec_fn=limit,
    )
    files = sorted(path.name for path in directory.iterdir() if path.is_file())
    file = directory / ".coverage"
    out, err = (text.replace(str(directory), "<here>") for text in (done.stdout, done.stderr))
    return Combined(done.returncode, out, err, read(file, directory) if file.exists() else None, files)


def combine_and_kill(directory: Path, after: float) -> None:
    """Start to combine the data files in a directory, and kill the process after some seconds."""
    process = subprocess.Popen(
        [sys.executable, "-m", *COMMANDS["rustpar"], "combine"], cwd=directory, stdout=subprocess.DEVNULL
    )
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(after)
    process.kill()
    process.wait()


def read(file: Path, directory: Path) -> dict[str, Any]:
    """Return the contents of a data file, independent of row ids."""
    with closing(sqlite3.connect(file)) as database:

        def rows(query: str) -> list[Any]:
            return sorted(
                tuple(value.replace(str(directory), "<here>") if isinstance(value, str) else value for value in row)
                for row in database.execute(query)
            )

        assert rows("pragma integrity_check") == [("ok",)]
        named = "select path, context, {} from {} join file f on f.id = file_id join context c on c.id = context_id"
        return {
            "version": rows("select * from coverage_schema"),
            "meta": rows("select key, value from meta where key not in ('when', 'sys_argv')"),
            "files": rows("select path from file"),
            "contexts": rows("select context from context"),
            "lines": rows(named.format("numbits", "line_bits")),
            "arcs": rows(named.format("fromno, tono", "arc")),
            "tracers": rows("select path, tracer from tracer join file f on f.id = file_id"),
        }
