"""A plugin that writes the outcome of each test to the file named by ``RUSTPAR_RECORD``.

It is used by ``rustpar doctor``, which compares such records. They are JSON lines, written as tests start and are
reported.

The hazard it handles: a run may be killed before it ends, and then the tests that were running matter most.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest


class Recorder:
    """Records outcomes in the process that the user has started."""

    def __init__(self, config: pytest.Config, file: Path) -> None:
        """Record to `file`."""
        self._config = config
        self._file = file.open("a", encoding="utf-8", buffering=1)

    def _write(self, **about: object) -> None:
        self._file.write(json.dumps(about) + "\n")

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Record that a test starts."""
        self._write(begun=_encodable(nodeid))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record the outcome of a phase."""
        outcome: str = report.outcome
        if hasattr(report, "wasxfail"):
            outcome = "xfailed" if report.skipped else "xpassed"
        elif report.failed and report.when != "call":
            outcome = "error"
        self._write(test=_encodable(report.nodeid), outcome=outcome)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Record that a test has ended."""
        self._write(finished=_encodable(nodeid))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Record a collection error."""
        if report.failed:
            self._write(test=_encodable(report.nodeid), outcome="error")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Record the exit status and the reasons against a template, and close the file."""
        controller: Any = self._config.pluginmanager.get_plugin("dsession")
        reasons = [_encodable(reason) for reason in getattr(controller, "reasons", ())]
        self._write(reasons=reasons, exitstatus=int(exitstatus))
        self._file.close()


def _encodable(text: str) -> str:
    """Escape what UTF-8 cannot encode: lone surrogates, from file names that are not UTF-8."""
    return text.encode(errors="backslashreplace").decode()


def pytest_configure(config: pytest.Config) -> None:
    """Register the recorder, except in workers."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(config, Path(os.environ["RUSTPAR_RECORD"])), "rustpar-recorder")
