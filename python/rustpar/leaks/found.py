"""A leak that was found, and its way from a worker to the controller: with the teardown's report, or at the end."""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core

if TYPE_CHECKING:
    from collections.abc import Iterable

# The attribute of a report, and the key in ``workeroutput``.
NAME = "rustpar_leaks"

# Leaks found at the end of a session that runs its tests in this process.
_AT_END: pytest.StashKey[list[Any]] = pytest.StashKey()


@dataclass(frozen=True)
class Leak:
    """Something that a test or a fixture has left.

    Attributes:
        test: The node id of the test that has left it, or after whose teardown it was found.
        fixture: The fixture that has left it; None for the test itself.
        kind: The kind of leak.
        text: What was left.
        is_failure: Whether the report of a teardown shows it as an error.
    """

    test: str
    fixture: str | None
    kind: str
    text: str
    is_failure: bool = False

    @property
    def line(self) -> str:
        """The line that reports it."""
        return _core.leak_line(self.test, self.fixture, self.text)

    @property
    def summary(self) -> str:
        """The line without the test."""
        return _core.leak_line(None, self.fixture, self.text)

    def with_failure(self, *, is_failure: bool) -> Leak:
        """Return the same leak, shown as an error or not."""
        return replace(self, is_failure=is_failure)


def attach(report: pytest.TestReport, leaks: Iterable[Leak]) -> None:
    """Attach leaks to a report, as plain values, which every engine sends."""
    setattr(report, NAME, [astuple(leak) for leak in leaks])


def has_leaks(report: pytest.TestReport) -> bool:
    """Whether leaks are attached to a report."""
    return NAME in vars(report)


def attached(report: pytest.TestReport) -> list[Leak]:
    """Return the leaks that are attached to a report."""
    return [Leak(*values) for values in getattr(report, NAME, ())]


def keep_for_end(config: pytest.Config, leaks: Iterable[Leak]) -> None:
    """Hand over leaks that were found after the last report."""
    values = [astuple(leak) for leak in leaks]
    if hasattr(config, "workeroutput"):
        config.workeroutput[NAME] = values
    else:
        config.stash[_AT_END] = values


def found_at_end(config: pytest.Config) -> list[Leak]:
    """Return the leaks that this process has found after its last report."""
    return [Leak(*values) for values in config.stash.get(_AT_END, ())]


def found_by_worker(node: object) -> list[Leak]:
    """Return the leaks that a worker has found after its last report."""
    return [Leak(*values) for values in getattr(node, "workeroutput", {}).get(NAME, ())]
