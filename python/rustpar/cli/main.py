"""The command ``rustpar``: the entry to its subcommands, each of which is a module of its own."""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import TYPE_CHECKING, Any

from rustpar.cli.command import escape_output

if TYPE_CHECKING:
    from collections.abc import Sequence

# Only the one that is asked for is imported: joining small data files takes no longer than that.
_MODULES = {
    "coverage": "rustpar.cli.coverage",
    "doctor": "rustpar.cli.doctor",
    "history": "rustpar.cli.history",
    "merge": "rustpar.cli.merge",
    "report": "rustpar.cli.report",
    "runs": "rustpar.cli.runs",
    "schedule": "rustpar.cli.schedule",
}
# Those that hand on the arguments that they do not know.
_HANDING_ON = ("coverage", "doctor", "schedule")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status: 2 when it could not do what it was asked for."""
    escape_output()
    parser = argparse.ArgumentParser(prog="rustpar", description="Tools around pytest-rustpar.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    given = sys.argv[1:] if arguments is None else arguments
    for name in given[:1] if given[:1] and given[0] in _MODULES else _MODULES:
        command: Any = importlib.import_module(_MODULES[name])
        command.add_to(commands)
    options, rest = parser.parse_known_args(given)
    if rest and options.command not in _HANDING_ON:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    status: int = options.run(options, rest)
    return status
