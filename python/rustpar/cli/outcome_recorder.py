"""A plugin that writes the outcome of each test to the file named by ``RUSTPAR_RECORD``.

For ``rustpar doctor``, which compares such records. They are lines of JSON, written as tests begin and are reported.

The hazard it handles: a run that is compared may never come to its end, and what it was at is what matters then.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest


class Recorder:
    """Writes outcomes down in the process that the user has started."""

    def __init__(self, config: pytest.Config, file: Path) -> None:
        """Write to `file`."""
        self._config = config
        self._file = file.open("a", encoding="utf-8", buffering=1)

    def _write(self, **about: object) -> None:
        self._file.write(json.dumps(about) + "\n")

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A test begins."""
        self._write(begun=_encodable(nodeid))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in a phase."""
        outcome: str = report.outcome
        if hasattr(report, "wasxfail"):
            outcome = "xfailed" if report.skipped else "xpassed"
        elif report.failed and report.when != "call":
            outcome = "error"
        self._write(test=_encodable(report.nodeid), outcome=outcome)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """A test has ended."""
        self._write(finished=_encodable(nodeid))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Take in a collection error."""
        if report.failed:
            self._write(test=_encodable(report.nodeid), outcome="error")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Say that this is all."""
        controller: Any = self._config.pluginmanager.get_plugin("dsession")
        reasons = [_encodable(reason) for reason in getattr(controller, "reasons", ())]
        self._write(reasons=reasons, exitstatus=int(exitstatus))
        self._file.close()


def _encodable(text: str) -> str:
    """The text with what UTF-8 lacks escaped: a lone surrogate, of a file name that is not UTF-8."""
    return text.encode(errors="backslashreplace").decode()


def pytest_configure(config: pytest.Config) -> None:
    """Record, but in no worker."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(config, Path(os.environ["RUSTPAR_RECORD"])), "rustpar-recorder")
