"""The worker's terminal reporter: available for plugins that use it, but silent except for live output.

A worker's reporter would repeat everything that the controller's shows. However, live logging (``log_cli``) and
``--setup-show`` write through it, and only they write while tests run. So its output is discarded before and after the
tests, and its own per-test hooks are removed.
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

import pytest

from rustpar.compat.hooks import forget_implementation
from rustpar.compat.sessions import has_failed_subtests
from rustpar.compat.terminal import current_line_of, set_stream, writer_of

if TYPE_CHECKING:
    from collections.abc import Iterator

# The reporter's per-test hooks: a tenth of a worker's time for trivial tests, for output that is discarded.
_PER_TEST = ("pytest_runtest_logstart", "pytest_runtest_logreport", "pytest_runtest_logfinish")


class _NullFile:
    """A file that discards what is written to it."""

    encoding = "utf-8"

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False


def silence(reporter: Any, config: pytest.Config, *, hasmarkup: bool) -> None:
    """Discard a reporter's output and remove its per-test hooks."""
    for name in _PER_TEST:
        hook = getattr(config.hook, name)
        if any(implementation.plugin is reporter for implementation in hook.get_hookimpls()):
            forget_implementation(hook, reporter)
    writer = writer_of(reporter)
    if writer is not None:
        writer.hasmarkup = hasmarkup
        set_stream(writer, _NullFile())


def keep_report(report: pytest.TestReport, config: pytest.Config) -> None:
    """Do what the reporter's hook would do: request the report's status, which may change it, and store the report.

    In that hook, pytest's own subtests turn a passed test into a failed one. Reports of passed tests are not stored:
    they would be 2 KiB of each worker's own memory per test.
    """
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or (report.passed and not hasattr(report, "wasxfail") and _status_is_plain(config)):
        return
    category, _letter, _word = config.hook.pytest_report_teststatus(report=report, config=config)
    stats = getattr(reporter, "stats", None)
    if stats is not None:
        stats.setdefault(category, []).append(report)


def _status_is_plain(config: pytest.Config) -> bool:
    """Whether the status of a passed call needs no hook: no plugin implements the hook, and no subtest has failed.

    Calling the hook for each test takes a worker 3 % of its time for trivial tests.
    """
    if has_failed_subtests(config):
        return False
    implementations = config.hook.pytest_report_teststatus.get_hookimpls()
    return all(implementation.function.__module__.startswith("_pytest.") for implementation in implementations)


@contextlib.contextmanager
def live_output(config: pytest.Config) -> Iterator[None]:
    """Let the reporter write to this process's standard output while the block runs."""
    show_live_output(config)
    try:
        yield
    finally:
        writer = writer_of(config.pluginmanager.get_plugin("terminalreporter"))
        if writer is not None and current_line_of(writer):
            # The controller shows whole lines.
            writer.line()
        discard_output(config)


def show_live_output(config: pytest.Config) -> None:
    """Let the reporter write to the worker's standard output, which the controller shows."""
    _set_file(config, sys.stdout)


def discard_output(config: pytest.Config) -> None:
    """Discard what the reporter writes."""
    _set_file(config, _NullFile())


def _set_file(config: pytest.Config, file: object) -> None:
    writer = writer_of(config.pluginmanager.get_plugin("terminalreporter"))
    if writer is not None:
        set_stream(writer, file)
