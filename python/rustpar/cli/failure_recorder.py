"""The record of one test in a trial: JSON lines about its start, its phases and its end.

``src/replay/failure.rs`` reads it. As a plugin (``-p rustpar.cli.failure_recorder``) it records the test named by
``RUSTPAR_RECORD_TEST`` to the file ``RUSTPAR_RECORD``.

The hazard it handles: the process may die in the test, so each line is written at once.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core
from rustpar.recording.failure_location import Finder

if TYPE_CHECKING:
    from collections.abc import Generator


class FailureRecorder:
    """Records a test."""

    def __init__(self, config: pytest.Config, node_id: str, path: Path) -> None:
        """Write the record of the test to the file `path`, which is replaced each time the test starts."""
        self._node_id = node_id
        self._path = path
        self._finder = Finder(config)

    def _write(self, about: dict[str, object], mode: str = "a") -> None:
        with self._path.open(mode, encoding="utf-8") as file:
            file.write(json.dumps(about) + "\n")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Record the start and the end of the test."""
        if item.nodeid != self._node_id:
            return (yield)
        self._write({"e": "started"}, "w")
        result = yield
        self._write({"e": "finished"})
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record a phase of the test."""
        if report.nodeid != self._node_id:
            return
        about: dict[str, object] = {"e": "phase", "when": report.when}
        if report.outcome in ("failed", "rerun"):
            about |= {"failed": True, "message": self._finder.find(report).message}
            about["text"] = "\n".join([report.longreprtext, *(f"--- {name}\n{text}" for name, text in report.sections)])
        self._write(about)


def pytest_configure(config: pytest.Config) -> None:
    """Register the record; have this process killed when the search is killed."""
    die: Any = getattr(_core, "die_with_parent", None)
    if die is not None and not hasattr(config, "workerinput") and not die(int(os.environ["RUSTPAR_RECORD_PARENT"])):
        os._exit(1)
    record = FailureRecorder(config, os.environ["RUSTPAR_RECORD_TEST"], Path(os.environ["RUSTPAR_RECORD"]))
    config.pluginmanager.register(record, "rustpar-failure-recorder")
