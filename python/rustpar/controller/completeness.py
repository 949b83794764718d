"""Detection of lost tests: a run in which a collected test has disappeared reports it and fails.

The hazard it handles: a lost test leaves no trace; all others pass, and so would the run. So at the end each test must
be accounted for: a worker has completed its protocol, or has crashed in it. Exceptions are tests skipped because the
run was stopped early, and tests that a plugin's scheduler has never assigned to a worker.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from rustpar.controller.nodes import WorkerController
    from rustpar.terminal.reporter import DistTerminal

# How many of the missing tests are named.
_MOST_NAMED = 3


class Completeness:
    """Counts how often each collected test was completed."""

    def __init__(self, screen: DistTerminal) -> None:
        """Report missing tests on `screen` if there is no terminal summary."""
        self._screen = screen
        self._collection: list[str] = []
        # By the test's index: how often a worker has completed it.
        self._completed: list[int] = []
        self._message: str | None = None

    def expect(self, collection: list[str]) -> None:
        """Set the collected tests."""
        self._collection = collection
        self._completed = [0] * len(collection)

    def record_completed(self, test: int) -> None:
        """Record that a worker has completed a test."""
        self._completed[test] += 1

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
        missing = [test for test, count in enumerate(self._completed) if count < times]
        if not missing:
            return
        if not all_are_to_run:
            given = _given(nodes)
            missing = [test for test in missing if given[test] > 0]
        if not missing:
            return
        session.testsfailed += len(missing)
        named = ", ".join(self._collection[test] for test in missing[:_MOST_NAMED])
        more = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
        tests = "a test was" if len(missing) == 1 else f"{len(missing)} tests were"
        message = f"{tests} lost (collected, but neither run nor skipped on purpose): {named}{more}"
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


def _given(nodes: Iterable[WorkerController]) -> Counter[int]:
    """Count how often each test was assigned to a worker and not taken back."""
    given: Counter[int] = Counter()
    for node in nodes:
        for tests in node.given:
            given.update(tests)
        given.subtract(node.taken_back)
    return given
