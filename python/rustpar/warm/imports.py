"""Recording of imports in a warm server: what each module imports, reads and changes while it is imported.

A fork may only be given a module if importing it there would have the same result. So it is recorded which other
modules it uses, which are missing, which environment variables it reads, which warning filters it adds; and modules
whose import does anything else to the process (a thread, an open file, a changed hook, a warning, output) are found.

The hazard it handles: modules import one another, so what happens belongs to the innermost module that is being
executed. And no code of the project may run in the server.
"""

from __future__ import annotations

import builtins
import functools
import importlib
import importlib._bootstrap
import importlib.util
import os
import sys
import sysconfig
import warnings
from typing import TYPE_CHECKING, Any

from rustpar.warm.process_state import ProcessState, replace_warning_filters

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType, TracebackType

# The part of the import system that is written in Python.
_bootstrap: Any = importlib._bootstrap


class Imported:
    """What was recorded of a module.

    Attributes:
        name: Its name.
        uses: The modules that it has imported.
        missing: Names that it has tried to import.
        reads: The environment variables that it has read, with their values; None for one that did not exist.
        filters: The warning filters that it has added, the first one first.
        sets: The environment variables that it has set.
        faults: What else it has done to the process.
    """

    def __init__(self, name: str) -> None:
        """Record nothing yet."""
        self.name = name
        self.uses: set[str] = set()
        self.missing: set[str] = set()
        self.reads: dict[str, str | None] = {}
        self.filters: list[Any] = []
        self.sets: dict[str, str] = {}
        self.faults: list[str] = []


def library_directories() -> tuple[str, ...]:
    """Return the directories of the standard library and of installed packages, each with a final slash."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    found = {os.path.realpath(sysconfig.get_paths()[name]) for name in names}
    # A virtual environment's standard library is that of its interpreter.
    found |= {os.path.realpath(os.path.dirname(os.__file__))}
    site: Any = sys.modules.get("site")
    if site is not None and site.ENABLE_USER_SITE:
        found.add(os.path.realpath(site.getusersitepackages()))
    return tuple(sorted(f"{directory}{os.sep}" for directory in found))


def is_library(file: str | None, directories: tuple[str, ...]) -> bool:
    """Whether a module's file belongs to the standard library or an installed package; also if it has none."""
    return (
        file is None or file in ("built-in", "frozen") or _real_directory(os.path.dirname(file)).startswith(directories)
    )


@functools.cache
def _real_directory(directory: str) -> str:
    return os.path.join(os.path.realpath(directory), "")


class ImportRecorder:
    """Records imports while it is entered.

    Attributes:
        modules: What was recorded, by name, in the order of the imports.
        failed: The faults of modules that could not be imported, by name.
    """

    def __init__(self, output: int) -> None:
        """Create a recorder; standard output and error go to the file with the descriptor `output`."""
        self.modules: dict[str, Imported] = {}
        self.failed: dict[str, list[str]] = {}
        self._running: list[Imported] = []
        self._is_looking = False
        self._libraries = library_directories()
        self._state = ProcessState(output)
        self._load: Callable[[Any], ModuleType] = _bootstrap._load_unlocked
        self._import: Callable[..., ModuleType] = builtins.__import__
        self._environ: Any = type(os.environ)
        self._read = self._environ.__getitem__
        self._list = self._environ.__iter__
        self._show: Any = warnings.showwarning

    def __enter__(self) -> ImportRecorder:
        warnings.simplefilter("always")
        warnings.showwarning = self._warned
        self._state.update()
        _bootstrap._load_unlocked = self._loading
        builtins.__import__ = self._importing
        self._environ.__getitem__ = lambda environ, name: self._reading(environ, name)
        self._environ.__iter__ = lambda environ: self._listing(environ)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._environ.__getitem__ = self._read
        self._environ.__iter__ = self._list
        builtins.__import__ = self._import
        _bootstrap._load_unlocked = self._load
        warnings.showwarning = self._show
        # That of `simplefilter`, wherever it is by now.
        replace_warning_filters(self._state.own_filters())

    def _loading(self, spec: Any) -> ModuleType:
        if not is_library(spec.origin if spec.has_location else None, self._libraries):
            raise ModuleNotFoundError(f"No module named {spec.name!r}", name=spec.name)
        if self._is_looking:
            # What this class itself needs.
            return self._load(spec)
        self._attribute()
        module = Imported(spec.name)
        if self._running:
            self._running[-1].uses.add(spec.name)
        known = set(sys.modules)
        self._running.append(module)
        try:
            loaded = self._load(spec)
        except ImportError:
            # Something optional for the module that imports it, which is missing in every process.
            (self._running[-2].missing if len(self._running) > 1 else module.missing).add(spec.name)
            raise
        except BaseException as error:
            blamed = self._running[-2] if len(self._running) > 1 else module
            blamed.faults.append(f"cannot import {spec.name}: {type(error).__name__}: {error}".partition("\n")[0])
            raise
        finally:
            self._attribute()
            self._running.pop()
            if spec.name in sys.modules:
                self.modules[spec.name] = module
            elif module.faults:
                self.failed[spec.name] = module.faults
            for name in sys.modules.keys() - known - self.modules.keys():
                # It has added another module by itself.
                self.modules[name] = alias = Imported(name)
                alias.uses.add(spec.name)
                module.uses.add(name)
        return loaded

    def _importing(
        self, name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
    ) -> ModuleType:
        running = self._running[-1] if self._running else None
        try:
            module = self._import(name, globals, locals, fromlist, level)
        except ModuleNotFoundError as error:
            if running is not None and error.name is not None:
                running.missing.add(error.name)
            raise
        if running is not None:
            if level:
                package = (globals or {}).get("__package__") or (globals or {}).get("__name__", "").rpartition(".")[0]
                name = importlib.util.resolve_name("." * level + name, package)
            running.uses.add(name)
            running.uses.update(part for item in fromlist or () if (part := f"{name}.{item}") in sys.modules)
        return module

    def _reading(self, environ: Any, name: Any) -> Any:
        value = None
        try:
            value = self._read(environ, name)
        finally:
            if self._running and isinstance(name, str):
                self._running[-1].reads.setdefault(name, value)
        return value

    def _listing(self, environ: Any) -> Any:
        if self._running:
            self._running[-1].faults.append("reads the whole environment")
        return self._list(environ)

    def _warned(self, message: Any, category: Any, *_about: Any, **_more: Any) -> None:
        if self._running:
            self._running[-1].faults.append(f"warns: {category.__name__}: {message}".partition("\n")[0])

    def _attribute(self) -> None:
        """Attribute what has changed since the last call to the module that is running."""
        self._is_looking = True
        change = self._state.update()
        self._is_looking = False
        if change is None or not self._running:
            return
        running = self._running[-1]
        running.filters[:0] = change.filters
        running.sets |= change.sets
        running.faults += change.faults


def closure(name: str, modules: dict[str, Imported]) -> list[str]:
    """Return the recorded modules that a module uses, directly or not, with their packages, and itself."""
    found: dict[str, None] = {}
    left = [name]
    while left:
        one = left.pop()
        if one in found:
            continue
        found[one] = None
        if one in modules:
            left += modules[one].uses
        left += _package_of(one)
    return [one for one in found if one in modules]


def _package_of(name: str) -> list[str]:
    package = name.rpartition(".")[0]
    return [package] if package else []


def with_dependents(faulty: dict[str, str], modules: dict[str, Imported]) -> dict[str, str]:
    """Return faulty modules and all that use one of them, with the reasons.

    Args:
        faulty: The reasons, by name.
        modules: All recorded modules.
    """
    users: dict[str, set[str]] = {}
    for module in modules.values():
        for used in module.uses.union(_package_of(module.name)):
            users.setdefault(used, set()).add(module.name)
    found, left = dict(faulty), list(faulty)
    while left:
        used = left.pop()
        for name in users.get(used, ()):
            if name not in found:
                found[name] = f"uses {used}"
                left.append(name)
    return found
