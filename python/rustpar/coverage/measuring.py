"""Coverage in forked processes: each process measures and saves its own data.

If the controller runs under ``coverage run``, its forks inherit a tracer and the lines measured before the fork, but
none of them would save anything. So each fork starts a new measurement with the same settings and its own data file.
The controller combines these files into its own at the end; with ``[run] parallel`` they are left to ``coverage
combine``, as those of any other process. pytest-cov itself measures in workers.

The hazard it handles: measured data is in memory until it is saved, and a worker that crashes saves nothing.
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
    from collections.abc import Iterator, Sequence

    import pytest

# Seconds that a worker may always spend on saving after tests, and the share of its time that it may spend in addition.
# At 1 ms per save, data is saved after each test, so that a crash only loses the data of the crashed test, except in
# suites of very many very short tests.
_MIN_BUDGET = 0.5
_MAX_SHARE = 0.05

# What names of the data files of forks have after that of the controller's file.
FORK_PREFIX = "rustpar."

# The patches of ``[run] patch`` that save the data of one measurement; the others also work in forks.
_SAVING_PATCHES = ("_exit", "execv")


# The measurements that :func:`restart` has started; the last one is this process's.
_measurements: list[Any] = []


def _current() -> Any:
    """Return the ``coverage.Coverage`` instance that measures this process; None if there is none."""
    # The module may be an unrelated directory of that name.
    measurements: Any = getattr(sys.modules.get("coverage"), "Coverage", None)
    return None if measurements is None else measurements.current()


@contextmanager
def continued_in_forks() -> Iterator[None]:
    """Keep the current measurement active in processes that are forked in this block.

    ``[run] patch = fork`` would start a new measurement in each fork, as for an independent program, and save it.
    """
    with coverage_py.fork_patch_disabled() as could_restart:
        before = _current() if could_restart else None
        yield
    if before is not None and _current() is not before:
        before.start()


def is_by_plugin(config: pytest.Config) -> bool:
    """Whether pytest-cov measures."""
    return getattr(config.pluginmanager.get_plugin("_cov"), "cov_controller", None) is not None


def settings_of(config: pytest.Config) -> Any:
    """Return coverage.py's configuration for this run: ``data_file``, ``parallel`` …; None if nothing is measured."""
    if is_by_plugin(config):
        plugin: Any = config.pluginmanager.get_plugin("_cov")
        return plugin.cov_controller.cov.config
    measurement = _current()
    return None if measurement is None else measurement.config


def keep_data_files(config: pytest.Config) -> None:
    """Prevent pytest-cov from deleting data files at its start, because the controller has already done so."""
    options = config.known_args_namespace
    if hasattr(options, "cov_append"):
        options.cov_append = True


def restart(config: pytest.Config, run: str) -> None:
    """Start a separate measurement of this fork, if its parent is measured.

    Args:
        config: Tells whether pytest-cov is active, which handles forks itself.
        run: The name of the test run.
    """
    before = _current()
    if before is None or config.pluginmanager.has_plugin("_cov"):
        return
    import copy

    from coverage import Coverage

    before.stop()
    # The parent saves its own data. This process must not, not even because of `patch = _exit`.
    coverage_py.disable_saving(before)
    suffix = True if before.config.parallel else f"{_prefix(run)}{os.getpid()}"
    measurement: Any = Coverage(config_file=False, data_suffix=suffix)
    measurement.config = copy.deepcopy(before.config)
    # Patches exist since coverage.py 7.10.
    patches = getattr(before.config, "patch", ())
    measurement.config.patch = [patch for patch in patches if patch in _SAVING_PATCHES]
    # The warnings are about a whole program, of which this process is only a part.
    coverage_py.silence_warnings(measurement, is_part=True)
    measurement.start()
    atexit.register(_stop_and_save, measurement)
    _measurements.append(measurement)


def _collector(config: pytest.Config) -> Any:
    """Return coverage.py's collector for this process; None if nothing is measured."""
    plugin: Any = config.pluginmanager.get_plugin("_cov")
    measurement = plugin.cov_controller.cov if is_by_plugin(config) else _current()
    return coverage_py.collector_of(measurement)


def measured_lines(config: pytest.Config) -> list[tuple[str, list[Any]]]:
    """Return what was measured and not saved: for each file its lines, or the pairs of lines of arcs."""
    collector = _collector(config)
    if collector is None:
        return []
    return [(file, list(lines)) for file, lines in dict(collector.data).items() if lines]


def add_lines(config: pytest.Config, files: list[tuple[str, list[Any]]]) -> None:
    """Add what a fork of this process has measured."""
    collector = _collector(config)
    if collector is not None:
        for file, lines in files:
            collector.data.setdefault(file, set()).update(
                tuple(line) if isinstance(line, list) else line for line in lines
            )


def save_own() -> None:
    """Save what this process has measured since :func:`restart`, if its exit functions will not run."""
    for measurement in _measurements[-1:]:
        _stop_and_save(measurement)


def _stop_and_save(measurement: Any) -> None:
    measurement.stop()
    measurement.save()


def _prefix(run: str) -> str:
    return f"{FORK_PREFIX}{run}.pid"


def combine_at_exit(config: pytest.Config, run: str, others: Sequence[Path] = ()) -> None:
    """Register a function that combines the forks' data with the controller's own at exit.

    Args:
        config: Tells whether pytest-cov is active, which combines data itself.
        run: The name of the test run.
        others: Further files to combine.
    """
    measurement = _current()
    if measurement is None or measurement.config.parallel or config.pluginmanager.has_plugin("_cov"):
        return
    # The controller itself may have measured nothing.
    coverage_py.silence_warnings(measurement, is_part=False)
    # At exit, because `coverage run` saves after pytest has returned.
    atexit.register(_combine, measurement.config, Path(measurement.config.data_file).absolute(), run, others)


def _combine(config: Any, data_file: Path, run: str, others: Sequence[Path]) -> None:
    import copy
    import glob

    own = data_file.parent.glob(f"{glob.escape(data_file.name)}.{_prefix(run)}*")
    files = [str(file) for file in (*own, *others)]
    if not files:
        return
    from coverage import Coverage

    from rustpar.coverage.combining import NativeJoining

    combined: Any = Coverage(config_file=False)
    combined.config = copy.deepcopy(config)
    combined.config.data_file = str(data_file)
    with NativeJoining():
        combined.load()
        combined.combine(files)
        combined.save()


class Saving:
    """Saves a worker's coverage data after tests, if that does not take too much of its time."""

    def __init__(self) -> None:
        """Find the collector of the current measurement."""
        # Not `Coverage.save`, which also searches for source files that were not executed, each time.
        self._flush: Any = getattr(coverage_py.collector_of(_current()), "flush_data", None)
        self._begin = _core.monotonic()
        self._spent = 0.0

    def after_test(self) -> bool:
        """Save what was measured since the last time; return whether the data of all tests so far is saved."""
        if self._flush is None:
            return False
        begin = _core.monotonic()
        if self._spent > _MIN_BUDGET + _MAX_SHARE * (begin - self._begin):
            return False
        self._flush()
        self._spent += _core.monotonic() - begin
        return True
