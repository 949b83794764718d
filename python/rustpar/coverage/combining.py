"""Combining of coverage.py's data files in Rust, instead of one by one in coverage.py.

While :class:`NativeJoining` is entered, ``Coverage.combine`` behaves as usual (selection of files, mapping of paths,
deletion, messages), but the files are read and united in Rust. Whatever the Rust code does not support is left to
coverage.py: unknown file formats, data in memory, conflicting files.

The hazard it handles: an input may only be deleted when its data is in the result. So the result is written to its
final place before anything is deleted, and nothing is deleted if writing fails.
"""

from __future__ import annotations

import functools
import importlib
import os
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rustpar import _core
from rustpar.compat import coverage_py

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class NativeJoining:
    """A context manager in which ``Coverage.combine`` combines files natively.

    Attributes:
        files: How many files were combined.
        seconds: How long that took.
    """

    def __init__(self) -> None:
        """Initialize the counters."""
        self.files = 0
        self.seconds = 0.0
        self._original: Callable[..., None] | None = None

    def __enter__(self) -> NativeJoining:
        """Replace coverage.py's own function."""
        control: Any = importlib.import_module("coverage.control")
        self._original = control.combine_parallel_data
        control.combine_parallel_data = self._combine
        return self

    def __exit__(self, *exception: object) -> None:
        """Restore it."""
        control: Any = importlib.import_module("coverage.control")
        control.combine_parallel_data = self._original

    def _combine(
        self,
        data: Any,
        aliases: Any = None,
        data_paths: Iterable[str] | None = None,
        strict: bool = False,
        keep: bool = False,
        message: Callable[[str], None] | None = None,
    ) -> None:
        """Replace ``coverage.data.combine_parallel_data``."""
        original: Any = self._original
        started = _core.monotonic()
        paths = None if data_paths is None else list(data_paths)
        combined = None if coverage_py.is_in_memory_or_debugged(data) else _combine_files(data, aliases, paths)
        if combined is None:
            original(data, aliases=aliases, data_paths=paths, strict=strict, keep=keep, message=message)
            return
        if not keep:
            combined.delete()
        self.files += len(combined.joined)
        self.seconds += _core.monotonic() - started
        if message is not None:
            message(combined.words)
        for file in combined.left:
            # One by one, because of two files with the same hash coverage.py deletes the second even if the first is
            # unreadable.
            original(data, aliases=aliases, data_paths=[file], keep=keep, message=message)


class _Combined:
    """The result: which files were combined, which are duplicates of those, and which are left to coverage.py."""

    def __init__(self, joined: list[str], duplicates: list[str], left: list[str]) -> None:
        self.joined = joined
        self.left = left
        self._duplicates = duplicates

    def delete(self) -> None:
        """Delete the files whose data is in the result."""
        from coverage.misc import file_be_gone

        for file in (*self.joined, *self._duplicates):
            file_be_gone(file)

    @property
    def words(self) -> str:
        """The message that coverage.py prints when it has combined files."""
        from coverage.misc import plural

        skipped = f", skipped {len(self._duplicates)}" if self._duplicates else ""
        return f"Combined {plural(len(self.joined), 'file')}{skipped}"


def _combine_files(data: Any, aliases: Any, data_paths: list[str] | None) -> _Combined | None:
    """Combine the files that belong to `data` into its own file; return None if coverage.py has to do everything.

    Raises:
        coverage.exceptions.DataError: The result cannot be written. All files are unchanged.
    """
    import coverage
    from coverage.data import combinable_files
    from coverage.exceptions import DataError

    target: str = data.data_filename()
    files = [file for file in combinable_files(data.base_filename(), data_paths) if file != target]
    joined: list[str] = []
    duplicates: list[str] = []
    left: dict[str, str] = {}
    try:
        alike = _group_duplicates(files)
        # coverage.py would erase an existing file that was not read, so its data is not included.
        joiner = _core.Joiner(target if coverage_py.has_been_used(data) and Path(target).exists() else None)
        while alike:
            reasons = joiner.add([first for first, *_ in alike], _map_path(aliases))
            tried, alike = alike, []
            for (first, *others), reason in zip(tried, reasons, strict=True):
                if reason is None:
                    joined.append(first)
                    duplicates += others
                    continue
                left[first] = reason
                if others:
                    alike.append(others)
    except (AttributeError, ImportError, OSError, ValueError):
        return None
    if not joined:
        return None
    # Close the connection, which would otherwise still refer to the replaced file.
    coverage_py.close(data)
    try:
        joiner.write(target, coverage.__version__)
    except OSError as error:
        raise DataError(f"Couldn't write data file {target!r}: {error}; no data file was deleted") from error
    finally:
        data.read()
    for file, reason in left.items():
        coverage_py.warn(data, f"Data file {os.path.relpath(file)!r} {reason}; it is left to coverage.py")
    return _Combined(joined, duplicates, list(left))


def _group_duplicates(files: list[str]) -> list[list[str]]:
    """Group files that should have the same contents.

    The criterion is coverage.py's: the hash at the end of a file's name, or else the content, which is only read if
    another file has the same size.
    """
    try:
        from coverage.sqldata import filename_match
    except ImportError:
        # coverage.py has hashes in file names since 7.7.
        def filename_match(filename: str) -> re.Match[str] | None:
            return None

    sizes = {file: Path(file).stat().st_size for file in files}
    count = Counter(sizes.values())
    alike: dict[object, list[str]] = {}
    for file, size in sizes.items():
        named = filename_match(file)
        same: object = size
        if named is not None and named["hash"]:
            same = named["hash"]
        elif count[size] > 1:
            import hashlib

            same = hashlib.sha256(Path(file).read_bytes()).digest()
        alike.setdefault(same, []).append(file)
    return list(alike.values())


def _map_path(aliases: Any) -> Callable[[str], str]:
    """Return a function that maps a source file's path through the aliases, with this system's slashes."""
    mapped = (lambda path: path) if aliases is None else aliases.map
    return functools.cache(lambda path: re.sub(r"[/\\]", re.escape(os.sep), mapped(path)))
