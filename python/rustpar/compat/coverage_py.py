"""Parts of coverage.py that have no public interface."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def without_restart_in_forks() -> Iterator[bool]:
    """Have coverage.py's ``patch = fork`` do nothing meanwhile; yields whether it could have done anything."""
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


def save_no_more(measurement: Any) -> None:
    """Have a measurement save nothing, by itself or when it is asked to, as ``patch = _exit`` does."""
    measurement.save = _save_nothing
    measurement._auto_save = False


def _save_nothing() -> None:
    """What is saved of a measurement that belongs to another process."""


def silence_warnings(measurement: Any, *, is_part: bool) -> None:
    """Have a measurement not warn that it has no data, nor, for a part of a program, of what that should import."""
    measurement._warn_no_data = False
    if is_part:
        measurement._warn_unimported_source = measurement._warn_preimported_source = False


def collector_of(measurement: Any) -> Any:
    """What collects the data of a measurement; None for none."""
    return getattr(measurement, "_collector", None)


def tells_of_each_file(data: Any) -> bool:
    """Whether data is not in a file, or coverage.py is to tell what it does with each; also where that is unknown."""
    try:
        return bool(data._no_disk) or any(
            data._debug.should(what) for what in ("combine", "dataio", "dataop", "pathmap")
        )
    except AttributeError:
        return True


def has_been_used(data: Any) -> bool:
    """Whether data was read or added to: what was not is erased when it is added to.

    Raises:
        AttributeError: coverage.py has changed.
    """
    return bool(data._have_used)


def close(data: Any) -> None:
    """Close the connection to a data file that is about to be replaced.

    Raises:
        AttributeError: coverage.py has changed.
    """
    data._reset()


def warn(data: Any, message: str) -> None:
    """Have coverage.py warn, where it does."""
    if data._warn is not None:
        data._warn(message)
