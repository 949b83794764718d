"""Exit functions of what one process sets up for its forks: they run in that process only."""

from __future__ import annotations

import atexit
import contextlib
import sys
import weakref
from typing import TYPE_CHECKING, Any

from rustpar.process.system import os

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class OwnedExitFunctions:
    """Exit functions that were registered during :meth:`collect`."""

    def __init__(self) -> None:
        """Start without any."""
        self._owner = os.getpid()
        self._functions: list[tuple[Callable[..., object], tuple[Any, ...], dict[str, Any]]] = []
        self._finalizers: list[Any] = []
        self._children: set[Any] = set()
        self._process_finalizers: set[Any] = set()

    @contextlib.contextmanager
    def collect(self) -> Iterator[None]:
        """Take over the exit functions that are registered meanwhile, and the children of ``multiprocessing``."""
        original = atexit.register
        finalizers = set(_finalizers())
        children = set(_children())
        process_finalizers = set(_process_finalizers())

        def register(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Callable[..., Any]:
            # One for all finalizers and those of the libraries that every process needs stay where they are.
            if getattr(function, "__module__", None) in ("weakref", "multiprocessing.util", "logging"):
                return original(function, *args, **kwargs)
            self._functions.append((function, args, kwargs))
            return function

        atexit.register = register
        try:
            yield
        finally:
            atexit.register = original
            self._finalizers += [finalizer for finalizer in _finalizers() if finalizer not in finalizers]
            self._children |= set(_children()) - children
            self._process_finalizers |= set(_process_finalizers()) - process_finalizers

    def leave_to_owner(self) -> None:
        """In a fork: never run these functions."""
        self._functions.clear()
        for finalizer in self._finalizers:
            finalizer.atexit = False
        _children().difference_update(self._children)
        for key in self._process_finalizers:
            _process_finalizers().pop(key, None)

    def run(self) -> None:
        """In the owner: run these functions, the last one first, and the finalizers; an error does not stop them."""
        if os.getpid() != self._owner:
            return
        while self._functions:
            function, args, kwargs = self._functions.pop()
            with contextlib.suppress(Exception):
                function(*args, **kwargs)
        for finalizer in reversed(self._finalizers):
            with contextlib.suppress(Exception):
                finalizer()
        self._finalizers.clear()
        for key in self._process_finalizers:
            finalize = _process_finalizers().pop(key, None)
            with contextlib.suppress(Exception):
                if finalize is not None:
                    finalize()
        self._end_children()

    def _end_children(self) -> None:
        """Terminate daemons, and wait for other children, as `multiprocessing` does at exit."""
        for child in self._children & _children():
            with contextlib.suppress(Exception):
                if child.daemon:
                    child.terminate()
                child.join()


def _finalizers() -> list[Any]:
    """Return the finalizers that run at exit, in the order of their creation."""
    registry: Any = weakref.finalize._registry  # type: ignore[attr-defined]
    alive = [(info.index, finalizer) for finalizer, info in list(registry.items()) if info.atexit]
    return [finalizer for _, finalizer in sorted(alive, key=lambda pair: pair[0])]


def _children() -> set[Any]:
    """Return the child processes that ``multiprocessing`` terminates or joins at exit."""
    processes: Any = sys.modules.get("multiprocessing.process")
    children: set[Any] = set() if processes is None else processes._children
    return children


def _process_finalizers() -> dict[Any, Any]:
    """Return the finalizers that ``multiprocessing`` runs at exit, by their keys."""
    util: Any = sys.modules.get("multiprocessing.util")
    finalizers: dict[Any, Any] = {} if util is None else util._finalizer_registry
    return finalizers
