"""Exit of forked processes, with the same effects as if they had not been forked.

What was registered before the fork server was forked belongs to the controller. Exit functions registered later, even
while configuring and collecting, run in each worker, as if each had collected itself.

The hazard it handles: an exit function may remove what another worker's test still needs, so workers wait for the end
of the run.
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

# Types whose instances have no finalization. Attributes of functions and classes are not cleared.
_NO_FINALIZATION = (FunctionType, BuiltinFunctionType, ModuleType, NoneType, bool, int, float, complex, str, bytes)


def forget_exit_functions() -> None:
    """Leave registered exit functions to the parent, except those that every process needs."""
    atexit._clear()
    # All finalizers (of temporary directories, for one) run through one exit function, which must be registered again.
    registry = weakref.finalize._registry  # type: ignore[attr-defined]
    for finalizer in list(registry):
        finalizer.atexit = False
    weakref.finalize._registered_with_atexit = False  # type: ignore[attr-defined]
    # Their modules register them at import. What is registered first runs last.
    logging: Any = sys.modules.get("logging")
    if logging is not None:
        atexit.register(logging.shutdown)
    processes: Any = sys.modules.get("multiprocessing.process")
    if processes is not None:
        # Another process's children, which this one must not terminate.
        processes._children = set()
    util: Any = sys.modules.get("multiprocessing.util")
    if util is not None:
        atexit.register(util._exit_function)


def adopt_finalizers(parent: int) -> None:
    """Take over ``multiprocessing``'s finalizers of the parent, which store its process id."""
    util: Any = sys.modules.get("multiprocessing.util")
    for finalizer in [] if util is None else list(util._finalizer_registry.values()):
        if finalizer._pid == parent:
            finalizer._pid = os.getpid()


class InheritedExitFunctions:
    """The exit functions that a worker has inherited from the template.

    A worker that exits while others still run tests, because it exceeds the memory limit, does not run them: they may
    remove what is still needed. Its replacement will.
    """

    def __init__(self, line: _core.Line) -> None:
        """Record the finalizers that exist after the fork; `line` tells whether the worker exits early."""
        self._line = line
        self._finalizers = set(weakref.finalize._registry)  # type: ignore[attr-defined]
        # Exit functions run in reverse order: those registered before this one are the inherited ones.
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
    """Run the interpreter's exit functions without finalizing the interpreter."""
    with contextlib.suppress(Exception):
        threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    forking.flush()


def clear_modules(loaded_before: Collection[str], is_own: Callable[[str], bool]) -> None:
    """Clear the globals of the project's own modules, as the interpreter does at exit.

    This finalizes objects such as temporary files that delete themselves. If there are other threads, which may still
    use a module, nothing is cleared.

    Args:
        loaded_before: Names of the modules that the process inherited at its fork.
        is_own: Whether a file is the project's own code.
    """
    if threading.active_count() > 1:
        return
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name in loaded_before or not isinstance(file, str) or not is_own(file):
            continue
        _core.clear_namespace(vars(module), _NO_FINALIZATION)
