"""Which journals a command means.

The hazard it handles: one that is damaged, or that a later version has written, says nothing about the others.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rustpar import _core
from rustpar.cli.command import Failed, in_cache
from rustpar.recording.journal_file import journals_in

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator


def add_path(parser: argparse.ArgumentParser) -> None:
    """Add the option for where journals are."""
    parser.add_argument(
        "--path",
        type=Path,
        metavar="DIR",
        help="the directory of the journals (default: that of pytest's cache, in this directory or one above it)",
    )


def journals(path: Path | None) -> list[Path]:
    """The journals in a directory, or in pytest's cache; earlier ones first.

    Raises:
        Failed: When there are none.
    """
    if path is None:
        path = in_cache("runs", journals_in)
        if path is None:
            raise Failed("there is no journal in .pytest_cache here or above: run the tests first, or name a directory")
    found = journals_in(path)
    if not found:
        raise Failed(f"there is no journal in {path}")
    return found


def reports(command: str, path: Path | None) -> Iterator[tuple[Path, _core.Report]]:
    """The journals that :func:`journals` finds, and what they tell; of one that cannot be read, a line says why.

    Raises:
        Failed: When there are none, or none that can be read.
    """
    is_any_read = False
    for journal in journals(path):
        try:
            report = _core.Report([journal])
        except (OSError, ValueError) as error:
            print(f"rustpar {command}: {error}", file=sys.stderr)
        else:
            is_any_read = True
            yield journal, report
    if not is_any_read:
        raise Failed("there is no journal that can be read")
