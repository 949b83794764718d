"""Detection of lost tests: a run in which a collected test has disappeared reports it and fails.

The hazard it handles: a lost test leaves no trace; all others pass, and so would the run. So at the end each test must
be accounted for: a worker has completed its protocol, or has crashed in it. Exceptions are tests skipped because the
run was stopped early, and tests that a plugin's scheduler has never assigned to a worker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from rustpar.controller.nodes import WorkerController
    from rustpar.terminal.reporter import DistTerminal


class Completeness:
    """Counts how often each collected test was completed."""

    def __init__(self, screen: DistTerminal) -> None:
        """Report missing tests on `screen` if there is no terminal summary."""
        self._screen = screen
        self._collection: list[str] = []
        self._counts = _core.Completeness(0)
        self._message: str | None = None

    def expect(self, collection: list[str]) -> None:
        """Set the collected tests."""
        self._collection = collection
        self._counts = _core.Completeness(len(collection))

    def record_completed(self, test: int) -> None:
        """Record that a worker has completed a test."""
        self._counts.record(test)

    def record_crash(self, node_id: str, running: int | None) -> None:
        """Record that a worker's crash was reported as that of `node_id`; `running` is the test that it was running."""
        if running is None or self._collection[running] != node_id:
            # A scheduler written in Python has named a different test: the first that it does not know to be complete.
            running = self._collection.index(node_id)
        self.record_completed(running)

    def check(
        self, session: pytest.Session, nodes: Iterable[WorkerController], *, times: int, all_are_to_run: bool
    ) -> None:
        """Check, after a run that was not stopped early, that no test is missing.

        Args:
            session: The session; fails if tests are missing.
            nodes: All workers of the run.
            times: How often each test has to be run.
            all_are_to_run: Whether each test has to be run, or only those assigned to workers.
        """
        if all_are_to_run:
            missing = self._counts.missing(times)
        else:
            known = list(nodes)
            given = [test for node in known for tests in node.given for test in tests]
            missing = self._counts.missing(times, given, [test for node in known for test in node.taken_back])
        message = _core.Completeness.message([self._collection[test] for test in missing])
        if message is None:
            return
        session.testsfailed += len(missing)
        # pytest 8 does not call pytest_terminal_summary with --no-summary.
        has_summary = not session.config.getoption("no_summary", False)
        if has_summary and session.config.pluginmanager.has_plugin("terminalreporter"):
            self._message = message
        else:
            self._screen.notice(message)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> Generator[None, object, object]:
        """Report missing tests after all other sections."""
        result = yield
        if self._message is not None:
            terminalreporter.write_line(f"rustpar: {self._message}", red=True)
        return result
