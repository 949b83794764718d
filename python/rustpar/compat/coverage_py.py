"""Parts of coverage.py that have no public interface."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def fork_patch_disabled() -> Iterator[bool]:
    """Disable coverage.py's ``patch = fork`` in this block; yields whether coverage.py is loaded and has it."""
    control: Any = sys.modules.get("coverage.control")
    begin = getattr(control, "_start_process_coverage", None)
    if begin is None:
        yield False
        return
    control._start_process_coverage = lambda *_args, **_kwargs: None
    try:
        yield True
    finally:
        control._start_process_coverage = begin


def disable_saving(measurement: Any) -> None:
    """Disable saving of a measurement, automatic and explicit, as ``patch = _exit`` does."""
    measurement.save = _save_nothing
    measurement._auto_save = False


def _save_nothing() -> None:
    """Replaces ``save`` in a measurement that belongs to another process."""


def silence_warnings(measurement: Any, *, is_part: bool) -> None:
    """Disable the warning about no data; with `is_part`, also those about source that was not or already imported."""
    measurement._warn_no_data = False
    if is_part:
        measurement._warn_unimported_source = measurement._warn_preimported_source = False


def collector_of(measurement: Any) -> Any:
    """Return the collector of a measurement; None if it has none."""
    return getattr(measurement, "_collector", None)


def is_in_memory_or_debugged(data: Any) -> bool:
    """Whether data is held in memory, or debug output for each file is enabled; also true if that is unknown."""
    try:
        return bool(data._no_disk) or any(
            data._debug.should(what) for what in ("combine", "dataio", "dataop", "pathmap")
        )
    except AttributeError:
        return True


def has_been_used(data: Any) -> bool:
    """Whether data was read or added to; coverage.py erases unused data when something is added.

    Raises:
        AttributeError: This version of coverage.py is different.
    """
    return bool(data._have_used)


def close(data: Any) -> None:
    """Close the connection to a data file that is about to be replaced.

    Raises:
        AttributeError: This version of coverage.py is different.
    """
    data._reset()


def warn(data: Any, message: str) -> None:
    """Issue a warning through coverage.py, if it has a warning function."""
    if data._warn is not None:
        data._warn(message)
