"""Reports of tests that an earlier run has finished, made again from its journal and passed to pytest's hooks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from rustpar.compat.longrepr import Representation, from_serializable
from rustpar.compat.warning_message import from_plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rustpar import _core
    from rustpar.collection.finished_tests import Description


class FinishedWorker:
    """Stands for a worker of an earlier run: the ``node`` of its reports.

    Attributes:
        gateway: Has the worker's name as ``id``.
        workerinput: Has the worker's name as ``workerid``.
        workerinfo: Describes the interpreter, which is the same as in this run.
    """

    def __init__(self, config: pytest.Config, name: str, workerinfo: Mapping[str, Any]) -> None:
        """Stand for the worker called `name`."""
        self.config = config
        self.gateway = SimpleNamespace(id=name, spec=SimpleNamespace(popen=True, id=name))
        self.workerinput = {"workerid": name}
        self.workerinfo = {**workerinfo, "id": name, "spec": self.gateway.spec}

    def __repr__(self) -> str:
        """Return the same as for a worker of this run."""
        return f"<WorkerController {self.gateway.id}>"


class Replay:
    """Passes the reports of finished tests to the hooks.

    Attributes:
        shortened: How many reports have lost some of their contents, because the journal was too large.
    """

    def __init__(
        self, config: pytest.Config, testrun_uid: str | None = None, workerinfo: Mapping[str, Any] | None = None
    ) -> None:
        """Call the hooks of `config`.

        Args:
            config: The session's configuration.
            testrun_uid: The id of this run; None without workers.
            workerinfo: What workers of this run report of themselves.
        """
        self._config = config
        self._hook: Any = config.hook
        self._testrun_uid = testrun_uid
        self._workerinfo = workerinfo or {}
        self._workers: dict[int, FinishedWorker] = {}
        self.shortened = 0

    def test(self, index: int, node_id: str, about: Description, worker: int | None, steps: Sequence[Any]) -> None:
        """Report what was recorded while a test ran.

        Args:
            index: The index of the test in the collection.
            node_id: Its node id.
            about: Its description.
            worker: The number of the worker that ran it.
            steps: What ``EarlierRun.tests`` returns.
        """
        location = tuple(about.location)
        self._hook.pytest_runtest_logstart(nodeid=node_id, location=location)
        reports = [step for step in steps if not isinstance(step, dict)]
        for step in reports:
            report = self._report(step, node_id, about)
            if worker is not None and self._testrun_uid is not None:
                report.node = self._worker(worker)
                if step.when is not None:
                    report.item_index, report.testrun_uid = index, self._testrun_uid
                    report.worker_id = report.node.gateway.id
            self._hook.pytest_runtest_logreport(report=report)
        if reports[-1].when is not None:
            self._hook.pytest_runtest_logfinish(nodeid=node_id, location=location)
        for warning in steps:
            if isinstance(warning, dict):
                self._warn(warning, node_id)

    def _worker(self, number: int) -> FinishedWorker:
        return self._workers.setdefault(number, FinishedWorker(self._config, f"gw{number}", self._workerinfo))

    def _report(self, step: _core.EarlierReport, node_id: str, about: Description) -> Any:
        attributes: dict[str, Any] = {
            "nodeid": node_id,
            "location": tuple(about.location),
            "keywords": dict.fromkeys(about.keywords, 1),
            "outcome": step.outcome,
            "longrepr": None,
            "when": step.when or "???",
            "sections": [],
            "duration": step.seconds,
            "start": step.start,
            "stop": step.start + step.seconds,
            "user_properties": [],
        }
        if step.attributes is not None:
            return from_serializable(self._config, {"$report_type": "TestReport"} | attributes | step.attributes)
        if step.is_shortened:
            self.shortened += 1
        report: Any = pytest.TestReport(**attributes)
        report.sections = list(step.sections)
        if step.is_xfail:
            report.wasxfail = step.message
        path, line = step.place
        if step.outcome == "skipped" and not step.is_xfail:
            report.longrepr = (path or "", line or 0, step.message)
        elif step.text:
            report.longrepr = Representation(step.text, step.text)
            report.longrepr.reprcrash = SimpleNamespace(path=path, lineno=line, message=step.message)
        return report

    def _warn(self, warning: dict[str, Any], node_id: str) -> None:
        kwargs = {
            "warning_message": from_plain(warning["data"]),
            "when": "runtest",
            "nodeid": node_id,
            "location": warning["location"],
        }
        self._hook.pytest_warning_recorded.call_historic(kwargs=kwargs)
