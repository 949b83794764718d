"""The modules that a warm server has imported: hidden from its forks until they import them.

Right after its start a run has the modules that every run of pytest has. When it imports another one, it is given the
server's, with all that this one uses, if importing it anew would have the same result.

The hazard it handles: it might not. The project may have a module of the same name earlier on the path, or one that was
missing in the server; it may have set an environment variable that the module reads at its import, or have patched
something first. Then that module, and what uses it, is imported as usual.
"""

from __future__ import annotations

import os
import sys
import warnings
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING, Any

from rustpar.warm.imports import Imported, closure, with_dependents
from rustpar.warm.place import native_variables
from rustpar.warm.process_state import replace_warning_filters

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType

# After these have patched the standard library, modules must see what is patched.
_PATCHERS = ("gevent.monkey", "eventlet.patcher")

_SUFFIXES = (".so", ".pyd")


def _refresh_wsgiref(module: Any) -> None:
    module.BaseHandler.os_environ = module.read_environ()


# Modules of the standard library that read the whole environment, and what does it again.
REFRESHED: dict[str, Callable[[Any], None]] = {"wsgiref.handlers": _refresh_wsgiref}


class ModuleStore:
    """A finder of :data:`sys.meta_path` that returns modules which the server has imported."""

    def __init__(self, imported: dict[str, Imported]) -> None:
        """Store these modules of :data:`sys.modules`, in the order of their imports."""
        self._imported = imported
        self._modules: dict[str, ModuleType] = {}
        self._specs: dict[str, Any] = {}
        self._variables: dict[str, str] = {}
        self._path: list[str] = []
        # What the other finders find, for the present path.
        self._found: dict[str, Any] = {}
        self._closures: dict[str, list[str]] = {}

    def __len__(self) -> int:
        return len(self._modules)

    def hide(self) -> None:
        """Take the modules out of :data:`sys.modules` and their packages; in the server."""
        self._variables = native_variables(os.environ)
        for name in self._imported:
            module = sys.modules.pop(name, None)
            if module is None:
                continue
            self._modules[name] = module
            self._specs[name] = getattr(module, "__spec__", None)
        for name, module in self._modules.items():
            package, _, last = name.rpartition(".")
            holder = self._modules.get(package) or sys.modules.get(package)
            if holder is not None and vars(holder).get(last) is module and not self._belongs(name, package):
                delattr(holder, last)

    def _belongs(self, name: str, package: str) -> bool:
        """Whether importing a package imports this module of it."""
        return package in self._imported and name in self._closure(package)

    def _closure(self, name: str) -> list[str]:
        if name not in self._closures:
            self._closures[name] = closure(name, self._imported)
        return self._closures[name]

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> ModuleSpec | None:
        """Return a specification that leads to a stored module, as any finder does; None for an import as usual."""
        if name not in self._modules:
            return None
        needed = self._closure(name)
        if not all(self._may_be_used(one) for one in needed):
            self._forget(name)
            return None
        loader: Any = _Loader(self, needed)
        return ModuleSpec(name, loader, origin=getattr(self._specs[name], "origin", None))

    def _may_be_used(self, name: str) -> bool:
        stored = self._modules.get(name)
        if stored is None:
            return False
        about = self._imported[name]
        if name in sys.modules:
            return sys.modules[name] is stored
        if any(patcher in sys.modules for patcher in _PATCHERS):
            return False
        if name not in REFRESHED and any(os.environ.get(one) != value for one, value in about.reads.items()):
            return False
        file = getattr(stored, "__file__", None)
        if isinstance(file, str) and file.endswith(_SUFFIXES) and native_variables(os.environ) != self._variables:
            return False
        return self._leads_to(name) and not any(self._exists(missing) for missing in about.missing)

    def _leads_to(self, name: str) -> bool:
        """Whether the other finders would find the same file; a package brings its own modules."""
        own = self._specs[name]
        if "." in name or own is None or own.name != name:
            # Others have added it to the loaded modules.
            return True
        spec = self._found_by_others(name)
        return spec is not None and spec.origin == own.origin

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
            if one not in sys.modules:
                self._modules.pop(one, None)

    def restore(self, names: list[str], executed: str) -> None:
        """Put modules back, and repeat what their imports have done; `executed` is there already."""
        wanted = set(names)
        missing = [one for one in self._imported if one in wanted and (one == executed or one not in sys.modules)]
        for name in missing:
            about = self._imported[name]
            sys.modules[name] = self._modules[name]
            os.environ.update(about.sets)
            if name in REFRESHED:
                REFRESHED[name](self._modules[name])
            if about.filters:
                others = [one for one in warnings.filters if one not in about.filters]
                replace_warning_filters([*about.filters, *others])
        for name in missing:
            package, _, last = name.rpartition(".")
            holder = sys.modules.get(package)
            if holder is not None and last not in vars(holder):
                setattr(holder, last, self._modules[name])

    def module(self, name: str) -> ModuleType:
        """Return a stored module with its own specification, which the import system has replaced."""
        module = self._modules[name]
        module.__spec__ = self._specs[name]
        return module


class _Loader:
    """Loads a stored module."""

    def __init__(self, store: ModuleStore, needed: list[str]) -> None:
        self._store = store
        self._needed = needed

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module itself."""
        return self._store.module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Put back what it uses; it has been executed."""
        name = self._needed[0]
        self._store.module(name)
        self._store.restore(self._needed, name)
