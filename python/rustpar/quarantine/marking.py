"""Marks the failures of tests in the quarantine: in the process that runs a test, or that notices a crash.

To all others they are expected failures (``xfail``), so every plugin can report them. The attribute
``rustpar_quarantine`` of the report, the number of the entry, tells them apart.

The hazard it handles: code that asks in a teardown whether its test has failed (``item.rep_call.failed``) has to be
told that it has, while whoever counts failures must not count this one. So the outcome is another one only while the
report is passed on, and again when the test has finished.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    from rustpar import _core


class Marking:
    """Gives failures another outcome."""

    def __init__(self, entries: _core.Quarantine) -> None:
        """Mark the failures of tests with one of these entries."""
        self._entries = entries
        self._marked: list[tuple[Any, int]] = []

    # Retries are registered later, and so decide before: a failure that is retried is a rerun.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: Any) -> Generator[None, object, object]:
        """Pass a failure on as one that does not fail the run."""
        entry = self._entries.find(report.nodeid) if report.failed else None
        if entry is None:
            return (yield)
        excuse(report, self._entries, entry)
        if hasattr(report, "node"):
            # The crash of a worker: the test is over.
            return (yield)
        self._marked.append((report, entry))
        try:
            return (yield)
        finally:
            report.outcome = "failed"
            del report.wasxfail

    def pytest_runtest_logfinish(self) -> None:
        """Keep the outcome, for all who look at the reports later."""
        for report, entry in self._marked:
            excuse(report, self._entries, entry)
        self._marked.clear()


def excuse(report: Any, entries: _core.Quarantine, entry: int) -> None:
    """Turn a failure into an expected one, because of an entry."""
    report.outcome = "skipped"
    report.wasxfail = entries.note(entry)
    report.rustpar_quarantine = entry


def register(config: pytest.Config, entries: _core.Quarantine) -> None:
    """Mark the failures of a process."""
    if not config.pluginmanager.has_plugin("rustpar-quarantine"):
        config.pluginmanager.register(Marking(entries), "rustpar-quarantine")
