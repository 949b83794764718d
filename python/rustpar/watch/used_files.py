"""What conftests use outside the process while they are loaded: files and directories, connections and the clock."""

from __future__ import annotations

import functools
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rustpar import _core
from rustpar.process import audit_hook
from rustpar.warm.imports import is_library, library_directories

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rustpar.process.code_origin import CodeOrigins

# What importing modules writes, and where.
_BYTECODE = "__pycache__"

# Events that change something, with the number of paths among their arguments.
_CHANGES = {
    "os.mkdir": 1,
    "os.rmdir": 1,
    "os.remove": 1,
    "os.rename": 2,
    "os.link": 2,
    "os.symlink": 2,
    "os.truncate": 1,
    "os.chmod": 1,
    "os.chown": 1,
    "os.utime": 1,
    "shutil.rmtree": 1,
    "shutil.move": 2,
}

_CLOCKS = ("time", "time_ns", "perf_counter", "perf_counter_ns", "monotonic", "monotonic_ns", "localtime", "gmtime")

# What can be imported from a directory.
_IMPORTABLE = (".py", ".pyc", ".so")

# The files in which pytest looks for a configuration.
_CONFIGURATION = ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg")


class Uses:
    """Records what is used.

    Attributes:
        read: The absolute paths of files that were only read.
        written: Those of files that were written.
        reasons: What else was used whose use has an effect, or another result each time.
        replacements: Functions of :mod:`time` that were replaced: the original and the replacement.
    """

    def __init__(self, places: CodeOrigins) -> None:
        """Record from now on; `places` tells the project's code."""
        self.read: set[str] = set()
        self.written: set[str] = set()
        self.reasons: list[str] = []
        self.replacements: list[tuple[Any, Any]] = []
        self._created: set[str] = set()
        self._listed: set[str] = set()
        self._imported_from: set[str] = set()
        self._places = places
        audit_hook.install()
        _core.set_use_listener(self._note)

    def watch_clock(self) -> None:
        """Record who looks at the clock, too."""
        for name in _CLOCKS:
            original = getattr(time, name)
            replacement = self._noting(original)
            self.replacements.append((original, replacement))
            setattr(time, name, replacement)

    def stop(self) -> None:
        """Stop recording."""
        _core.set_use_listener(None)
        for original, replacement in self.replacements:
            if getattr(time, original.__name__) is replacement:
                setattr(time, original.__name__, original)
        self.written -= {path for path in self._created if not os.path.lexists(path)}

    def _noting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def look(*arguments: Any) -> Any:
            caller = sys._getframe(1)
            if self._places.is_own(caller):
                self.reasons.append(f"{self._places.line_of(caller)} looks at the clock")
            return original(*arguments)

        return look

    def _note(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "socket.connect":
            self.reasons.append(f"connects to {args[1]}")
            return
        paths = [_absolute(path) for path in args[: _CHANGES.get(event, 1)]]
        for path in (path for path in paths if path is not None):
            if _BYTECODE in Path(path).parts:
                if event == "open":
                    # Its source may be read in the next run.
                    self.read.add(str(Path(path).parent.with_name(f"{Path(path).name.partition('.')[0]}.py")))
            elif event == "open":
                # Whoever raises this event by itself may leave them out.
                flags = args[2] if len(args) > 2 and isinstance(args[2], int) else 0
                self._note_opened(path, is_written=bool(flags & (os.O_WRONLY | os.O_RDWR)))
            elif event in ("os.listdir", "os.scandir"):
                is_import = sys._getframe(1).f_code.co_filename.startswith("<frozen importlib")
                (self._imported_from if is_import else self._listed).add(path)
            elif event == "sqlite3.connect":
                self.reasons.append(f"opens the database {args[0]}")
            elif path not in self._created:
                self.reasons.append(f"changes {path}")

    def _note_opened(self, path: str, *, is_written: bool) -> None:
        # A file without a name is created in a directory that is opened.
        if path.startswith("/dev/") or Path(path).is_dir():
            return
        if is_written and path not in self.written and not os.path.lexists(path):
            self._created.add(path)
        (self.written if is_written else self.read).add(path)

    def listings(self) -> Listings:
        """Return the content of the directories that were looked at, as it is now."""
        libraries = library_directories()
        imported_from = {path for path in self._imported_from if not is_library(str(Path(path, "_")), libraries)}
        return Listings(self._listed, imported_from)


class Listings:
    """The content of directories."""

    def __init__(self, listed: Iterable[str], imported_from: Iterable[str]) -> None:
        """Record all names in those that were listed, and those of modules in those that were imported from."""
        self._names = {path: _names(path) for path in listed}
        self._modules = {path: _modules(path) for path in imported_from}

    def changed(self) -> str | None:
        """Return a directory whose content has changed since; None if there is none."""
        for path, names in self._names.items():
            if _names(path) != names:
                return path
        return next((path for path, names in self._modules.items() if _modules(path) != names), None)


def _names(path: str) -> frozenset[str]:
    try:
        return frozenset(entry.name for entry in Path(path).iterdir())
    except OSError:
        return frozenset()


def _modules(path: str) -> frozenset[str]:
    """Return the files and directories that can be imported, or have modules."""
    found = set()
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                is_directory = entry.is_dir() and entry.name.isidentifier() and entry.name != _BYTECODE
                if is_directory or entry.name.endswith(_IMPORTABLE):
                    found.add(entry.name)
    except OSError:
        return frozenset()
    return frozenset(found)


def _absolute(path: object) -> str | None:
    """Return a path that an event names, made absolute; None if it names a descriptor."""
    if path is None:
        return str(Path.cwd())
    return str(Path(os.fsdecode(path)).absolute()) if isinstance(path, (str, bytes, os.PathLike)) else None


def configuration_files(directories: Iterable[Path]) -> list[str]:
    """Return the paths at which pytest looks for a configuration, from these directories upwards."""
    above = dict.fromkeys(one for directory in directories for one in (directory, *directory.parents))
    return [str(directory / name) for directory in above for name in _CONFIGURATION]


def locked_file() -> str | None:
    """Return a file that this process has locked; None if there is none."""
    for entry in Path("/proc/self/fd").iterdir():
        try:
            if _core.holds_lock(int(entry.name)):
                return str(entry.readlink())
        except OSError:
            # The descriptor of the listing.
            continue
    return None
