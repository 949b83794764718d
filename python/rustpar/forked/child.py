"""The process of a single test: it runs the test as the process that has forked it would, and sends what it reports.

The hazards it handles: hooks about reports are called in the parent, where plugins count and collect. Shared fixtures
and collectors belong to the parent, so only what the test itself has set up is torn down. The process must never return
into the parent's loop, whatever happens.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import posix
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from rustpar.compat import sessions
from rustpar.compat.hooks import intercept
from rustpar.compat.longrepr import to_serializable
from rustpar.compat.warning_message import to_plain
from rustpar.config.retry_options import PLUGIN
from rustpar.coverage import measuring
from rustpar.forked import channel
from rustpar.process import exit_functions, forking

if TYPE_CHECKING:
    from collections.abc import Callable


class ForkedTest:
    """The process of a test."""

    def __init__(self, config: pytest.Config, item: pytest.Item, fd: int, *, leaves_retries: bool) -> None:
        """Send to the descriptor `fd`; `leaves_retries` says whether the engine tries the test again."""
        self._config = config
        self._item = item
        self._fd = fd
        self._leaves_retries = leaves_retries

    def run(self, protocol: Callable[[], object]) -> NoReturn:
        """Run the test with `protocol`, and exit."""
        gc.disable()
        status = 1
        try:
            exit_functions.forget_exit_functions()
            self._relay_hooks()
            self._keep_collectors()
            self._replace_runner()
            try:
                protocol()
            except BaseException as error:
                self._send_exception(error)
                with contextlib.suppress(BaseException):
                    # Otherwise pytest does it at the end of the session.
                    sessions.setup_state_of(self._item.session).teardown_exact(None)
            with contextlib.suppress(Exception):
                atexit._run_exitfuncs()
            self._send("coverage", measuring.measured_lines(self._config))
            self._send("end", None)
            forking.flush()
            status = 0
        finally:
            # Not os._exit, which the suite or coverage.py may have replaced.
            posix._exit(status)

    def _send(self, kind: str, value: object) -> list[str]:
        with contextlib.suppress(BrokenPipeError):
            return channel.send(self._fd, kind, value)
        return []

    def _relay_hooks(self) -> None:
        """Send what hooks about results are called with, instead of calling them."""
        hook = self._config.hook
        intercept(hook.pytest_runtest_logstart, lambda _name, _impls, kwargs, _first: self._relay("start", kwargs))
        intercept(hook.pytest_runtest_logfinish, lambda _name, _impls, kwargs, _first: self._relay("finish", kwargs))
        intercept(hook.pytest_runtest_logreport, lambda _name, _impls, kwargs, _first: self._report(kwargs["report"]))
        intercept(hook.pytest_warning_recorded, lambda _name, _impls, kwargs, _first: self._warning(kwargs))
        recorder: Any = sessions.junit_file(self._config)
        if recorder is not None:
            recorder.add_global_property = self.suite_property
        for name in ("rustpar-worker", "rustpar-journaling"):
            plugin: Any = self._config.pluginmanager.get_plugin(name)
            if plugin is not None:
                plugin.suite_property = self.suite_property

    def _relay(self, kind: str, kwargs: dict[str, Any]) -> list[object]:
        self._send(kind, {"nodeid": kwargs["nodeid"], "location": kwargs["location"]})
        return []

    def _report(self, report: pytest.TestReport) -> list[object]:
        attempts: Any = self._config.pluginmanager.get_plugin(PLUGIN)
        if attempts is None:
            self._send_report(report)
        else:
            # It makes a rerun of the failures of an attempt that is followed by another.
            with contextlib.contextmanager(attempts.pytest_runtest_logreport)(report):
                self._send_report(report)
        return []

    def _send_report(self, report: pytest.TestReport) -> None:
        data = to_serializable(self._config, report)
        if data is None:
            data = sessions.serialized(report) | {"$report_type": "TestReport"}
        lost = self._send("report", data)
        if lost:
            self._send("lost", lost)

    def _warning(self, kwargs: dict[str, Any]) -> list[object]:
        values = {name: kwargs[name] for name in ("when", "nodeid", "location")}
        self._send("warning", values | {"data": to_plain(kwargs["warning_message"])})
        return []

    def suite_property(self, name: str, value: object) -> None:
        """Send a property recorded by ``record_testsuite_property``."""
        self._send("property", (name, value))

    def _keep_collectors(self) -> None:
        """Tear down only what belongs to the test itself."""
        state = sessions.setup_state_of(self._item.session)
        teardown, parent = type(state).teardown_exact, self._item.parent
        state.teardown_exact = lambda _nextitem: teardown(state, parent)

    def _replace_runner(self) -> None:
        """Leave retries to the parent, if there is an engine that can choose another worker."""
        attempts: Any = self._config.pluginmanager.get_plugin(PLUGIN)
        if attempts is not None:
            attempts.runner = self

    def leave_retry(self, attempt: int, delay: float) -> bool:
        """Leave the retry of the test to the engine; False if it has to be run here."""
        if self._leaves_retries:
            self._send("retry", (attempt, delay))
        return self._leaves_retries

    def begin_attempt(self, attempt: int | None) -> None:
        """Send that another attempt of the test begins; None while it is waited for."""
        self._send("attempt", attempt)

    def may_start(self) -> bool:
        """Whether a test may still start."""
        return True

    def _send_exception(self, error: BaseException) -> None:
        if isinstance(error, pytest.exit.Exception):
            self._send("exit", (str(error.msg), error.returncode))
        elif isinstance(error, KeyboardInterrupt):
            self._send("interrupt", None)
        else:
            import traceback

            self._send("error", "".join(traceback.format_exception(error)))
