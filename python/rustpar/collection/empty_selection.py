"""Selections that may leave nothing to run: a run from which one has deselected everything succeeds."""

from __future__ import annotations

import pytest


class MayBeEmpty:
    """The base of a plugin that selects tests."""

    def __init__(self, key: str) -> None:
        """Tell the controller by this key in ``workeroutput`` that nothing is left, as only workers collect."""
        self._key = key
        self._is_empty = False

    def leave_nothing(self, config: pytest.Config) -> None:
        """Record that this plugin has deselected all tests that were left."""
        self._is_empty = True
        if hasattr(config, "workeroutput"):
            config.workeroutput[self._key] = True

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object) -> None:
        """Learn from a worker that nothing is left."""
        self._is_empty = self._is_empty or self._key in getattr(node, "workeroutput", {})

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Let a run succeed that had nothing to do."""
        if self._is_empty and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            session.exitstatus = pytest.ExitCode.OK
