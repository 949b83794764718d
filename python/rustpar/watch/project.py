"""The watched project: its files, and what git knows about them."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rustpar import _core
from rustpar.changed import git
from rustpar.warm.place import project_directory

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Changes = list[tuple[str, str]]

# The directories that pytest does not collect from by default, before a run has said which.
_NOT_COLLECTED = ("*.egg", ".*", "_darcs", "build", "CVS", "dist", "node_modules", "venv", "{arch}")

# Seconds for git to end what it does to the working tree: a checkout of 100,000 files takes 10 s. A lock that is older
# is one of `git commit -a` that waits for an editor, or was left behind by a git that was killed.
_GIT_LIMIT = 30.0

_INTERVAL = 0.02

_SUBMODULE = b"160000"


class Project:
    """The project that the current directory is in.

    Attributes:
        root: Its directory.
        files: Its files.
        changes: What has changed since this list was emptied.
    """

    def __init__(self) -> None:
        """Find it.

        Raises:
            OSError: Its files cannot be watched.
        """
        self.root = Path(project_directory(str(Path.cwd()))).resolve()
        self._lock: Path | None
        try:
            self._top = os.path.realpath(git.top_of(self.root))
            self._lock = git.index_lock(self._top)
        except git.GitError:
            self._top, self._lock = str(self.root), None
        project = os.path.relpath(self.root, self._top)
        self.files = _core.ProjectFiles(self._top, "" if project == "." else project)
        self._not_collected = _patterns(_NOT_COLLECTED)
        self._tracked, self._ignored = b"", b""
        self.changes: Changes = []
        self._look()

    def look(self) -> Changes:
        """Return what has changed since the last look.

        Raises:
            OSError: Files cannot be watched.
        """
        changes = self._look()
        self.changes += changes
        return changes

    def _look(self) -> Changes:
        self.files.clear()
        if self._lock is not None:
            self._wait_for_git(self._lock)
            # If it does not work for a while, what was known counts.
            with contextlib.suppress(git.GitError):
                self._tracked, self._ignored = git.files_of(self._top)
        self.files.set_scope(self._tracked, self._ignored, self._not_collected)
        return self.files.look()

    def _wait_for_git(self, lock: Path) -> None:
        end = time.monotonic() + _GIT_LIMIT
        with contextlib.suppress(OSError):
            while abs(time.time() - lock.stat().st_mtime) < _GIT_LIMIT and time.monotonic() < end:
                time.sleep(_INTERVAL)

    def use_patterns(self, not_collected: Sequence[str]) -> Changes:
        """Set the directories that pytest does not collect from; return what is known to have changed meanwhile."""
        patterns = _patterns(not_collected)
        if patterns == self._not_collected:
            return []
        self._not_collected = patterns
        # Other files are watched now: those are no changes.
        changes = [(path, event) for path, event in self._look() if event == "M"]
        self.changes += changes
        return changes

    def tracked_of(self, changes: Changes) -> list[str]:
        """Return the files among these changes that git has."""
        if not changes:
            return []
        known = {entry.partition(b"\t")[2] for entry in self._tracked.split(b"\0")}
        return [path for path, _ in changes if path.encode(errors="surrogateescape") in known]

    def state(self, changes: Iterable[tuple[str, str]]) -> git.State:
        """Return the files and these changes in the form in which git prints them."""
        entries = [entry for entry in self._tracked.split(b"\0") if entry]
        known = {entry.partition(b"\t")[2] for entry in entries}
        modules = tuple(
            path + b"/"
            for about, _, path in (entry.partition(b"\t") for entry in entries)
            if about.startswith(_SUBMODULE)
        )
        paths = (path.encode(errors="surrogateescape") for path in self.files.paths())
        new = [b"100644 0 0\t" + path for path in paths if path not in known and not path.startswith(modules)]
        tracked = b"".join(entry + b"\0" for entry in [*entries, *new])
        changed = b"".join(_raw(path.encode(errors="surrogateescape"), event, modules) for path, event in changes)
        return git.State(self._top, tracked, changed, b"", self._ignored)


def _raw(path: bytes, event: str, modules: tuple[bytes, ...]) -> bytes:
    """Return a change as of ``git diff --raw -z``."""
    module = next((module for module in modules if path.startswith(module)), None)
    if module is not None:
        return b":160000 160000 0 0 M\0" + module.rstrip(b"/") + b"\0"
    modes = {"A": b"000000 100644", "D": b"100644 000000", "M": b"100644 100644"}[event]
    return b":" + modes + b" 0 0 " + event.encode() + b"\0" + path + b"\0"


def _patterns(not_collected: Sequence[str]) -> list[str]:
    """Return the patterns that say that a directory has no sources; names with a dot say nothing of that kind."""
    return [pattern for pattern in not_collected if pattern != ".*"]


def patterns_of(report: str | None) -> list[str] | None:
    """Return the patterns in the report of a run."""
    try:
        found: list[str] = json.loads(report or "")["not_collected"]
    except (ValueError, KeyError):
        return None
    return found


def text_of(path: str) -> str | None:
    """Return the content of a file; None without one."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
