"""What the subcommands of ``rustpar`` have in common.

The hazard it handles: a command is run by hand and by CI. What it cannot do is one line and exit status 2, never a
traceback; and whoever reads its output may stop reading.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence


class Failed(Exception):
    """The command cannot do what it was asked for; the message says why."""


def guarded(name: str, run: Callable[[argparse.Namespace], None]) -> Callable[[argparse.Namespace, Sequence[str]], int]:
    """What `run` does as a command of this name: its exit status is 0, or 2 where it said why it could not."""

    def run_it(options: argparse.Namespace, rest: Sequence[str]) -> int:
        try:
            run(options)
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever reads has seen enough; the interpreter is not to find that out once more when it flushes.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except (Failed, OSError, ValueError) as error:
            print(f"rustpar {name}: {error}", file=sys.stderr)
            return 2
        return 0

    return run_it


def in_cache(relative: str, is_there: Callable[[Path], object] = Path.exists) -> Path | None:
    """A file or directory of pytest's cache, in this directory or one above it; None where there is none."""
    here = Path.cwd()
    places = [directory / ".pytest_cache/d/rustpar" / relative for directory in (here, *here.parents)]
    return next((place for place in places if is_there(place)), None)
