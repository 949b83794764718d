"""The command ``rustpar doctor``.

``rustpar doctor [pytest arguments]`` runs a suite in plain pytest, with a template and with early workers, and tells
which tests differ, and what ``--rustpar-start=auto`` makes of the suite.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = "doctor"
_HELP = "run a suite in plain pytest, with a template and with early workers, and compare"

# Differing tests that are listed; the rest is counted.
_MOST_LISTED = 50

_HOW = {"plain": "plain pytest", "template": "template", "early": "early"}


@dataclass
class Record:
    """What a run has shown.

    Attributes:
        outcomes: The outcome of each test, by node id.
        reasons: Why forks of its template would share what each worker needs alone.
    """

    outcomes: dict[str, str]
    reasons: list[str]


class Failed(Exception):
    """A run came to no end; the message says how."""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command; what it does not know goes to pytest."""
    commands.add_parser(NAME, help=_HELP, description=_HELP, add_help=False).set_defaults(run=_run_command)


def _run_command(options: argparse.Namespace, pytest_arguments: Sequence[str]) -> int:
    """Run the command; return its exit status: 0 when all is the same, 1 when tests differ, 2 when a run failed."""
    if {"-h", "--help"} & set(pytest_arguments):
        print(f"usage: rustpar {NAME} [pytest arguments]\n\n{_HELP}; -n sets the number of workers.")
        return 0
    try:
        return doctor(pytest_arguments)
    except Failed as error:
        print(f"rustpar doctor: {error}", file=sys.stderr)
        return 2


def doctor(arguments: Sequence[str]) -> int:
    """Run and compare; see the module."""
    rest, workers = _without_number(list(arguments))
    records = {
        "plain": _run("plain", [*rest, "-n0"]),
        "template": _run("template", [*rest, "-n", workers, "--rustpar-start=template"]),
        "early": _run("early", [*rest, "-n", workers, "--rustpar-start=early"]),
    }
    differing = _differing(records)
    print()
    for node_id in differing[:_MOST_LISTED]:
        found = ", ".join(f"{_HOW[how]}: {record.outcomes.get(node_id, 'not run')}" for how, record in records.items())
        print(f"{node_id}\n    {found}")
    if len(differing) > _MOST_LISTED:
        print(f"and {len(differing) - _MOST_LISTED} more")
    print(_conclusion(records, differing))
    reasons = records["template"].reasons
    print(f"--rustpar-start=auto decides for {'early' if reasons else 'template'} here" + (":" if reasons else "."))
    for reason in reasons:
        print(f"    {reason}")
    return 1 if differing else 0


def _without_number(arguments: list[str]) -> tuple[list[str], str]:
    """Split pytest's arguments into those without ``-n``, and its value; without one, a worker for each CPU."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-n", "--numprocesses")
    options, rest = parser.parse_known_args(arguments)
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return rest, options.numprocesses or str(max(2, cpus))


def _run(how: str, arguments: Sequence[str]) -> Record:
    """Run pytest once.

    Raises:
        Failed: When it did not come as far as to write its record.
    """
    with tempfile.TemporaryDirectory(prefix="rustpar-") as directory:
        file = Path(directory) / "record.json"
        command = [sys.executable, "-m", "pytest", "-p", "rustpar", "-p", "rustpar.recording", *arguments]
        environment = {**os.environ, "RUSTPAR_RECORD": str(file)}
        begin = time.monotonic()
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        took = time.monotonic() - begin
        if not file.exists():
            tail = done.stdout.decode(errors="replace").strip().splitlines()[-15:]
            raise Failed("\n".join([f"the run in {_HOW[how]} ended with status {done.returncode}:", *tail]))
        about = json.loads(file.read_text(encoding="utf-8"))
    record = Record(about["outcomes"], about["reasons"])
    counts: dict[str, int] = {}
    for outcome in record.outcomes.values():
        counts[outcome] = counts.get(outcome, 0) + 1
    found = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())) or "no tests"
    print(f"{_HOW[how]:12}  {found}  in {took:.1f} s", flush=True)
    return record


def _differing(records: dict[str, Record]) -> list[str]:
    node_ids = sorted({node_id for record in records.values() for node_id in record.outcomes})
    return [node_id for node_id in node_ids if len({record.outcomes.get(node_id) for record in records.values()}) > 1]


def _conclusion(records: dict[str, Record], differing: list[str]) -> str:
    if not differing:
        return f"All {len(records['plain'].outcomes)} tests have the same outcome in all three."
    plain, template, early = (records[how].outcomes for how in ("plain", "template", "early"))
    shared = [node_id for node_id in differing if template.get(node_id) != early.get(node_id)]
    if not shared:
        return (
            f"{len(differing)} tests differ, but not between template and early: not what workers share is the cause, "
            "but order, company, or that they look for a worker."
        )
    if all(early.get(node_id) == plain.get(node_id) for node_id in shared):
        return (
            f"{len(shared)} tests differ between template and early: what workers share is the cause. Until that is "
            "found, set rustpar_start = early in the configuration file."
        )
    return (
        f"{len(differing)} tests differ, {len(shared)} of them between template and early: some may be flaky; run it "
        "again before you look for a cause."
    )
