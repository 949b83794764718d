"""The environment variables and the directory that test files see when they are imported.

The hazard it handles: a file that is collected after tests have run would see what these tests, and the fixtures of the
session, have changed. In one process all files are imported before the first test.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from rustpar.process.system import os

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Surroundings:
    """Variables and directory as they are when this object is created."""

    def __init__(self) -> None:
        """Remember them."""
        self._variables = dict(os.environ)
        self._directory = _directory()

    @contextlib.contextmanager
    def put_back(self) -> Iterator[None]:
        """Have them for a while as they were; variables that are changed meanwhile stay changed."""
        variables, directory = dict(os.environ), _directory()
        _set_variables(self._variables)
        _change_directory(self._directory)
        try:
            yield
        finally:
            before, self._variables = self._variables, dict(os.environ)
            changed = {name: value for name, value in self._variables.items() if before.get(name) != value}
            removed = before.keys() - self._variables.keys()
            _set_variables({name: value for name, value in (variables | changed).items() if name not in removed})
            _change_directory(directory)


def _set_variables(wanted: Mapping[str, str]) -> None:
    for name in os.environ.keys() - wanted.keys():
        del os.environ[name]
    for name, value in wanted.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


def _directory() -> str | None:
    """Return the current directory; None if it has been removed."""
    with contextlib.suppress(OSError):
        return os.getcwd()
    return None


def _change_directory(wanted: str | None) -> None:
    with contextlib.suppress(OSError):
        if wanted is not None and wanted != _directory():
            os.chdir(wanted)
