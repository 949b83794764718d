"""The command ``rustpar``: dispatches to its subcommands.

All but ``coverage``, which belongs to coverage.py, are implemented natively; of ``replay`` and ``bisect`` the half that
reads journals and decides.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

# Their arguments are parsed natively, and each has a function `run`.
_PREPARED = {
    "bisect": "rustpar.cli.bisect",
    "replay": "rustpar.cli.replay",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status, 2 for an error."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["run"]:
        # Before anything else is imported.
        from rustpar.cli import run

        return run.run(given[1:])
    if given[:1] == ["watch"]:
        from rustpar.cli import watch

        return watch.main(given[1:])
    from rustpar import _core

    native = dict(_core.commands())
    if given and given[0] in _PREPARED:
        prepared: Any = importlib.import_module(_PREPARED[given[0]])
        ended: int = prepared.run(given[1:])
        return ended
    if given and given[0] in native:
        return _core.run_command(given)
    # Not imported by native commands: it takes as long as joining small data files.
    import argparse
    import io

    from rustpar.cli import coverage, run, warm, watch

    if given[:1] == ["warm"]:
        return warm.main(given[1:])

    if isinstance(sys.stdout, io.TextIOWrapper):
        # Escape characters that the encoding lacks, as pytest does.
        sys.stdout.reconfigure(errors="backslashreplace")
    parser = argparse.ArgumentParser(prog="rustpar", description="Tools around pytest-rustpar.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    coverage.add_to(commands)
    for name, about in (("run", run.HELP), ("warm", warm.HELP), ("watch", watch.HELP)):
        commands.add_parser(name, help=about, add_help=False)
    for name in sorted(native):
        command = commands.add_parser(name, help=native[name], add_help=False)
        command.set_defaults(run=lambda options, rest: _core.run_command([options.command, *rest]))
    options, rest = parser.parse_known_args(given)
    status: int = options.run(options, rest)
    return status
