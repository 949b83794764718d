"""The command ``rustpar runs``: the runs whose journals are kept."""

from __future__ import annotations

import argparse
import json
import shlex
import time
from dataclasses import asdict, dataclass

from rustpar.cli.command import guarded
from rustpar.cli.journal_lookup import add_path, reports

_HELP = "list the runs whose journals are kept"


@dataclass(frozen=True)
class Run:
    """A run; `began` is in seconds since the epoch, `seconds` how long it lasted, `exit` None where it was cut."""

    id: str
    began: float
    command: list[str]
    environment: str
    counts: dict[str, int]
    seconds: float
    workers: int
    exit: int | None
    journal: str


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("runs", help=_HELP, description=f"{_HELP}, the latest last")
    add_path(parser)
    parser.add_argument("--json", action="store_true", help="write them as JSON")
    parser.set_defaults(run=guarded("runs", _list))


def _counted(name: str, count: int) -> str:
    return f"{count} errors" if name == "error" and count > 1 else f"{count} {name}"


def _list(options: argparse.Namespace) -> None:
    runs = [
        Run(id_, began, argv, environment, dict(counts), seconds, workers, status, str(path))
        for path, report in reports("runs", options.path)
        for id_, began, argv, environment, counts, seconds, workers, status in report.runs()
    ]
    if options.json:
        print(json.dumps([asdict(run) for run in runs], indent=1))
        return
    for run in runs:
        counts = ", ".join(map(_counted, run.counts, run.counts.values())) or "no tests ran"
        workers = {0: "one process", 1: "1 worker"}.get(run.workers, f"{run.workers} workers")
        end = "cut" if run.exit is None else f"exit status {run.exit}"
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run.began))
        print(f"{when}  {run.seconds:8.2f} s  {run.id}  {shlex.join(run.command)}")
        print(f"  {counts}; {workers}, {run.environment}, {end}")
