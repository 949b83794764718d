"""What tests depend on, as far as pytest knows: their files, and those of their fixtures and base classes."""

from __future__ import annotations

import inspect
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from rustpar.compat.sessions import fixtures_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

    from rustpar import _core


class Dependencies:
    """Divides tests into groups with the same dependencies."""

    def __init__(self, changes: _core.Changes) -> None:
        """Add the groups to `changes`."""
        self._changes = changes
        self._groups: dict[tuple[str, frozenset[str]], int] = {}
        # By the identity of pytest's objects, which live as long as the tests.
        self._of_fixtures: dict[int, frozenset[str]] = {}
        self._of_classes: dict[type, frozenset[str]] = {}

    def group_of(self, item: pytest.Item) -> int:
        """Return the number of a test's group."""
        files = self._files_of_fixtures(fixtures_of(item)) | self._files_of_class(getattr(item, "cls", None))
        return self.group(str(item.path), files)

    def group(self, file: str, others: Iterable[str] = ()) -> int:
        """Return the number of the group of tests in a file that use other files."""
        key = (file, frozenset(others))
        number = self._groups.get(key)
        if number is None:
            number = self._groups[key] = self._changes.add_tests(file, sorted(key[1]))
        return number

    def _files_of_fixtures(self, info: Any) -> frozenset[str]:
        """Return the files of all fixtures of a test, and of those that they override."""
        if info is None:
            return frozenset()
        known = self._of_fixtures.get(id(info))
        if known is None:
            definitions = [one for found in info.name2fixturedefs.values() for one in found]
            known = frozenset(filter(None, (_file_of(one.func) for one in definitions)))
            self._of_fixtures[id(info)] = known
        return known

    def _files_of_class(self, cls: type | None) -> frozenset[str]:
        """Return the files of a class and of its base classes."""
        if cls is None:
            return frozenset()
        known = self._of_classes.get(cls)
        if known is None:
            known = frozenset(filter(None, (file_of_module(base.__module__) for base in cls.__mro__)))
            self._of_classes[cls] = known
        return known


def _file_of(function: Any) -> str | None:
    """Return the file of a function."""
    while isinstance(function, partial):
        function = function.func
    function = inspect.unwrap(function)
    code = getattr(function, "__code__", None)
    file: str | None = getattr(code, "co_filename", None)
    return file or file_of_module(getattr(function, "__module__", None))


def file_of_module(name: str | None) -> str | None:
    """Return the file of an imported module; None if it has none."""
    file = getattr(sys.modules.get(name or ""), "__file__", None)
    return file if isinstance(file, str) else None


def loaded_files() -> list[str]:
    """Return the files of all imported modules, in the order of their imports."""
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    return list(dict.fromkeys(file for file in files if isinstance(file, str)))
