"""Retries of tests in which a worker has crashed or was ended at a time limit: decided here, as nobody else is left.

The hazard it handles: the crash may be in the teardown of a test whose result is known. One that has passed is not
tried again; one that has failed, and is to be tried again anyway, has been reported as a rerun and must not be reported
twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from rustpar import _core
from rustpar.config.load_option import is_load_run
from rustpar.config.values import is_given

if TYPE_CHECKING:
    import pytest

    from rustpar.controller.nodes import WorkerController
    from rustpar.controller.scheduling import NativeScheduling, PythonScheduling

    class Pool(Protocol):
        """The workers of a run, as of `WorkerPool`."""

        config: pytest.Config
        facts: dict[str, Any]
        sched: NativeScheduling | PythonScheduling
        stopping: bool

        def has_successors(self, node: WorkerController) -> bool:
            """Whether there are workers to run the tests of one that is being lost."""


class Retry(NamedTuple):
    """How a test is tried again after a crash.

    Attributes:
        delay: Seconds before.
        is_reported: Whether its attempt has been reported as a rerun before the crash.
        is_scheduled: Whether the engine has it scheduled already.
    """

    delay: float
    is_reported: bool
    is_scheduled: bool


class CrashRetries:
    """Decides whether a test is tried again."""

    def __init__(self, pool: Pool) -> None:
        """Decide for the workers of `pool`."""
        self._pool = pool
        # Indices of running tests that have failed and that the engine runs again.
        self.scheduled: set[int] = set()

    def is_enabled(self) -> bool:
        """Whether any test may be tried again; a load test is not."""
        if is_load_run(self._pool.config):
            return False
        if self._pool.facts.get("retries") or not is_given(self._pool.config, "rustpar_retries"):
            return bool(self._pool.facts.get("retries"))
        from rustpar.collection.retry_rules import settings_of

        return settings_of(self._pool.config).rule is not None

    def after_crash(self, node: WorkerController, running: int | None, last: pytest.TestReport | None) -> Retry | None:
        """Decide about the test that a worker was running; None if it is not tried again.

        Args:
            node: The worker.
            running: The index of the test.
            last: The last report of the test that the worker has sent; None if there is none.
        """
        if running is None or not self.is_enabled() or not self._pool.sched.may_retry_crashes:
            return None
        if last is not None and getattr(last, "rustpar_attempt", 1) <= node.tried:
            # It is of the attempt before, which was made in this worker, too.
            last = None
        has_failed = last is not None and last.outcome == "rerun"  # type: ignore[comparison-overlap]
        is_scheduled = running in self.scheduled
        self.scheduled.discard(running)
        if not is_scheduled and (self._pool.stopping or not self._pool.has_successors(node)):
            return None
        if last is not None and last.when != "setup" and not has_failed:
            # Its result has been reported: the crash is in the teardown.
            return None
        times, delay = self._rule(running, is_timeout=node.timed_out is not None)
        if has_failed or node.tried < times:
            return Retry(delay.after(node.tried + 1), has_failed, is_scheduled)
        return None

    def _rule(self, test: int, *, is_timeout: bool) -> tuple[int, _core.RetryDelay]:
        from rustpar.collection.retry_rules import CRASH, TIMEOUT, settings_of

        settings = settings_of(self._pool.config)
        for index, after_crash, after_timeout, delay in self._pool.facts["retries"]:
            if index == test:
                return after_timeout if is_timeout else after_crash, _core.RetryDelay(delay)
        times = 0 if settings.rule is None else settings.rule.times_after(TIMEOUT if is_timeout else CRASH)
        return times, settings.delay

    def decide(
        self,
        sched: NativeScheduling | PythonScheduling,
        node: WorkerController,
        running: int | None,
        retry: Retry | None,
    ) -> None:
        """Tell the engine what was decided; it holds workers ready until then."""
        if running is None or not self.is_enabled():
            return
        if retry is None:
            sched.settle(running)
        elif not retry.is_scheduled:
            sched.retry(node, running, node.tried + 1, retry.delay)
