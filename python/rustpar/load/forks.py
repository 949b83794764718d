"""Processes that a test forks: such a child must not go on as another copy of the load test."""

from __future__ import annotations

from rustpar.process.system import os


def exit_fork(process: int, error: BaseException | None = None) -> None:
    """Exit, if this is not `process`, with the status that the error has; else do nothing."""
    if os.getpid() == process:
        return
    code = getattr(error, "code", None) if isinstance(error, SystemExit) else error and 1
    os._exit(code if isinstance(code, int) else int(code is not None))
