"""The command ``rustpar merge``: the journals of several runs in one file.

Shards of a suite, a run and its re-run, the same suite on several versions of Python: what reads the file tells them as
one run, and environments apart.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rustpar import _core
from rustpar.cli.command import guarded, write

_HELP = "write the journals of several runs into one"


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("merge", help=_HELP, description=_HELP)
    parser.add_argument("journals", type=Path, nargs="+", metavar="JOURNAL", help="the files to read")
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="OUT",
        help="the file to write, - is standard output; a journal that is there is replaced, and may be one of those "
        "that are read",
    )
    parser.set_defaults(run=guarded("merge", _merge))


def _merge(options: argparse.Namespace) -> None:
    out = Path(options.output)
    if options.output == "-" or out.is_char_device() or out.is_fifo():
        write(options.output, _core.Report.joined(options.journals))
        return
    count = _core.Report.join(options.journals, out)
    runs = "1 run" if count == 1 else f"{count} runs"
    print(f"{out}: {runs}, {_core.Report([out]).totals()}")
