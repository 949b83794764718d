"""Which journals a command means."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rustpar.command import Failed, in_cache
from rustpar.journalfile import journals_in

if TYPE_CHECKING:
    import argparse


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
