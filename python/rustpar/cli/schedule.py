"""The command ``rustpar schedule``.

``rustpar schedule [pytest arguments]`` collects without running tests, and prints how many tests each worker would run,
when the run would end, and which tests limit its duration.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = "schedule"
_HELP = "show how a suite would be divided among workers, and what limits its speed"

# How many lines of pytest's output are shown if it has no ERRORS section.
_MOST_LINES = 15


class Failed(Exception):
    """The schedule cannot be computed; the message says why."""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command; unknown arguments are passed to pytest."""
    commands.add_parser(NAME, help=_HELP, description=_HELP, add_help=False).set_defaults(run=_run_command)


def _run_command(options: argparse.Namespace, pytest_arguments: Sequence[str]) -> int:
    """Run the command; return its exit status: 2 if there is no schedule."""
    if {"-h", "--help"} & set(pytest_arguments):
        print(
            f"usage: rustpar {NAME} [pytest arguments]\n\n{_HELP}; no test is run. -n, --dist and all other options "
            "mean the same as for pytest; without -n there is one worker per CPU."
        )
        return 0
    try:
        print("\n".join(plan(pytest_arguments)))
    except Failed as error:
        print(f"rustpar {NAME}: {error}", file=sys.stderr)
        return 2
    return 0


def plan(arguments: Sequence[str]) -> list[str]:
    """Return the lines that describe the schedule.

    Raises:
        Failed: There is no schedule.
    """
    if sys.platform != "linux":
        raise Failed(
            "only available on Linux: elsewhere pytest-xdist schedules tests, in an order not known in advance"
        )
    found = _collect(arguments)
    if "problem" in found:
        raise Failed(str(found["problem"]))
    lines: list[str] = found["lines"]
    return lines


def _collect(arguments: Sequence[str]) -> dict[str, Any]:
    """Run pytest with ``rustpar.cli.collection_recorder`` and return what that has written.

    Raises:
        Failed: pytest could not collect; the message includes its output.
    """
    with tempfile.TemporaryDirectory(prefix="rustpar-") as directory:
        file = Path(directory) / "rehearsal.json"
        command = [sys.executable, "-m", "pytest", "-p", "rustpar", "-p", "rustpar.cli.collection_recorder"]
        environment = {**os.environ, "RUSTPAR_REHEARSAL": str(file)}
        done = subprocess.run(
            [*command, *arguments, "--collect-only", "-qq"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        # Exit status 5: no tests were collected.
        if done.returncode not in (0, 5) or not file.exists():
            words = _errors(done.stdout.decode(errors="replace"))
            raise Failed("\n".join([f"pytest could not collect the tests (exit status {done.returncode}):", *words]))
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _errors(output: str) -> list[str]:
    """Return the ERRORS section of pytest's output, without the list of tests before it."""
    lines = output.strip().splitlines()
    for number, line in enumerate(lines):
        if line.startswith("=") and line.strip("= ") == "ERRORS":
            return lines[number:]
    return lines[-_MOST_LINES:]
