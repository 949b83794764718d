"""Coverage in forked processes: each measures for itself, and saves as it goes.

Where the controller runs under ``coverage run``, its forks have a tracer and the lines that were measured before the
fork, but none of them would save anything. So each fork begins to measure anew, with the same settings, into a data
file of its own, and the controller joins these files to its own when it has ended; with ``[run] parallel`` they are
left to ``coverage combine``, as those of any other process. pytest-cov measures in workers by itself.

The hazard it handles: what is measured is in memory until it is saved, and a worker that crashes saves nothing.
"""

from __future__ import annotations

import atexit
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rustpar import _core
from rustpar.compat import coverage_py

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

# Seconds that a worker may spend on saving after tests, whatever they take, and the share of its time beyond that. With
# one save of 1 ms after each test, a crash costs what the crashed test measured in all suites but those of very many
# very short tests.
_ALWAYS = 0.5
_SHARE = 0.05

# Patches of ``[run] patch`` that save the data of one measurement; the others hold in forks as well.
_SAVING_PATCHES = ("_exit", "execv")


# What :func:`restart` has made, the last one for this process.
_own: list[Any] = []


def _current() -> Any:
    """What measures this process, an instance of ``coverage.Coverage``; None where nothing does."""
    # A directory of that name may have been imported instead.
    measurements: Any = getattr(sys.modules.get("coverage"), "Coverage", None)
    return None if measurements is None else measurements.current()


@contextmanager
def going_on_after_fork() -> Iterator[None]:
    """Have what measures this process also measure the forks that are made meanwhile.

    ``[run] patch = fork`` would have each fork begin anew, as a program of its own, and save where nobody asks it to.
    """
    with coverage_py.without_restart_in_forks() as could_restart:
        before = _current() if could_restart else None
        yield
    if before is not None and _current() is not before:
        before.start()


def keep_what_others_saved(config: pytest.Config) -> None:
    """Have pytest-cov delete no data files, which it does when it starts: that was for the controller to do."""
    options = config.known_args_namespace
    if hasattr(options, "cov_append"):
        options.cov_append = True


def restart(config: pytest.Config, run: str) -> None:
    """Measure this fork for itself, if the process that it was forked from is measured.

    Args:
        config: Where plugins are registered; pytest-cov measures by itself.
        run: The name of the test run.
    """
    before = _current()
    if before is None or config.pluginmanager.has_plugin("_cov"):
        return
    import copy

    from coverage import Coverage

    before.stop()
    # What it has measured is saved by the process that it belongs to. It is asked to save by `patch = _exit`, too.
    coverage_py.save_no_more(before)
    suffix = True if before.config.parallel else f"{_prefix(run)}{os.getpid()}"
    measurement: Any = Coverage(config_file=False, data_suffix=suffix)
    measurement.config = copy.deepcopy(before.config)
    # coverage.py has patches since 7.10.
    patches = getattr(before.config, "patch", ())
    measurement.config.patch = [patch for patch in patches if patch in _SAVING_PATCHES]
    # They speak of a program, of which this is a part.
    coverage_py.silence_warnings(measurement, is_part=True)
    measurement.start()
    atexit.register(_end, measurement)
    _own.append(measurement)


def save_own() -> None:
    """Save what this process itself has measured since :func:`restart`, where its exit functions are left to others."""
    for measurement in _own[-1:]:
        _end(measurement)


def _end(measurement: Any) -> None:
    measurement.stop()
    measurement.save()


def _prefix(run: str) -> str:
    return f"rustpar.{run}.pid"


def join_in_the_end(config: pytest.Config, run: str) -> None:
    """Have the controller join what its forks have measured to its own data, when that is saved.

    Args:
        config: Where plugins are registered; pytest-cov joins by itself.
        run: The name of the test run.
    """
    measurement = _current()
    if measurement is None or measurement.config.parallel or config.pluginmanager.has_plugin("_cov"):
        return
    # This process may have measured nothing itself.
    coverage_py.silence_warnings(measurement, is_part=False)
    # `coverage run` saves when pytest has returned.
    atexit.register(_join, measurement.config, Path(measurement.config.data_file).absolute(), run)


def _join(config: Any, data_file: Path, run: str) -> None:
    import copy
    import glob

    files = [str(file) for file in data_file.parent.glob(f"{glob.escape(data_file.name)}.{_prefix(run)}*")]
    if not files:
        return
    from coverage import Coverage

    from rustpar.coverage.combining import NativeJoining

    joint: Any = Coverage(config_file=False)
    joint.config = copy.deepcopy(config)
    joint.config.data_file = str(data_file)
    with NativeJoining():
        joint.load()
        joint.combine(files)
        joint.save()


class Saving:
    """Saves what a worker has measured after a test, if that does not take too much of its time."""

    def __init__(self) -> None:
        """Look for what measures this process."""
        # Not `Coverage.save`, which also looks for source files that were not executed, each time.
        self._flush: Any = getattr(coverage_py.collector_of(_current()), "flush_data", None)
        self._begin = _core.monotonic()
        self._spent = 0.0

    def after_test(self) -> None:
        """Save what the test has measured."""
        if self._flush is None:
            return
        begin = _core.monotonic()
        if self._spent > _ALWAYS + _SHARE * (begin - self._begin):
            return
        self._flush()
        self._spent += _core.monotonic() - begin
