"""A run in which a test is lost says so, and does not pass.

The hazard it handles: a test of which nothing is heard leaves no trace; all others have passed, and so would the run.
So each test that was to be run is accounted for in the end: a worker has run its protocol to the end, or has crashed in
it. Left out on purpose are those that an end before the end has spared, and those that a plugin's scheduler has never
given to a worker.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from rustpar.controller.nodes import WorkerController
    from rustpar.terminal.reporter import DistTerminal

# So many of the tests that are missing are named.
_NAMED = 3


class Completeness:
    """What has become of each collected test."""

    def __init__(self, screen: DistTerminal) -> None:
        """Tell what is missing on `screen`, where there is no terminal reporter to do so at the end."""
        self._screen = screen
        self._collection: list[str] = []
        # By the test's index: how often a worker was through with it.
        self._accounted: list[int] = []
        self._words: str | None = None

    def expect(self, collection: list[str]) -> None:
        """These are the tests."""
        self._collection = collection
        self._accounted = [0] * len(collection)

    def account(self, test: int) -> None:
        """A worker has run a test to its end."""
        self._accounted[test] += 1

    def account_crash(self, node_id: str, running: int | None) -> None:
        """A worker's crash was reported as that of `node_id`; `running` is the test that it was in."""
        if running is None or self._collection[running] != node_id:
            # A scheduler written in Python has named another one: the first that it has not seen the end of.
            running = self._collection.index(node_id)
        self.account(running)

    def check(
        self, session: pytest.Session, nodes: Iterable[WorkerController], *, times: int, all_are_to_run: bool
    ) -> None:
        """The run has come to its end by itself: see that nothing is missing.

        Args:
            session: The session, which does not pass if there is.
            nodes: All workers there were.
            times: How often each test is to be run.
            all_are_to_run: Whether each test has to be run; else those that workers were given.
        """
        missing = [test for test, count in enumerate(self._accounted) if count < times]
        if not missing:
            return
        if not all_are_to_run:
            given = _given(nodes)
            missing = [test for test in missing if given[test] > 0]
        if not missing:
            return
        session.testsfailed += len(missing)
        named = ", ".join(self._collection[test] for test in missing[:_NAMED])
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        tests = "a test was" if len(missing) == 1 else f"{len(missing)} tests were"
        words = f"{tests} lost, collected and neither run nor left out on purpose: {named}{more}"
        # Without a summary, pytest 8 does not ask for one.
        has_summary = not session.config.getoption("no_summary", False)
        if has_summary and session.config.pluginmanager.has_plugin("terminalreporter"):
            self._words = words
        else:
            self._screen.notice(words)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> Generator[None, object, object]:
        """Say what is missing, after everything else."""
        result = yield
        if self._words is not None:
            terminalreporter.write_line(f"rustpar: {self._words}", red=True)
        return result


def _given(nodes: Iterable[WorkerController]) -> Counter[int]:
    """How often each test was given to a worker and not taken back."""
    given: Counter[int] = Counter()
    for node in nodes:
        for tests in node.given:
            given.update(tests)
        given.subtract(node.taken_back)
    return given
