"""A pytest plugin that writes every test's outcome as reported to the controller.

It is loaded with ``-p compare_recorder`` in every runner, so that its cost (one list entry per passing test) is
the same on both sides of a ratio. Workers load it too but must not record: they are recognized by
``config.workerinput``, and forked workers, which may inherit a registered recorder, by their parent process. A runner
that starts several pytest processes gets an empty COMPARE_PARENT: each of them adds what it ran.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest


class Recorder:
    """Collects ``outcome<TAB>node id`` and writes all of it when pytest unconfigures."""

    def __init__(self, path: Path) -> None:
        """Write to ``path`` when pytest unconfigures."""
        self.path = path
        self.entries: list[tuple[str, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record the call phase, and the other phases when they did not pass."""
        if report.when == "call" or not report.passed:
            outcome = f"x{report.outcome}" if hasattr(report, "wasxfail") else report.outcome
            if report.when != "call" and report.failed:
                outcome = f"error in {report.when}"
            self.entries.append((outcome, report.nodeid))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Record a module that could not be collected."""
        if report.failed:
            self.entries.append(("collection error", report.nodeid))

    def pytest_unconfigure(self) -> None:
        """Add the entries to the file, in the process that the benchmark has started, or in each."""
        if os.environ["COMPARE_PARENT"] in ("", str(os.getppid())):
            lines = [f"{outcome}\t{nodeid}\n" for outcome, nodeid in self.entries]
            with self.path.open("ab", buffering=0) as file:
                file.write("".join(lines).encode())


def pytest_configure(config: pytest.Config) -> None:
    """Register the recorder, except in a worker."""
    path = os.environ.get("COMPARE_RECORD")
    if path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(Path(path)), "compare-recorder")
