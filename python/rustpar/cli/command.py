"""What the subcommands of ``rustpar`` have in common.

The hazard it handles: a command is run by hand and by CI. What it cannot do is one line and exit status 2, never a
traceback; and whoever reads its output may stop reading, or have an encoding that lacks some characters.
"""

from __future__ import annotations

import errno
import io
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
            # Whoever reads has seen enough.
            _drop_output()
        except (Failed, OSError, ValueError) as error:
            print(f"rustpar {name}: {error}", file=sys.stderr)
            _drop_output()
            return 2
        return 0

    return run_it


def _drop_output() -> None:
    """Drop what standard output does not take: the interpreter is not to find that out once more when it flushes."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def escape_output() -> None:
    """Have standard output escape what its encoding lacks, as pytest does."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def write(file: str, content: bytes) -> None:
    """Write a document to a file, or as lines to standard output where that is ``-``.

    Raises:
        Failed: When the file is a pipe that nobody reads.
        OSError: When it cannot be written.
    """
    if file == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(content if content.endswith(b"\n") else content + b"\n")
    elif Path(file).is_fifo():
        with _opened_pipe(file) as pipe:
            pipe.write(content)
    else:
        Path(file).write_bytes(content)


def _opened_pipe(file: str) -> io.BufferedWriter:
    """A pipe to write to, without waiting for somebody who reads."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise Failed(f"nobody reads from the pipe {file}") from None
        raise
    os.set_blocking(descriptor, True)
    return os.fdopen(descriptor, "wb")


def in_cache(relative: str, is_there: Callable[[Path], object] = Path.exists) -> Path | None:
    """A file or directory of pytest's cache, in this directory or one above it; None where there is none."""
    here = Path.cwd()
    places = [directory / ".pytest_cache/d/rustpar" / relative for directory in (here, *here.parents)]
    return next((place for place in places if is_there(place)), None)
