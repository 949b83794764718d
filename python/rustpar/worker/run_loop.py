"""The run loop of a worker: tests are claimed from the engine, one after the other, and run by pytest's own protocol.

The hazard it handles: the next test is not known when one starts, as the engine may take back what it has assigned. It
is claimed in the teardown of the running test, where a plugin may still run that test again, and perhaps in a process
that it has forked, which must claim nothing.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from rustpar import _core
from rustpar.compat import sessions
from rustpar.config.repeat_option import repeat_of
from rustpar.config.retry_options import PLUGIN
from rustpar.coverage import measuring
from rustpar.process import forking, memory
from rustpar.worker import process_title
from rustpar.worker.next_item import NextItemChooser

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rustpar.retries.attempts import Attempts, Runner
    from rustpar.worker.file_parts import PartOfTests


class RunLoop:
    """Runs the tests that the engine assigns to a worker.

    Attributes:
        test: The index of the running test.
        items: The tests, by their indices.
    """

    def __init__(self, config: pytest.Config, line: _core.Line, runner: Runner) -> None:
        """Use `line` until :meth:`use` is called; `runner` is asked when a failed test is tried again."""
        self._config = config
        self._line = line
        self._runner = runner
        self._session: pytest.Session
        self._part: PartOfTests | None = None
        self._attempts: Attempts | None = None
        self._next: int | None = None
        # How often the next test was tried before.
        self._next_tried = 0
        self._next_is_chosen = True
        # Whether the engine has said that it will not say what follows.
        self._has_rested = False
        # Seconds for which the teardown of the running test has waited for the next.
        self._waited = 0.0
        self._is_forked_by_test = False
        self.test = 0
        self.items: Sequence[pytest.Item] | PartOfTests = ()

    def prepare(self, session: pytest.Session, part: PartOfTests | None) -> None:
        """Prepare for the tests of `session`, or with a parallel collection for those that `part` has.

        This is called before workers are forked: registering a plugin touches a MiB of memory, which would be needed in
        each worker.
        """
        self._session = session
        self._part = part
        self.items = session.items if part is None else part
        NextItemChooser(session, self.choose_next)

    def use(self, line: _core.Line) -> None:
        """Use this line from now on."""
        self._line = line

    def note_fork(self) -> None:
        """Record, in a process that was forked from this one, whether a test has forked it."""
        self._is_forked_by_test = any(
            isinstance(node, pytest.Item) for node in sessions.setup_state_of(self._session).stack
        )

    def run(self) -> None:
        """Run what the engine assigns, until nothing is left or the session stops."""
        session, line, items = self._session, self._line, self.items
        run_protocol = self._config.hook.pytest_runtest_protocol
        saving = measuring.Saving()
        show_title = process_title.setter()
        line.monitor_memory(memory.limit_of(self._config))
        repeated: set[int] | None = None if repeat_of(self._config) is None else set()
        self._use_attempts()
        self._next = self._claim()
        while self._next is not None and line.may_start():
            test = self.test = self._next
            self._next_is_chosen = self._has_rested = False
            after = line.peek()
            tried = self._next_tried
            # First, because a parallel collection may have to collect their files.
            item, nextitem = items[test], None if after is None else items[after]
            line.set_running(test, tried)
            if self._part is not None and self._attempts is None:
                # Registered with the first file that has a test to be tried again.
                self._use_attempts()
            if self._attempts is not None:
                self._attempts.attempt = tried + 1
            self._waited = 0.0
            if repeated is not None:
                if test in repeated:
                    sessions.forget_failures(item)
                    sessions.renew_instance(item)
                repeated.add(test)
            if show_title is not None:
                show_title(f"[pytest-xdist running] {item.nodeid}")
            begin = _core.monotonic()
            try:
                run_protocol(item=item, nextitem=nextitem)
            finally:
                if not line.is_own():
                    # A process forked by the test must not tear down the session's fixtures.
                    is_failed = session.testsfailed > 0 or sys.exc_info()[1] is not None
                    forking.exit_stray_fork(is_failed=is_failed)
            took = _core.monotonic() - begin - self._waited
            if show_title is not None:
                show_title("[pytest-xdist idle]")
            line.done(test, took)
            if saving.after_test():
                line.message(line.SAVED, None)
            line.set_running(None)
            if session.shouldfail or session.shouldstop:
                break
            if not self._next_is_chosen:
                self._next = self._claim()

    def _use_attempts(self) -> None:
        """Have the plugin that tries tests again, if there is one, ask this worker."""
        self._attempts = self._config.pluginmanager.get_plugin(PLUGIN)
        if self._attempts is not None:
            self._attempts.runner = self._runner

    def _claim(self) -> int | None:
        test = self._line.claim()
        self._next_tried = self._line.tried()
        return test

    def choose_next(self, given: pytest.Item | None) -> pytest.Item | pytest.Session | None:
        """Choose the next test; called when fixtures are torn down, the last moment at which it matters.

        In a process that the suite has forked, no test is claimed, and the item `given` to the teardown is used. If
        that is None, it depends on who has forked: a child of a test must not tear down the session's fixtures, because
        the worker still needs them; a plugin that runs whole tests in children wants that.
        """
        if not self._line.is_own():
            return self._session if given is None and self._is_forked_by_test else given
        again = None if self._attempts is None else self._attempts.next_item(None)
        if again is not None:
            return again
        if self._has_rested:
            # A plugin runs the test several times, and the engine has said that it will not say what follows.
            return self._session
        if not self._next_is_chosen:
            begin = _core.monotonic()
            claimed = self._line.claim_or_rest()
            if claimed is False:
                self._has_rested = True
                self._waited = _core.monotonic() - begin
                # Tear down everything except the session's fixtures.
                return self._session
            self._next, self._next_tried = claimed, self._line.tried()
            self._next_is_chosen = True
            chosen = self._next_item()
            self._waited = _core.monotonic() - begin
            return chosen
        return self._next_item()

    def _next_item(self) -> pytest.Item | None:
        """Return the next test, collected now if another worker has collected its file; None if there is none."""
        items, session = self.items, self._session
        if self._next is None:
            return None
        if session.shouldfail or session.shouldstop:
            # It will not run, and nothing more can be collected.
            return items[self._next] if self._part is None or self._part.is_collected(self._next) else None
        return items[self._next]
