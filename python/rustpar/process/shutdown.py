"""How a forked process leaves: as one that nobody has forked.

What was registered before the fork server was forked belongs to the controller. What was registered since then, while
configuring and collecting too, runs in each worker, as it does where each has collected for itself. The hazard it
handles: an exit function may remove what another worker's test still needs, so a worker waits for the end of the run.
"""

from __future__ import annotations

import atexit
import contextlib
import sys
import threading
import weakref
from types import BuiltinFunctionType, FunctionType, ModuleType, NoneType
from typing import TYPE_CHECKING, Any

from rustpar import _core
from rustpar.process import forking
from rustpar.process.system import os

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

# Types whose instances do nothing when they are let go of. What somebody hung on a function or a class stays.
_NOTHING_TO_DO = (FunctionType, BuiltinFunctionType, ModuleType, NoneType, bool, int, float, complex, str, bytes)


def forget_exit_functions() -> None:
    """Leave what was registered so far to the process this one was forked from, but for what every process does."""
    atexit._clear()
    # Finalizers (of temporary directories, for one) run through a single exit function, which must register again.
    registry = weakref.finalize._registry  # type: ignore[attr-defined]
    for finalizer in list(registry):
        finalizer.atexit = False
    weakref.finalize._registered_with_atexit = False  # type: ignore[attr-defined]
    # Registered when these modules are imported, which they are already. What comes first runs last.
    logging: Any = sys.modules.get("logging")
    if logging is not None:
        atexit.register(logging.shutdown)
    processes: Any = sys.modules.get("multiprocessing.process")
    if processes is not None:
        # Children of another process, which this one must not end.
        processes._children = set()
    util: Any = sys.modules.get("multiprocessing.util")
    if util is not None:
        atexit.register(util._exit_function)


def adopt_finalizers(parent: int) -> None:
    """Make those of ``multiprocessing`` this process's own that its parent has made: they remember who that was."""
    util: Any = sys.modules.get("multiprocessing.util")
    for finalizer in [] if util is None else list(util._finalizer_registry.values()):
        if finalizer._pid == parent:
            finalizer._pid = os.getpid()


class Inherited:
    """Exit functions that a worker has from the template it was forked from.

    One that leaves while others still run tests, because it holds too much memory, leaves them to the worker that takes
    its place: they may remove what is still needed.
    """

    def __init__(self, line: _core.Line) -> None:
        """Know those that are there now, after the fork; `line` tells how the worker leaves."""
        self._line = line
        self._finalizers = set(weakref.finalize._registry)  # type: ignore[attr-defined]
        # What is registered last is called first: behind this one lie those that are inherited.
        atexit.register(self._end_early)

    def _end_early(self) -> None:
        if not self._line.must_exit_early():
            return
        for finalizer in self._finalizers:
            finalizer.atexit = False
        weakref.finalize._exitfunc()  # type: ignore[attr-defined]
        for module, name in (("multiprocessing.util", "_exit_function"), ("logging", "shutdown")):
            if module in sys.modules:
                getattr(sys.modules[module], name)()
        forking.flush()
        _core.exit_process(0)


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
        _core.clear_namespace(vars(module), _NOTHING_TO_DO)
