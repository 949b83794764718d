"""What ``rustpar watch`` passes to a run, in a file that an environment variable names; and what the run passes back.

This module is imported by the thin client of a warm server, so it imports little.
"""

from __future__ import annotations

import contextlib
import marshal
import os
from typing import Any, NamedTuple

# Names the directory with both files. The run removes it from its environment: tests may run pytest, too.
VARIABLE = "RUSTPAR_WATCH"


class Plan(NamedTuple):
    """What a run has to do.

    Attributes:
        parent: The process id of ``rustpar watch``.
        mode: ``all``, ``affected`` or ``failed``.
        failed: The node ids of what has failed.
        filter: An expression of ``-k``, besides that of the arguments.
        state: The files of the project and what has changed for this run, as in ``changed.git.State``.
        changes: What has changed since the last run has started: paths, relative to ``state.top``, and ``A``, ``D`` or
            ``M``.
    """

    parent: int
    mode: str
    failed: list[str]
    filter: str | None
    state: tuple[str, bytes, bytes, bytes, bytes]
    changes: list[tuple[str, str]]

    def write(self, directory: str) -> None:
        """Write it to a directory, and delete the report of an earlier run."""
        # Both sides are the same interpreter.
        with open(os.path.join(directory, "plan"), "wb") as file:
            marshal.dump((*self[:-2], tuple(self.state), self.changes), file)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(report_file(directory))


def read(directory: str) -> Plan:
    """Read the plan in a directory."""
    with open(os.path.join(directory, "plan"), "rb") as file:
        content: Any = marshal.load(file)
    return Plan(*content)


def report_file(directory: str) -> str:
    """Return the file for the report of the run."""
    return os.path.join(directory, "report.json")


def checkpoint_socket(directory: str) -> str:
    """Return the path of the socket at which a checkpoint listens (:mod:`rustpar.watch.checkpoint`)."""
    return os.path.join(directory, "checkpoint.socket")


def die_with_watch() -> None:
    """Have this process, which ``rustpar watch`` has started, killed when that is killed."""
    from rustpar import _core

    die: Any = getattr(_core, "die_with_parent", None)
    if die is not None and not die(read(os.environ[VARIABLE]).parent):
        os._exit(1)
