"""The command ``rustpar coverage combine``: ``coverage combine`` with natively joined data files."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from rustpar.coverage.combining import NativeJoining

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = "coverage"


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser of ``rustpar``."""
    command = commands.add_parser(
        NAME,
        help="join coverage.py's data files, in a fraction of the time",
        usage="rustpar coverage combine [coverage's own options] [file or directory ...]",
        description="Join data files as `coverage combine` does, with its options, its messages and its exit status: "
        "--append, --keep, --data-file, --rcfile, --quiet. Unsupported files are left to coverage.py.",
        # coverage.py prints its own help.
        add_help=False,
    )
    command.add_argument("action", choices=["combine"])
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace, rest: Sequence[str]) -> int:
    try:
        from coverage import cmdline
    except ImportError:
        print("rustpar: coverage is not installed; pip install coverage", file=sys.stderr)
        return 2
    with NativeJoining():
        return cmdline.main([options.action, *rest]) or 0
