"""A pytest plugin that writes every test's outcome as reported to the controller.

It is loaded with ``-p compare_recorder`` in every runner. It reads the terminal reporter's statistics at the end, so no
runner has to call it for each test. Workers load it too but must not record: they are recognized by
``config.workerinput``, and forked workers, which may inherit a registered recorder, by their parent process. A runner
that starts several pytest processes gets an empty COMPARE_PARENT: each of them adds what it ran.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


class Recorder:
    """Writes ``outcome<TAB>node id`` of all tests when pytest unconfigures."""

    def __init__(self, path: Path, reporter: Any) -> None:
        """Write to ``path`` what ``reporter`` has counted."""
        self.path = path
        self.reporter = reporter

    def entries(self) -> Iterator[tuple[str, str]]:
        """Yield the outcomes of calls, of other phases that did not pass, and of modules that were not collected."""
        for report in (entry for entries in self.reporter.stats.values() for entry in entries):
            if isinstance(report, pytest.CollectReport):
                if report.failed:
                    yield "collection error", report.nodeid
            elif isinstance(report, pytest.TestReport) and (report.when == "call" or not report.passed):
                outcome = f"x{report.outcome}" if hasattr(report, "wasxfail") else report.outcome
                yield f"error in {report.when}" if report.when != "call" and report.failed else outcome, report.nodeid

    def pytest_unconfigure(self) -> None:
        """Add the entries to the file, in the process that the benchmark has started, or in each."""
        if os.environ["COMPARE_PARENT"] in ("", str(os.getppid())):
            # Categories do not tell in which order a test was reported.
            lines = [f"{outcome}\t{nodeid}\n" for outcome, nodeid in sorted(self.entries())]
            with self.path.open("ab", buffering=0) as file:
                file.write("".join(lines).encode())


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the recorder, except in a worker."""
    path = os.environ.get("COMPARE_RECORD")
    if path and not hasattr(config, "workerinput"):
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        config.pluginmanager.register(Recorder(Path(path), reporter), "compare-recorder")
