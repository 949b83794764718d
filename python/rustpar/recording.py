"""A plugin (``-p rustpar.recording``) that writes each test's outcome to the file named by ``RUSTPAR_RECORD``.

For ``rustpar doctor``, which compares such records.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

# What a test's phases amount to: the worst of them.
_RANKS = ("passed", "skipped", "xfailed", "xpassed", "failed", "error")


class Recorder:
    """Collects outcomes in the process that the user has started."""

    def __init__(self, config: pytest.Config, file: Path) -> None:
        """Write to `file` in the end."""
        self._config = config
        self._file = file
        self._outcomes: dict[str, str] = {}

    def _add(self, node_id: str, outcome: str) -> None:
        before = self._outcomes.get(node_id, outcome)
        self._outcomes[node_id] = max(before, outcome, key=_RANKS.index)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in a phase."""
        outcome: str = report.outcome
        if hasattr(report, "wasxfail"):
            outcome = "xfailed" if report.skipped else "xpassed"
        elif report.failed and report.when != "call":
            outcome = "error"
        self._add(report.nodeid, outcome)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Take in a collection error."""
        if report.failed:
            self._add(report.nodeid, "error")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Write everything down."""
        controller: Any = self._config.pluginmanager.get_plugin("dsession")
        reasons = list(getattr(controller, "reasons", ()))
        about = {"outcomes": self._outcomes, "reasons": reasons, "exitstatus": int(exitstatus)}
        self._file.write_text(json.dumps(about), encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    """Record, but in no worker."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(config, Path(os.environ["RUSTPAR_RECORD"])), "rustpar-recorder")
