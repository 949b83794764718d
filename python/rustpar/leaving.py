"""Exit functions after a fork: each runs once, in the process that owes it."""

from __future__ import annotations

import atexit
import contextlib
import sys
import threading
import weakref
from types import BuiltinFunctionType, FunctionType, ModuleType, NoneType
from typing import TYPE_CHECKING

from rustpar import _core, forking

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

# Types whose instances do nothing when they are let go of. What somebody hung on a function or a class stays.
_NOTHING_TO_DO = (FunctionType, BuiltinFunctionType, ModuleType, NoneType, bool, int, float, complex, str, bytes)


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


def clear_modules(loaded_before: Collection[str], is_own: Callable[[str], bool]) -> None:
    """Let go of what the project's own modules hold, as the interpreter does on its way out.

    A temporary file that removes itself when it is no longer used does so then. With another thread still there, which
    may use a module at any moment, everything stays.

    Args:
        loaded_before: Names of the modules that belong to the process that this one was forked from.
        is_own: Whether a file is the project's own code.
    """
    if threading.active_count() > 1:
        return
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name in loaded_before or not isinstance(file, str) or not is_own(file):
            continue
        _core.let_go(vars(module), _NOTHING_TO_DO)
