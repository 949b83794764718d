"""The command ``rustpar merge``: the journals of several runs in one file.

Shards of a suite, a run and its re-run, the same suite on several versions of Python: what reads the file tells them as
one run, and environments apart.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rustpar import _core
from rustpar.command import guarded

_HELP = "write the journals of several runs into one"


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("merge", help=_HELP, description=_HELP)
    parser.add_argument("journals", type=Path, nargs="+", metavar="JOURNAL", help="the files to read")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="OUT",
        help="the file to write; a journal that is there is replaced, and may be one of those that are read",
    )
    parser.set_defaults(run=guarded("merge", _merge))


def _merge(options: argparse.Namespace) -> None:
    count = _core.Report.join(options.journals, options.output)
    runs = "1 run" if count == 1 else f"{count} runs"
    print(f"{options.output}: {runs}, {_core.Report([options.output]).totals()}")
