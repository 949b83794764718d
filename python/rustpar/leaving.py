"""Exit functions after a fork: each runs once, in the process that owes it."""

from __future__ import annotations

import atexit
import contextlib
import threading
import weakref

from rustpar import forking


def forget_exit_functions() -> None:
    """Leave what was registered so far to the process that this one was forked from."""
    atexit._clear()
    # Finalizers (of temporary directories, for one) run through a single exit function, which must register again.
    registry = weakref.finalize._registry  # type: ignore[attr-defined]
    for finalizer in list(registry):
        finalizer.atexit = False
    weakref.finalize._registered_with_atexit = False  # type: ignore[attr-defined]


def run_exit_functions() -> None:
    """Do what the interpreter does on its way out, short of tearing itself down."""
    with contextlib.suppress(Exception):
        threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    forking.flush()
