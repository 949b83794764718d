"""Combining of coverage.py's data files in Rust, instead of one by one in coverage.py.

While :class:`NativeJoining` is entered, ``Coverage.combine`` behaves as usual (selection of files, mapping of paths,
deletion, messages), but the files are read and united in Rust. Whatever the Rust code does not support is left to
coverage.py: unknown file formats, data in memory, conflicting files.

The hazard it handles: an input may only be deleted when its data is in the result. So the result is written to its
final place before anything is deleted, and nothing is deleted if writing fails.
"""

from __future__ import annotations

import importlib
import os
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
        joined = None if coverage_py.is_in_memory_or_debugged(data) else _join(data, aliases, paths)
        if joined is None:
            original(data, aliases=aliases, data_paths=paths, strict=strict, keep=keep, message=message)
            return
        files, duplicates, left = joined
        if not keep:
            from coverage.misc import file_be_gone

            for file in (*files, *duplicates):
                file_be_gone(file)
        self.files += len(files)
        self.seconds += _core.monotonic() - started
        if message is not None:
            skipped = f", skipped {len(duplicates)}" if duplicates else ""
            message(f"Combined {_core.counted(len(files), 'file')}{skipped}")
        for file in left:
            # One by one, because of two files with the same hash coverage.py deletes the second even if the first is
            # unreadable.
            original(data, aliases=aliases, data_paths=[file], keep=keep, message=message)


def _join(data: Any, aliases: Any, data_paths: list[str] | None) -> tuple[list[str], list[str], list[str]] | None:
    """Combine the files that belong to `data` into its own file; return None if coverage.py has to do everything.

    Returns:
        The files that were combined, duplicates of these, and the files that are left to coverage.py.

    Raises:
        coverage.exceptions.DataError: The result cannot be written. All files are unchanged.
    """
    import coverage
    from coverage import sqldata
    from coverage.data import combinable_files
    from coverage.exceptions import DataError

    target: str = data.data_filename()
    files = [file for file in combinable_files(data.base_filename(), data_paths) if file != target]
    # coverage.py has hashes in file names since 7.7.
    match_name = getattr(sqldata, "filename_match", None)
    try:
        # coverage.py would erase an existing file that was not read, so its data is not included.
        joiner = _core.Joiner(target if coverage_py.has_been_used(data) and Path(target).exists() else None)
        joined, duplicates, left = joiner.add(files, match_name, None if aliases is None else aliases.map)
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
    for file, reason in left:
        coverage_py.warn(data, f"Data file {os.path.relpath(file)!r} {reason}; it is left to coverage.py")
    return joined, duplicates, [file for file, _ in left]
