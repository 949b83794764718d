"""Runs each test in a process of its own: ``--rustpar-forked``, ``@pytest.mark.forked``, and pytest-forked's option.

What a test changes in its process is gone afterwards. What tests share is set up before the fork in the process that
runs all of them, and torn down there: collectors, and fixtures of class scope and wider.

The hazard it handles: the process of a test may crash, hang or be killed. Its end closes the pipe, and it dies with its
parent, so a worker that is killed at a time limit leaves none behind.
"""

from __future__ import annotations

import contextlib
import posix
import random
import warnings
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from rustpar import _core
from rustpar.compat import fixtures, hooks, sessions
from rustpar.compat.longrepr import from_serializable
from rustpar.compat.reports import teardown_report
from rustpar.compat.warning_message import from_plain
from rustpar.coverage import measuring
from rustpar.forked import channel
from rustpar.forked.child import ForkedTest
from rustpar.process import crash_files, forking, interrupt_signal
from rustpar.process.system import os, signal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    class Worker(Protocol):
        """The worker whose session runs the tests, as of `WorkerPlugin`."""

        def leaves_retries(self) -> bool:
            """Whether the engine tries failed tests again."""

        def leave_retry(self, attempt: int, delay: float) -> bool:
            """Leave the retry of the running test, after this attempt, to the engine."""

        def begin_attempt(self, attempt: int | None) -> None:
            """Record that another attempt of the test begins here; None while it is waited for."""

        def set_forked(self, process: int | None) -> None:
            """Record in which process the running test is run; None before that is waited for."""

        def is_timed_out(self) -> bool:
            """Whether that process was ended at the time limit of its test."""

        def suite_property(self, name: str, value: object) -> None:
            """Send a property recorded by ``record_testsuite_property``."""


NAME = "rustpar-forked"

# Seconds for the process of a test to tear down its fixtures after an interrupt.
_TEARDOWN_LIMIT = 5.0


class ForkedTests:
    """Runs tests in processes of their own."""

    def __init__(self, session: pytest.Session, *, is_for_all: bool) -> None:
        """Run tests of `session` so: all, or those with the mark ``forked``."""
        self._config = session.config
        self._session = session
        self._is_for_all = is_for_all
        self._state = sessions.setup_state_of(session)
        self._protocol = hooks.intercept(session.config.hook.pytest_runtest_protocol, self._run_protocol)
        self._stack = crash_files.StackFile(session.config)
        self._is_forked = False

    def _run_protocol(self, name: str, impls: Any, kwargs: dict[str, Any], firstresult: bool) -> object:
        item = kwargs["item"]
        # A retry in the process of a test runs there.
        is_wanted = self._is_for_all or item.get_closest_marker("forked") is not None
        if is_wanted and not self._is_forked:
            self._run(item, kwargs["nextitem"], lambda: self._protocol(name, impls, kwargs, firstresult))
            return True
        return self._protocol(name, impls, kwargs, firstresult)

    def _run(self, item: pytest.Item, nextitem: pytest.Item | None, protocol: Callable[[], object]) -> None:
        self._set_up_shared(item)
        worker: Worker | None = self._config.pluginmanager.get_plugin("rustpar-worker")
        reading, writing = os.pipe2(os.O_CLOEXEC)
        parent = os.getpid()
        self._stack.clear()
        pid = forking.fork()
        if pid == 0:
            os.close(reading)
            if not _core.die_with_parent(parent):
                posix._exit(1)
            leaves_retries = worker is not None and worker.leaves_retries()
            self._is_forked = True
            self._stack.use()
            ForkedTest(self._config, item, writing, leaves_retries=leaves_retries).run(protocol)
        os.close(writing)
        if worker is not None:
            worker.set_forked(pid)
        # The next one must not draw the same numbers.
        random.getrandbits(32)
        _Relay(self._config, item, worker, self._stack).handle_all(pid, reading)
        self._tear_down_shared(item, nextitem)

    def _set_up_shared(self, item: pytest.Item) -> None:
        """Set up what other tests may share; an error is kept, and raised again in the process of the test."""
        shared = fixtures.shared_names(item)
        if self._is_set_up(item, shared) or sessions.is_skipped(item):
            return
        with fixtures.phase_output(item, "setup"), fixtures.errors_kept():
            self._state.setup(item.parent)
            with fixtures.active_scopes(item):
                fixtures.set_up_all(item, [name for name, _ in shared])

    def _is_set_up(self, item: pytest.Item, shared: list[tuple[str, Any]]) -> bool:
        """Whether nothing is left to do."""
        assert item.parent is not None
        if list(self._state.stack) != item.parent.listchain():
            return False
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        return all(name not in parameters and sessions.is_set_up(definition) for name, definition in shared)

    def _tear_down_shared(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        try:
            if nextitem is not None and list(self._state.stack) == nextitem.listchain()[: len(self._state.stack)]:
                return
            with fixtures.phase_output(item, "teardown"):
                self._state.teardown_exact(nextitem)
        except (Exception, pytest.fail.Exception) as error:
            item.ihook.pytest_runtest_logreport(report=teardown_report(item, error))


class _Relay:
    """Calls hooks with what the process of a test sends."""

    def __init__(
        self, config: pytest.Config, item: pytest.Item, worker: Worker | None, stack: crash_files.StackFile
    ) -> None:
        self._config = config
        self._item = item
        self._worker = worker
        self._stack = stack
        self._when = "setup"
        self._has_started = False
        self._has_ended = False
        # What ends the session, once the process has exited.
        self._ending: BaseException | None = None

    def handle_all(self, pid: int, fd: int) -> None:
        """Handle all messages of a process, and its end.

        Raises:
            KeyboardInterrupt: The test, or this process, was interrupted.
            pytest.exit.Exception: The test has called ``pytest.exit``.
        """
        try:
            self._receive(fd)
        except BaseException:
            # The messages that follow are of no interest, but fixtures are torn down.
            os.kill(pid, interrupt_signal.chosen())
            _wait(pid, _TEARDOWN_LIMIT)
            raise
        finally:
            os.close(fd)
        if self._worker is not None:
            # Once it was waited for, its id may be that of another process.
            with contextlib.suppress(ChildProcessError):
                os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
            self._worker.set_forked(None)
        status = _wait(pid, None)
        if self._worker is not None and self._worker.is_timed_out():
            # The controller reports the failure, and replaces this worker.
            self._stack.hand_over(self._config)
            os.kill(os.getpid(), signal.SIGKILL)
        if not self._has_ended:
            self._report_crash(status)
        if self._ending is not None:
            raise self._ending

    def _receive(self, fd: int) -> None:
        handlers: dict[str, Callable[[Any], object]] = {
            "start": self._on_start,
            "finish": lambda about: self._item.ihook.pytest_runtest_logfinish(**about),
            "report": self._on_report,
            "warning": self._on_warning,
            "property": self._on_property,
            "retry": self._on_retry,
            "attempt": self._on_attempt,
            "lost": self._on_lost,
            "coverage": lambda lines: measuring.add_lines(self._config, lines),
            "exit": self._on_exit,
            "interrupt": self._on_interrupt,
            "error": self._on_error,
            "end": self._on_end,
        }
        for kind, value in channel.receive(fd):
            handler = handlers.get(kind)
            if handler is not None:
                handler(value)

    def _on_start(self, about: dict[str, Any]) -> None:
        self._has_started = True
        self._item.ihook.pytest_runtest_logstart(**about)

    def _on_report(self, data: dict[str, Any]) -> None:
        report = from_serializable(self._config, data)
        if report.when == "setup" and report.passed:
            self._when = "call"
        elif report.when in ("setup", "call"):
            self._when = "teardown"
        self._item.ihook.pytest_runtest_logreport(report=report)

    def _on_warning(self, about: dict[str, Any]) -> None:
        message = from_plain(about.pop("data"))
        self._config.hook.pytest_warning_recorded.call_historic(kwargs={"warning_message": message, **about})

    def _on_retry(self, about: tuple[int, float]) -> None:
        if self._worker is not None:
            self._worker.leave_retry(*about)

    def _on_attempt(self, attempt: int | None) -> None:
        if self._worker is not None:
            self._worker.begin_attempt(attempt)

    def _on_property(self, about: tuple[str, object]) -> None:
        keeper: Any = self._worker or self._config.pluginmanager.get_plugin("rustpar-journaling")
        if keeper is not None:
            keeper.suite_property(*about)

    def _on_lost(self, types: list[str]) -> None:
        kinds = ", ".join(sorted(set(types)))
        warnings.warn(
            pytest.PytestWarning(
                f"the report of {self._item.nodeid} contains {kinds}, which the process of the test cannot send and "
                "replaces by its repr; use plain values"
            ),
            stacklevel=2,
        )

    def _on_exit(self, about: tuple[str, int | None]) -> None:
        self._ending = pytest.exit.Exception(about[0], about[1])

    def _on_interrupt(self, _: None) -> None:
        self._ending = KeyboardInterrupt()

    def _on_error(self, text: str) -> None:
        self._ending = RuntimeError(f"in the process of {self._item.nodeid}:\n{text}")

    def _on_end(self, _: None) -> None:
        self._has_ended = True

    def _report_crash(self, status: int) -> None:
        """Report the crash of the process as the failure of its phase, with the stack and what it has printed."""
        text = _core.forked_crash_text(self._when, status, self._stack.read())
        sections = [(f"Captured {name} {self._when}", output) for name, output in crash_files.take_output(self._config)]
        report = pytest.TestReport(
            self._item.nodeid,
            self._item.location,
            dict.fromkeys(self._item.keywords, 1),
            "failed",
            text,
            self._when,  # type: ignore[arg-type]
            sections,
        )
        if not self._has_started:
            self._item.ihook.pytest_runtest_logstart(nodeid=self._item.nodeid, location=self._item.location)
        self._item.ihook.pytest_runtest_logreport(report=report)
        self._item.ihook.pytest_runtest_logfinish(nodeid=self._item.nodeid, location=self._item.location)


def _wait(pid: int, limit: float | None) -> int:
    """Wait for a process, and kill it after `limit` seconds; return its exit status, or minus a signal."""
    deadline = None if limit is None else _core.monotonic() + limit
    while True:
        try:
            done, status = os.waitpid(pid, os.WNOHANG if deadline is not None else 0)
        except ChildProcessError:
            # The suite waits for any child.
            return 0
        if done:
            return os.waitstatus_to_exitcode(status)
        if deadline is not None and _core.monotonic() > deadline:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            deadline = None
        _core.sleep(0.002)


def register(session: pytest.Session, items: Sequence[pytest.Item]) -> None:
    """Run tests in processes of their own, if an option or a mark asks for it."""
    plugins = session.config.pluginmanager
    is_for_all = bool(session.config.getoption("rustpar_forked", False))
    other: Any = plugins.get_plugin("pytest_forked")
    if other is not None and (is_for_all or plugins.has_plugin("rustpar-worker")):
        is_for_all = is_for_all or bool(session.config.getoption("forked", False))
        hooks.forget_implementation(session.config.hook.pytest_runtest_protocol, other)
    elif other is not None:
        # It runs its tests itself.
        return
    if plugins.has_plugin(NAME):
        return
    if is_for_all or any(item.get_closest_marker("forked") is not None for item in items):
        plugins.register(ForkedTests(session, is_for_all=is_for_all), NAME)
