"""The modules that test files import, for workers that have not imported those files.

In one process, all test files are imported before the first test runs. Tests rely on that without knowing: on a
submodule that only another file imports, on what a module registers at import, on a directory in ``sys.path``. So a
worker that has collected a part of the files also imports what the others import, except the test files themselves.

The hazard it handles: a name may mean another file in this process, or an import may fail here. Such modules are left
out.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    # Name, and file.
    Module = tuple[str, str]


# How pytest's functions end a test or a run; not errors for Python.
_OUTCOMES = (pytest.skip.Exception, pytest.fail.Exception, pytest.exit.Exception)


class ImportedModules:
    """Records what is imported, one test file after the other."""

    def __init__(self, test_files: Collection[str]) -> None:
        """Leave out `test_files`."""
        self._test_files = test_files
        self._modules = set(sys.modules)
        self._paths = set(sys.path)

    def take(self) -> tuple[list[Module], list[str]]:
        """Return the modules that were imported since the last call, and the new entries of ``sys.path``."""
        names = [name for name in list(sys.modules) if name not in self._modules]
        paths = [path for path in sys.path if path not in self._paths]
        self._modules.update(names)
        self._paths.update(paths)
        found = [(name, _origin(getattr(sys.modules.get(name), "__spec__", None))) for name in names]
        modules = [(name, origin) for name, origin in found if origin is not None and origin not in self._test_files]
        return modules, paths[::-1]


def import_missing(modules: Iterable[Sequence[str]], paths: Iterable[str]) -> None:
    """Import the modules that are missing in this process, after adding missing paths to the front of ``sys.path``."""
    for path in paths:
        if path not in sys.path:
            sys.path.insert(0, path)
    for name, origin in modules:
        if name in sys.modules:
            continue
        # What it prints was captured with the collection of its file.
        with (
            contextlib.suppress(Exception, SystemExit, *_OUTCOMES),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            if _origin(importlib.util.find_spec(name)) == origin:
                importlib.import_module(name)


def _origin(spec: object) -> str | None:
    """Return the file of a module; None if it has none."""
    origin = getattr(spec, "origin", None)
    return origin if isinstance(origin, str) and getattr(spec, "has_location", False) else None
