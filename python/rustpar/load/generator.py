"""Runs load tests in a worker: users are set up in the test's setup, run in its call, and torn down in its teardown.

Whatever pytest and plugins do around a test, they do once around a load test in each worker.

The hazard it handles: the worker waits for others before the beginning and after the end. Every such wait ends when the
engine says so, which it also does if another worker is lost, or when the run is stopped.
"""

from __future__ import annotations

import contextlib
import inspect
import threading
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from rustpar import _core
from rustpar.compat import user_fixtures
from rustpar.config.load_option import are_requests_recorded
from rustpar.load.async_users import AsyncioUsers
from rustpar.load.event_loop import AsyncioLoop, TrioLoop
from rustpar.load.failures import Failures
from rustpar.load.http import recorded
from rustpar.load.measuring import CURRENT
from rustpar.load.output import bounded_output
from rustpar.load.thread_users import ThreadUsers, UserThread
from rustpar.load.trio_users import TrioUsers
from rustpar.load.users import VirtualUser, raise_in

if TYPE_CHECKING:
    from rustpar.load.mark import LoadTest

NAME = "rustpar-load"

# Seconds for running iterations after an interrupt; the controller waits 10 s for the whole worker.
_INTERRUPT_LIMIT = 3.0

# Seconds for which the teardown of a user waits for its thread, which may be in an iteration that was interrupted.
_BUSY_LIMIT = 0.2

# Seconds between looks at whether other workers have ended.
_INTERVAL = 0.005


class Worker(Protocol):
    """The worker's plugin, as of `WorkerPlugin`."""

    @property
    def line(self) -> _core.Line:
        """Its connection to the engine."""

    @property
    def test(self) -> int:
        """The index of the test that it is running."""


class LoadRunner:
    """Runs the load tests of a worker.

    Attributes:
        config: The session's configuration.
        tests: The load tests.
    """

    def __init__(self, config: pytest.Config, tests: list[LoadTest]) -> None:
        """Run these tests, when pytest runs the items that stand for them."""
        self.config = config
        self.tests = tests
        self._loops: dict[str, AsyncioLoop | TrioLoop] = {}
        for test in tests:
            running = _RunningTest(self, test)
            item: Any = test.item
            item.setup, item.runtest, item.teardown = running.set_up, running.run, running.tear_down
            # A time limit is for one run of a test, and pytest-timeout's would end the worker.
            item.add_marker(pytest.mark.timeout(0), append=False)

    def plans(self, items: list[pytest.Item]) -> list[tuple[int, str]]:
        """Return the index and the plan, as a text, of each load test among these tests."""
        known = {test.item: test.plan for test in self.tests}
        return [(index, known[item].dumps()) for index, item in enumerate(items) if item in known]

    def worker(self) -> Worker:
        """Return the plugin of this worker."""
        worker: Any = self.config.pluginmanager.get_plugin("rustpar-worker")
        return worker  # type: ignore[no-any-return]

    def loop_of(self, item: Any) -> AsyncioLoop | TrioLoop:
        """Return the event loop on which this test runs."""
        callspec = getattr(item, "callspec", None)
        backend = None if callspec is None else callspec.params.get("anyio_backend")
        if isinstance(backend, tuple):
            backend = backend[0]
        name = "trio" if backend == "trio" or item.get_closest_marker("trio") is not None else "asyncio"
        if name not in self._loops:
            self._loops[name] = TrioLoop() if name == "trio" else AsyncioLoop()
        return self._loops[name]

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Close the event loops, after all fixtures were torn down."""
        for loop in self._loops.values():
            loop.close()
        self._loops.clear()


class _RunningTest:
    """A load test in this worker."""

    def __init__(self, runner: LoadRunner, test: LoadTest) -> None:
        self._runner = runner
        self._test = test
        self._lock = threading.RLock()
        self._users: list[VirtualUser] = []
        self._threads: dict[int, UserThread] = {}
        self._generator: _core.LoadGenerator | None = None
        self._failures: Failures | None = None
        self._is_async = inspect.iscoroutinefunction(test.item.function)

    # ------------------------------------------------------------------ setup

    def set_up(self) -> None:
        """Set up the users of this worker, one after the other."""
        __tracebackhide__ = True
        worker = self._runner.worker()
        generator = _core.LoadGenerator.join(worker.line, worker.test, self._test.plan)
        if generator is None:
            # The run is being stopped.
            return
        self._generator = generator
        self._failures = Failures(generator.ask_to_stop, generator.iteration)
        for number in generator.users():
            user = VirtualUser(self._test, number, generator, self._adapt, self._lock)
            self._users.append(user)
            try:
                if self._is_async:
                    user.set_up()
                else:
                    self._threads[number] = thread = UserThread(user)
                    thread.do(user.set_up)
            except BaseException as error:
                self._end_users()
                if isinstance(error, (KeyboardInterrupt, pytest.skip.Exception)):
                    raise
                raise_in(self._test.item, "setup", number, self._test.plan.users, error)

    def _adapt(self, function: Any) -> Any:
        plain = getattr(function, "__func__", function)
        if not (inspect.iscoroutinefunction(plain) or inspect.isasyncgenfunction(plain)):
            return function
        loop = self._runner.loop_of(self._test.item)
        return user_fixtures.as_synchronous(function, loop.run, loop.enter)

    # ------------------------------------------------------------------ call

    def run(self) -> None:
        """Run the users until the load test ends in all workers."""
        __tracebackhide__ = True
        generator, failures = self._generator, self._failures
        try:
            if generator is None or failures is None or not generator.wait_for_beginning():
                return
            self._run_users(generator, failures)
        finally:
            self._end_users()
            if failures is not None:
                self._send_failures(failures)
        error = failures.error
        failures.clear()
        if error is not None:
            raise error

    def _run_users(self, generator: _core.LoadGenerator, failures: Failures) -> None:
        __tracebackhide__ = True
        users = self._users_of(generator, failures)
        plan = self._test.plan
        interrupted = 0
        is_on = are_requests_recorded(self._runner.config)
        with bounded_output(self._test.item), recorded(generator, is_on=is_on):
            try:
                interrupted = users.run(generator.seconds_left, plan.graceful_stop)
            except KeyboardInterrupt:
                # Or the controller would send another one, and kill this worker before its users are torn down.
                self._runner.worker().line.set_interrupted()
                with contextlib.suppress(KeyboardInterrupt):
                    interrupted = users.drain(min(plan.graceful_stop, _INTERRUPT_LIMIT))
                raise
            finally:
                generator.finish(interrupted)
        while not generator.has_ended():
            _core.sleep(_INTERVAL)

    def _users_of(self, generator: _core.LoadGenerator, failures: Failures) -> AsyncioUsers | ThreadUsers | TrioUsers:
        renew = self._renew if self._test.is_fresh else None
        if not self._is_async:
            return ThreadUsers(generator, list(self._threads.values()), failures, renew)
        loop = self._runner.loop_of(self._test.item)
        if isinstance(loop, TrioLoop):
            return TrioUsers(generator, self._users, loop, failures, renew)
        return AsyncioUsers(generator, self._users, loop, failures, renew)

    def _renew(self, user: VirtualUser) -> bool:
        """Set up a user's function fixtures anew; return False if that fails, which ends the load test."""
        assert self._failures is not None
        # Nothing of this is part of an iteration.
        token = CURRENT.set(None)
        try:
            user.renew()
        except (Exception, pytest.fail.Exception, pytest.skip.Exception) as error:
            if hasattr(error, "add_note"):
                error.add_note(f"(in the set-up of user {user.number} for another iteration)")
            self._failures.abort(error)
            return False
        finally:
            CURRENT.reset(token)
        return True

    def _end_users(self) -> None:
        for user in self._users:
            user.end()

    def _send_failures(self, failures: Failures) -> None:
        line = self._runner.worker().line
        line.message(line.LOAD, failures.texts())

    # ------------------------------------------------------------------ teardown

    def tear_down(self) -> None:
        """Tear down the users of this worker, one after the other.

        Raises:
            BaseException: What the teardown of a user has raised; of several, the first.
        """
        __tracebackhide__ = True
        found: list[tuple[int, BaseException]] = []
        interrupt: KeyboardInterrupt | None = None
        for user in reversed(self._users):
            collected: list[BaseException] = []
            try:
                self._tear_down(user, collected)
            except KeyboardInterrupt as pressed:
                if interrupt is not None:
                    raise
                interrupt = pressed
                self._runner.worker().line.set_interrupted()
                # What is left of this user.
                self._tear_down(user, collected)
            found += [(user.number, error) for error in collected]
        for thread in self._threads.values():
            thread.end()
        self._users, self._threads, self._generator = [], {}, None
        if interrupt is not None:
            raise interrupt
        if found:
            number, first = found[0]
            raise_in(self._test.item, "teardown", number, self._test.plan.users, first)

    def _tear_down(self, user: VirtualUser, errors: list[BaseException]) -> None:
        thread = self._threads.get(user.number)
        if thread is None:
            errors += user.tear_down()
        elif not thread.is_busy:
            thread.do(lambda: errors.extend(user.tear_down()))
        elif not thread.wait(_BUSY_LIMIT):
            # An iteration that does not end, which may also hold what its fixtures need.
            errors += user.tear_down()
        else:
            thread.do(lambda: errors.extend(user.tear_down()))


def register(session: pytest.Session, tests: list[LoadTest]) -> None:
    """Run these tests as load tests."""
    session.config.pluginmanager.register(LoadRunner(session.config, tests), NAME)
