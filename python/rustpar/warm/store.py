"""The modules that a warm server has imported: hidden from its forks until they import them.

Right after its start a run has the modules that every run of pytest has. When it imports another one, it is given the
server's, with all that this one uses, if importing it anew would have the same result.

The hazard it handles: it might not. The project may have a module of the same name earlier on the path, or one that was
missing in the server; it may have set an environment variable that the module reads at its import, or have patched
something first. Then that module, and what uses it, is imported as usual.
"""

from __future__ import annotations

import atexit
import builtins
import locale
import logging
import os
import random
import sys
import time
import types
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING, Any

from rustpar import _core
from rustpar.compat.known_imports import DRAWS, REFRESHED, VARIABLES
from rustpar.warm import warning_filters
from rustpar.warm.imports import Imported, closure, variables_that_start_with, with_dependents
from rustpar.warm.place import native_variables

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import ModuleType

# What a patch replaces.
_CODE = (type, types.FunctionType, types.BuiltinFunctionType)

# Modules of which pytest itself replaces functions.
_CHANGING = frozenset({"sys", "threading", "warnings", "builtins", "__main__", "_warnings", "gc"})


class ModuleStore:
    """A finder of :data:`sys.meta_path` that returns modules which the server has imported, each of them once."""

    def __init__(self, imported: dict[str, Imported]) -> None:
        """Store these modules of :data:`sys.modules`, in the order of their imports."""
        self._imported = imported
        self._modules: dict[str, ModuleType] = {}
        self._specs: dict[str, Any] = {}
        self._loggers: dict[str, Any] = {}
        # Those of namespace packages, which have no file.
        self._directories: dict[str, list[str]] = {}
        # Modules that a run has got.
        self._given: dict[str, ModuleType] = {}
        # The functions and classes of the modules that stored ones use, as they were.
        self._bindings: dict[str, dict[str, Any]] = {}
        # What modules set at their imports is no other environment.
        self._own_variables = {name for about in imported.values() for name in about.sets}
        self._surroundings = self._look_around()
        self._directory = os.getcwd()
        self._path: list[str] = []
        # What the other finders find, for the present path.
        self._found: dict[str, Any] = {}
        self._closures: dict[str, list[str]] = {}
        self._import: Any = builtins.__import__
        # Called, before any test has run, with modules that can neither be given nor imported anew; does not return.
        self.give_up: Callable[[list[str]], object] = _do_nothing

    def __len__(self) -> int:
        return len(self._modules)

    def hide(self) -> None:
        """Take the modules out of :data:`sys.modules` and their packages, and their loggers; in the server."""
        used = {name for about in self._imported.values() for name in about.uses} | self._imported.keys()
        for name in used - _CHANGING:
            if name in sys.modules:
                self._bindings[name] = _bindings(sys.modules[name])
        for name in self._imported:
            module = sys.modules.pop(name, None)
            if module is None:
                continue
            self._modules[name] = module
            self._specs[name] = spec = getattr(module, "__spec__", None)
            if "." not in name and spec is not None and spec.origin is None:
                self._directories[name] = list(spec.submodule_search_locations or ())
        for name, module in self._modules.items():
            package, _, last = name.rpartition(".")
            holder = self._modules.get(package) or sys.modules.get(package)
            if holder is not None and vars(holder).get(last) is module and not self._belongs(name, package):
                delattr(holder, last)
        known = logging.root.manager.loggerDict
        for about in self._imported.values():
            for logger in about.loggers:
                self._loggers[logger] = known.pop(logger, None)
            for function, _, _ in about.exit_functions:
                atexit.unregister(function)

    def _belongs(self, name: str, package: str) -> bool:
        """Whether importing a package imports this module of it."""
        return package in self._imported and name in self._closure(package)

    def _closure(self, name: str) -> list[str]:
        if name not in self._closures:
            self._closures[name] = closure(name, self._imported)
        return self._closures[name]

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> ModuleSpec | None:
        """Return a specification that leads to a stored module, as any finder does; None for an import as usual.

        Only for an import: one who asks for the specification, or reloads a module, needs that of its file.
        """
        if name not in self._modules or target is not None or not _is_import(sys._getframe(1)):
            return None
        needed = self._closure(name)
        unsuitable = self._unsuitable(needed)
        if unsuitable:
            if not any(self._is_extension(one) for one in needed):
                self._forget(name)
                return None
            # Extension modules can be loaded once in a process, and the server has loaded them.
            if "PYTEST_CURRENT_TEST" not in os.environ:
                self.give_up(unsuitable)
        loader: Any = _Loader(self, needed)
        return ModuleSpec(name, loader, origin=getattr(self._specs[name], "origin", None))

    def _unsuitable(self, needed: list[str]) -> list[str]:
        """Return those of some modules whose import could have another result here."""
        if self._are_surroundings_changed():
            return [one for one in needed if self._is_extension(one)] or needed
        # What some of them set is there for others.
        coming = {name: value for one in needed for name, value in self._imported[one].sets.items()}
        return [one for one in needed if not self._may_be_used(one, coming)]

    def _is_extension(self, name: str) -> bool:
        file = getattr(self._modules.get(name), "__file__", None)
        return isinstance(file, str) and file.endswith(".so")

    def accept_patches(self) -> Callable[[], None]:
        """Take what is replaced now for what a run replaces by itself; before its conftests are loaded.

        Returns:
            A function that takes this back, if what was replaced is put back.
        """
        before = self._import, dict(self._bindings)
        self._import = builtins.__import__
        for name in self._bindings.keys() & sys.modules.keys():
            self._bindings[name] = _bindings(sys.modules[name])

        def undo() -> None:
            self._import, self._bindings = before

        return undo

    def _are_surroundings_changed(self) -> bool:
        """Whether something is different on which any import may depend."""
        return builtins.__import__ is not self._import or self._look_around() != self._surroundings

    def _look_around(self) -> tuple[object, ...]:
        variables = {
            name: value for name, value in native_variables(os.environ).items() if name not in self._own_variables
        }
        return variables, locale.setlocale(locale.LC_ALL), time.tzname

    def _may_be_used(self, name: str, coming: Mapping[str, str]) -> bool:
        if name in self._given:
            return sys.modules.get(name) is self._given[name]
        stored = self._modules.get(name)
        if stored is None or name in sys.modules:
            return False
        about = self._imported[name]
        # One that sets a variable unless it is set has read that it is not.
        if name not in REFRESHED and any(
            os.environ.get(one, None if one in about.sets else coming.get(one)) != value
            for one, value in about.reads.items()
        ):
            return False
        if name in VARIABLES and about.variables != variables_that_start_with(VARIABLES[name]):
            return False
        if DRAWS in about.faults and _core.was_seeded(random.getstate()[1]):
            return False
        if about.needs_directory and os.getcwd() != self._directory:
            return False
        known = logging.root.manager.loggerDict
        if any(isinstance(known.get(logger), logging.Logger) for logger in about.loggers):
            return False
        return (
            not any(self._is_patched(used) for used in about.uses)
            and not _is_rewritten(name)
            and self._leads_to(name)
            and not any(self._exists(missing) for missing in about.missing)
        )

    def _is_patched(self, name: str) -> bool:
        """Whether functions or classes of a loaded module have been replaced."""
        module = sys.modules.get(name)
        before = self._bindings.get(name)
        if module is None or before is None:
            return False
        now = vars(module)
        return any(now.get(attribute) is not value for attribute, value in before.items())

    def _leads_to(self, name: str) -> bool:
        """Whether the other finders would find the same file; a package brings its own modules."""
        own = self._specs[name]
        if "." in name or own is None or own.name != name:
            # Others have added it to the loaded modules.
            return True
        spec = self._found_by_others(name)
        if name in self._directories:
            return spec is not None and list(spec.submodule_search_locations or ()) == self._directories[name]
        return spec is not None and spec.origin == own.origin and type(spec.loader) is type(own.loader)

    def _exists(self, name: str) -> bool:
        # A module of a package either exists together with it or never.
        return "." not in name and (name in sys.modules or self._found_by_others(name) is not None)

    def _found_by_others(self, name: str) -> Any:
        if self._path != sys.path:
            self._path = list(sys.path)
            self._found.clear()
        if name not in self._found:
            self._found[name] = self._find(name)
        return self._found[name]

    def _find(self, name: str) -> Any:
        for finder in sys.meta_path:
            find: Any = getattr(finder, "find_spec", None)
            if finder is not self and find is not None:
                spec = find(name, None)
                if spec is not None:
                    return spec
        return None

    def _forget(self, name: str) -> None:
        """Import a module as usual, and all that use it: there must not be two of it."""
        for one in with_dependents({name: ""}, self._imported):
            self._modules.pop(one, None)

    def with_dependents(self, reasons: dict[str, str]) -> dict[str, str]:
        """Return modules and all that use them, with the reasons, as :func:`with_dependents`."""
        return with_dependents(reasons, self._imported)

    def restore(self, names: list[str]) -> None:
        """Put modules back, and repeat what their imports have done."""
        wanted = set(names)
        missing = [one for one in self._imported if one in wanted and one in self._modules]
        for name in missing:
            about = self._imported[name]
            module = self._given[name] = self._modules.pop(name)
            module.__spec__ = self._specs[name]
            sys.modules[name] = module
            os.environ.update(about.sets)
            for logger in about.loggers:
                self._restore_logger(logger)
            for function, arguments, settings in about.exit_functions:
                atexit.register(function, *arguments, **settings)
            if name in REFRESHED:
                REFRESHED[name](module)
            if about.filters:
                warning_filters.add(about.filters)
        for name in missing:
            package, _, last = name.rpartition(".")
            holder = sys.modules.get(package)
            if holder is not None and last not in vars(holder):
                setattr(holder, last, self._given[name])

    def _restore_logger(self, name: str) -> None:
        logger = self._loggers.get(name)
        manager: Any = logging.root.manager
        placed = manager.loggerDict.get(name)
        if logger is None or (placed is not None and not isinstance(logger, logging.Logger)):
            return
        manager.loggerDict[name] = logger
        if isinstance(logger, logging.Logger):
            # As `Manager.getLogger` does for a new one.
            if isinstance(placed, logging.PlaceHolder):
                manager._fixupChildren(placed, logger)
            manager._fixupParents(logger)

    def stored(self, name: str) -> ModuleType:
        """Return a stored module."""
        return self._modules[name]


class _Loader:
    """Loads a stored module."""

    def __init__(self, store: ModuleStore, needed: list[str]) -> None:
        self._store = store
        self._needed = needed

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module itself."""
        return self._store.stored(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Put back what it uses; it has been executed."""
        self._store.restore(self._needed)


def _do_nothing(_names: list[str]) -> None:
    pass


def _is_import(frame: Any) -> bool:
    """Whether a finder is called, in this frame, for an import."""
    names: list[str] = []
    while frame is not None and frame.f_code.co_filename.startswith("<frozen importlib") and len(names) < 2:
        names.append(frame.f_code.co_name)
        frame = frame.f_back
    return names == ["_find_spec", "_find_and_load_unlocked"]


def _is_rewritten(name: str) -> bool:
    """Whether pytest rewrites the assertions of a module, or of its package."""
    for finder in sys.meta_path:
        marked = getattr(finder, "_must_rewrite", None)
        if isinstance(marked, set) and any(name == one or name.startswith(f"{one}.") for one in marked):
            return True
    return False


def _bindings(module: ModuleType) -> dict[str, Any]:
    """Return the functions and classes of a module; lazy objects are not asked what they are."""
    return {name: value for name, value in list(vars(module).items()) if issubclass(type(value), _CODE)}
