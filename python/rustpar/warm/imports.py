"""Recording of imports in a warm server: what each module imports, reads and changes while it is imported.

A fork may only be given a module if importing it there would have the same result. So it is recorded which other
modules it uses, which are missing, which environment variables it reads, which warning filters it adds; and modules
whose import does anything else to the process (a thread, an open file, a changed hook, a warning, output) are found.

The hazard it handles: modules import one another, so what happens belongs to the innermost module that is being
executed. And no code of the project may run in the server.
"""

from __future__ import annotations

import atexit
import builtins
import functools
import importlib
import importlib._bootstrap
import importlib.util
import io
import os
import sys
import sysconfig
import time
import types
from typing import TYPE_CHECKING, Any

from rustpar.compat import known_imports
from rustpar.warm.process_state import ProcessState
from rustpar.warm.warning_filters import Filter, FilterRecorder

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType, TracebackType

# What returns something else in each process.
_UNIQUE: tuple[tuple[Any, str], ...] = (
    (os, "urandom"),
    (os, "getpid"),
    (time, "time"),
    (time, "time_ns"),
)

# Of modules of the standard library.
_HARMLESS = ("changes random numbers",)

# The part of the import system that is written in Python.
_bootstrap: Any = importlib._bootstrap


class Imported:
    """What was recorded of a module.

    Attributes:
        name: Its name.
        uses: The modules that it has imported.
        missing: Names that it has tried to import.
        reads: The environment variables that it has read, with their values; None for one that did not exist.
        filters: The warning filters that it has added.
        sets: The environment variables that it has set.
        variables: Those whose names start as :data:`.known_imports.VARIABLES` says, if it has gone through all.
        loggers: The names of loggers that it has created.
        exit_functions: What it has registered with :mod:`atexit`, and the arguments.
        files: Files that it has tried to open.
        needs_directory: Whether it has asked for the current directory, or opened a relative path.
        faults: What else it has done to the process.
    """

    def __init__(self, name: str) -> None:
        """Record nothing yet."""
        self.name = name
        self.uses: set[str] = set()
        self.missing: set[str] = set()
        self.reads: dict[str, str | None] = {}
        self.filters: list[Filter] = []
        self.sets: dict[str, str] = {}
        self.variables: dict[str, str] | None = None
        self.loggers: list[str] = []
        self.exit_functions: list[tuple[Any, tuple[Any, ...], dict[str, Any]]] = []
        self.files: set[str] = set()
        self.needs_directory = False
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
        self._import_dynamically: Callable[..., ModuleType] = _bootstrap._gcd_import
        self._find: Callable[..., Any] = importlib.util.find_spec
        self._environ: Any = type(os.environ)
        self._read = self._environ.__getitem__
        self._list = self._environ.__iter__
        self._filters: FilterRecorder
        self._patches: list[tuple[Any, str, Any]] = []

    def __enter__(self) -> ImportRecorder:
        self._filters = FilterRecorder(lambda: self._running[-1] if self._running else None, self._warned)
        self._state.update()
        for patch in self._filters.patches:
            self._patch(*patch)
        self._patch(_bootstrap, "_load_unlocked", self._loading)
        self._patch(_bootstrap, "_gcd_import", self._importing_dynamically)
        self._patch(importlib.util, "find_spec", self._finding)
        self._patch(builtins, "__import__", self._importing)
        self._patch(self._environ, "__getitem__", lambda environ, name: self._reading(environ, name))
        self._patch(self._environ, "__iter__", lambda environ: self._listing(environ))
        self._patch(builtins, "open", self._opening(builtins.open))
        self._patch(io, "open", self._opening(io.open))
        self._patch(os, "getcwd", self._asking_for_directory(os.getcwd))
        self._patch(atexit, "register", self._registering(atexit.register))
        for module, name in _UNIQUE:
            self._patch(module, name, self._unique(f"{module.__name__}.{name}", getattr(module, name)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        originals = {}
        for owner, name, original in reversed(self._patches):
            originals[id(getattr(owner, name))] = original
            setattr(owner, name, original)
        # What modules have imported by name.
        for module in list(sys.modules.values()):
            for name, value in list(vars(module).items()):
                if type(value) in (types.FunctionType, types.MethodType) and id(value) in originals:
                    setattr(module, name, originals[id(value)])
        self._filters.restore()

    def _patch(self, owner: Any, name: str, replacement: Any) -> None:
        self._patches.append((owner, name, getattr(owner, name)))
        setattr(owner, name, replacement)

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
        self._filters.started(module)
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

    def _importing_dynamically(self, name: str, package: Any = None, level: int = 0) -> ModuleType:
        running = self._running[-1] if self._running else None
        try:
            module = self._import_dynamically(name, package, level)
        except ModuleNotFoundError as error:
            if running is not None and error.name is not None:
                running.missing.add(error.name)
            raise
        if running is not None:
            running.uses.add(importlib.util.resolve_name("." * level + name, package) if level else name)
        return module

    def _finding(self, name: str, package: Any = None) -> Any:
        found = self._find(name, package)
        if found is None and self._running:
            self._running[-1].missing.add(name)
        return found

    def _opening(self, original: Any) -> Any:
        def open_noted(file: Any, *arguments: Any, **settings: Any) -> Any:
            if self._running and not self._is_looking and isinstance(file, (str, bytes, os.PathLike)):
                path = os.fsdecode(file)
                mode = arguments[0] if arguments else settings.get("mode", "r")
                if set(str(mode)) & set("wax+"):
                    self._running[-1].faults.append("writes a file")
                self._running[-1].files.add(path)
                self._running[-1].needs_directory |= not os.path.isabs(path)
            return original(file, *arguments, **settings)

        return open_noted

    def _registering(self, original: Any) -> Any:
        def register(function: Any, *arguments: Any, **settings: Any) -> Any:
            # That of `weakref.finalize` is registered once for all modules.
            if self._running and getattr(function, "__module__", None) != "weakref":
                self._running[-1].exit_functions.append((function, arguments, settings))
            return original(function, *arguments, **settings)

        return register

    def _asking_for_directory(self, original: Any) -> Any:
        def getcwd() -> Any:
            if self._running and not self._is_looking:
                self._running[-1].needs_directory = True
            return original()

        return getcwd

    def _unique(self, name: str, original: Any) -> Any:
        def call(*arguments: Any, **settings: Any) -> Any:
            # Those of the standard library know that they may be forked.
            running = self._running[-1] if self._running else None
            if running is not None and not self._is_looking and not self._is_standard(running.name):
                running.faults.append(f"calls {name}")
            return original(*arguments, **settings)

        return call

    @staticmethod
    def _is_standard(name: str) -> bool:
        return name.partition(".")[0] in sys.stdlib_module_names

    def _reading(self, environ: Any, name: Any) -> Any:
        value = None
        try:
            value = self._read(environ, name)
        finally:
            if self._running and isinstance(name, str) and self._running[-1].variables is None:
                self._running[-1].reads.setdefault(name, value)
        return value

    def _listing(self, environ: Any) -> Any:
        if self._running:
            running = self._running[-1]
            starts = known_imports.VARIABLES.get(running.name)
            if starts is None:
                running.faults.append("reads the whole environment")
            else:
                running.variables = variables_that_start_with(starts)
        return self._list(environ)

    def _warned(self, message: Any, category: Any, file: str, *_about: Any, **_more: Any) -> None:
        if self._running and not self._filters.is_ignored(self._running[-1], message, category, file):
            self._running[-1].faults.append(f"warns: {category.__name__}: {message}".partition("\n")[0])

    def _attribute(self) -> None:
        """Attribute what has changed since the last call to the module that is running."""
        self._is_looking = True
        change = self._state.update()
        self._is_looking = False
        faults = self._filters.update()
        if not self._running:
            return
        running = self._running[-1]
        running.faults += faults
        if change is None:
            return
        running.sets |= change.sets
        running.loggers += change.loggers
        is_standard = self._is_standard(running.name)
        running.faults += [fault for fault in change.faults if not (is_standard and fault in _HARMLESS)]


def variables_that_start_with(starts: tuple[str, ...]) -> dict[str, str]:
    """Return the environment variables whose names start with one of some texts."""
    found = ((os.fsdecode(name), os.fsdecode(value)) for name, value in os.environ._data.items())  # type: ignore[attr-defined]
    return {name: value for name, value in found if name.startswith(starts)}


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
