"""The command ``rustpar``: dispatches to its subcommands.

Subcommands that need pytest are Python modules; the others are implemented natively.
"""

from __future__ import annotations

import argparse
import importlib
import io
import sys
from typing import TYPE_CHECKING, Any

from rustpar import _core

if TYPE_CHECKING:
    from collections.abc import Sequence

# Only the requested module is imported: importing all would take as long as joining small data files.
_MODULES = {
    "coverage": "rustpar.cli.coverage",
    "doctor": "rustpar.cli.doctor",
    "schedule": "rustpar.cli.schedule",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status, 2 for an error."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    native = dict(_core.commands())
    if given and given[0] in native:
        return _core.run_command(given)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Escape characters that the encoding lacks, as pytest does.
        sys.stdout.reconfigure(errors="backslashreplace")
    parser = argparse.ArgumentParser(prog="rustpar", description="Tools around pytest-rustpar.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    known = given[:1] if given[:1] and given[0] in _MODULES else sorted(_MODULES | native)
    for name in known:
        if name in native:
            native_command = commands.add_parser(name, help=native[name], add_help=False)
            native_command.set_defaults(run=lambda options, rest: _core.run_command([options.command, *rest]))
        else:
            command: Any = importlib.import_module(_MODULES[name])
            command.add_to(commands)
    options, rest = parser.parse_known_args(given)
    status: int = options.run(options, rest)
    return status
