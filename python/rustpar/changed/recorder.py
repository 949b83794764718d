"""What tests import, open and write while they run, as far as no file says it: recorded for later selections.

A module that a test has imported although no import of its files leads to it counts for all tests from then on: the
tests after it found it imported. A file that was opened counts for the tests that depend on the code that opened it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core
from rustpar.changed.dependencies import loaded_files
from rustpar.process import audit_hook

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# Key in workeroutput.
_SEEN = "rustpar_imports"

# What opens Python files because they are imported.
_IMPORTING = ("<frozen importlib", "<frozen zipimport")
_REWRITING = "_pytest/assertion/rewrite.py"


class Recorder:
    """The plugin that records, in a process that runs tests, and collects what workers have recorded."""

    def __init__(self, config: pytest.Config, directories: Sequence[str], path: Path | None) -> None:
        """Record what is in these directories; add it to the file `path` when the session ends."""
        self._config = config
        self._directories = tuple(f"{directory}/" for directory in directories)
        self._path = path
        self._changes: _core.Changes | None = None
        self._groups: Mapping[str, int] = {}
        self._known: set[str] = set()
        self._count = 0
        # Pairs of absolute paths: the code, and the file that it has opened.
        self._opened: set[tuple[str, str]] = set()
        self._imported: set[str] = set()
        # The absolute paths of files that were opened for writing, replaced or deleted.
        self.written: set[str] = set()
        self._seen_by_workers: list[tuple[list[str], list[tuple[str, str]]]] = []
        audit_hook.install()
        _core.record_opened_files(list(directories), self._note_opened)

    def start(self, changes: _core.Changes, groups: Mapping[str, int]) -> None:
        """Record imports from now on; `groups` has the number of each test's group by node id."""
        self._changes, self._groups = changes, groups
        self._known = set(loaded_files())
        self._count = len(sys.modules)

    def _note_opened(self, path: str, is_written: bool) -> None:
        if is_written:
            self.written.add(path)
            return
        frame: Any = sys._getframe(1)
        first = frame.f_code.co_filename
        if first.startswith(_IMPORTING) or first.endswith(_REWRITING):
            return
        while frame is not None:
            file = frame.f_code.co_filename
            if file.startswith(self._directories):
                self._opened.add((file, path))
                return
            frame = frame.f_back

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        """Look for modules that the test has imported."""
        if self._changes is None or len(sys.modules) == self._count:
            return
        self._count = len(sys.modules)
        group = self._groups.get(item.nodeid)
        for file in loaded_files():
            if file not in self._known:
                self._known.add(file)
                if group is not None and not self._changes.is_known(group, file):
                    self._imported.update(self._changes.locate(file))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what a worker has recorded."""
        seen = getattr(node, "workeroutput", {}).get(_SEEN)
        if seen is not None:
            imported, opened, written = seen
            self._seen_by_workers.append((imported, opened))
            self.written.update(written)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Pass what was recorded on to the controller, or store it."""
        imported, opened = sorted(self._imported), self._relative_pairs()
        if hasattr(self._config, "workeroutput"):
            self._config.workeroutput[_SEEN] = (imported, opened, sorted(self.written))
            return
        for modules, pairs in self._seen_by_workers:
            imported += modules
            opened += [(file, data) for file, data in pairs]
        problem = None if self._path is None else _core.remember_imports(self._path, imported, opened)
        if problem is not None:
            self._config.issue_config_time_warning(pytest.PytestConfigWarning(f"rustpar: {problem}"), stacklevel=2)

    def _relative_pairs(self) -> list[tuple[str, str]]:
        """Return the pairs of code and opened file that are in the repository, relative to its top."""
        changes = self._changes
        if changes is None:
            return []
        pairs = {
            (code, data)
            for file, path in self._opened
            for code in changes.locate(file)
            for data in changes.locate(path)
            if code != data
        }
        return sorted(pairs)
