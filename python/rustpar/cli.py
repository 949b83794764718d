"""The command ``rustpar``: the entry to its subcommands, each of which is a module of its own."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from rustpar import coverage_command, doctor, history_command, schedule_command

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status: 2 when it could not do what it was asked for."""
    parser = argparse.ArgumentParser(prog="rustpar", description="Tools around pytest-rustpar.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    coverage_command.add_to(commands)
    doctor.add_to(commands)
    history_command.add_to(commands)
    schedule_command.add_to(commands)
    options, rest = parser.parse_known_args(arguments)
    if rest and options.command not in (coverage_command.NAME, doctor.NAME, schedule_command.NAME):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    status: int = options.run(options, rest)
    return status


if __name__ == "__main__":
    sys.exit(main())
