"""The start of a forked process: from the fork server's fork to the start of its pytest session.

The process continues where the controller was before the first conftest, with a parsed command line and loaded plugins.
From there it does what an xdist worker does (``xdist/remote.py``): environment before conftests, ``workerinput`` before
``pytest_configure``, option ``dist`` "no". Plugins treat it as such a worker.

The hazard it handles: the stack still contains frames of the controller, up to the program that called pytest. The
process must never return into them. pytest unconfigures on every exit path, even after an error while loading
conftests; so the process ends there.
"""

from __future__ import annotations

# pytest imports pdb when it is configured. Here, it is imported while this process waits for its first request.
import pdb  # noqa: F401
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rustpar import _core
from rustpar.compat import property_fixtures
from rustpar.compat.sessions import is_conftest_error, set_program_name
from rustpar.compat.xdist_worker import setup_config
from rustpar.coverage import measuring
from rustpar.fork_safety.monitor import Monitor
from rustpar.forkserver import loop
from rustpar.forkserver.template import ForkPoint
from rustpar.process import crash_files, exit_functions, forking, gc_freeze, interrupt_signal
from rustpar.process.code_origin import CodeOrigins
from rustpar.process.identity import replace_stdio
from rustpar.process.system import os
from rustpar.worker import native_multicall, process_title
from rustpar.worker.session import WorkerPlugin, make_line

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence


class Child:
    """A process forked by the fork server: the template, or an early worker.

    The request's message has ``fork`` (the worker's number), ``slot``, ``workerinput``, ``identity`` (the keys of
    workerinput that differ between workers), ``is_decided`` (whether ``early`` is already decided), ``will_fork``
    (whether workers will be forked from the template; None if that depends on the reasons that it finds),
    ``is_divided`` (whether workers collect a part of the files each), ``environment`` and ``directory`` (the
    controller's), ``basetemp`` (or None), ``resumed`` (the arguments of ``resumption.load``; None if no run is
    resumed), ``hasmarkup`` (whether the controller's terminal shows colours) and ``has_terminal`` (whether debuggers
    can use it).
    """

    def __init__(
        self, request: loop.Request, shared: _core.Shared, requests: socket.socket, records: socket.socket
    ) -> None:
        """Set up the process as `request` says; the sockets lead to and from the controller."""
        self._setup = request.message
        self._shared = shared
        self._loop = loop.ForkLoop(requests, records, shared)
        is_template = self._setup["fork"] == loop.TEMPLATE
        if not is_template:
            self._loop.close()
        self._line = make_line(shared, self._setup["slot"])
        exit_functions.forget_exit_functions()
        replace_stdio(request.output)
        process_title.locate()
        self._take_over_environment()
        self._settle = gc_freeze.collect_rarely()
        self._worker: WorkerPlugin | None = None
        self._loaded_before = frozenset(sys.modules)
        self._monitor = Monitor(self._send_reason, is_decided=self._setup["is_decided"]) if is_template else None
        for finder in sys.meta_path:
            # A warm server's modules can be used although the monitor has replaced functions.
            accept = getattr(finder, "accept_patches", None)
            if accept is not None:
                accept()

    def _send_reason(self, reason: str) -> None:
        self._line.message(self._line.REASON, reason)

    def _take_over_environment(self) -> None:
        """Set the controller's current environment and directory, and the worker's own variables."""
        workerinput = self._setup["workerinput"]
        os.environb.clear()
        os.environb.update(self._setup["environment"])
        os.chdir(self._setup["directory"])
        os.environ["PYTEST_XDIST_TESTRUNUID"] = workerinput["testrunuid"]
        os.environ["PYTEST_XDIST_WORKER"] = workerinput["workerid"]
        os.environ["PYTEST_XDIST_WORKER_COUNT"] = str(workerinput["workercount"])

    def enter(self, early_config: pytest.Config) -> None:
        """Turn the controller's early configuration into this process's own."""
        early_config.add_cleanup(self._end_process)
        plugins = early_config.pluginmanager
        for plugin in early_config.invocation_params.plugins or ():
            # Objects given to pytest.main() exist only in the controller, as with xdist's workers.
            if not isinstance(plugin, str) and plugins.is_registered(plugin):
                plugins.unregister(plugin)
        plugins.register(self, "rustpar-beginning")
        measuring.keep_data_files(early_config)
        measuring.restart(early_config, self._setup["workerinput"]["testrunuid"])

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> None:
        """Set the options of a worker before the session starts."""
        uses_debugger = config.option.usepdb and self._setup["has_terminal"]
        setup_config(config, self._setup["basetemp"])
        config.option.usepdb = uses_debugger
        native_multicall.install(config)
        workerinput = self._setup["workerinput"]
        set_program_name(config, Path(workerinput["mainargv"][0]).name)
        config.workeroutput = {}  # type: ignore[attr-defined]
        if self._monitor is None:
            config.workerinput = workerinput  # type: ignore[attr-defined]
        else:
            config.workerinput = self._monitor.watched_input(workerinput, self._setup["identity"])  # type: ignore[attr-defined]
        fork_point = self._fork_point(config)
        self._worker = WorkerPlugin(
            config,
            self._line,
            fork_point,
            self._monitor,
            hasmarkup=self._setup["hasmarkup"],
            resumed=self._setup["resumed"],
        )
        config.pluginmanager.register(self._worker, "rustpar-worker")
        if self._monitor is not None and isinstance(fork_point, ForkPoint) and self._setup["is_divided"]:
            from rustpar.worker.file_parts import FileParts

            worker = self._worker
            worker.parts = FileParts(config, fork_point, self._monitor, worker.use_line, worker.report_files)
            config.pluginmanager.register(worker.parts, "rustpar-parts")
        config.pluginmanager.register(property_fixtures, "rustpar-fixtures")
        if self._setup["has_terminal"]:
            from rustpar.debugger import lent_terminal

            config.pluginmanager.register(lent_terminal.LentTerminal(config), lent_terminal.NAME)

    def _fork_point(self, config: pytest.Config) -> ForkPoint | _EarlyForkPoint:
        if self._monitor is None:
            return _EarlyForkPoint(config, self._line, self._setup["crash_files"], self._settle)
        return ForkPoint(config, self._loop, self._shared, self._monitor.seeds, self._settle, self._setup["will_fork"])

    def _end_process(self) -> None:
        """End this process, as the last cleanup of the configuration."""
        error = sys.exc_info()[1]
        if not self._is_own():
            # The suite has forked this process; reporting and teardown are up to its parent.
            forking.exit_stray_fork(is_failed=error is not None)
        # The session's exit status has already been sent; 0 tells that the process ended normally.
        status = 0 if error is None else self._report_error(error)
        # From here nothing may return, not even by an interrupt; the controller kills processes that take too long.
        interrupt_signal.ignore()
        if self._worker is not None:
            self._worker.wait_for_exit()
        exit_functions.run_exit_functions()
        exit_functions.clear_modules(self._loaded_before, CodeOrigins().is_own_file)
        forking.flush()
        _core.exit_process(status)

    def _is_own(self) -> bool:
        """Whether this is the template or a worker, as opposed to a process that the suite has forked from it."""
        return (self._line if self._worker is None else self._worker).is_own()

    def _report_error(self, error: BaseException) -> int:
        """Report why there was no session, to the controller or else on the terminal; return the exit status."""
        if isinstance(error, pytest.UsageError):
            messages = [str(arg) for arg in error.args]
        elif is_conftest_error(error):
            messages = [f"a conftest cannot be imported in a worker: {error}"]
        elif isinstance(error, KeyboardInterrupt):
            return int(pytest.ExitCode.INTERRUPTED)
        else:
            import traceback

            traceback.print_exception(error)
            return 70  # EX_SOFTWARE of sysexits.h
        self._line.message(self._line.USAGE_ERROR, messages)
        return int(pytest.ExitCode.USAGE_ERROR)


class _EarlyForkPoint:
    """The fork point of an early worker, which is already forked."""

    will_fork = False

    def __init__(
        self, config: pytest.Config, line: _core.Line, files: Sequence[int], settle: Callable[[], None]
    ) -> None:
        self._config = config
        self._line = line
        self._files = files
        self._settle = settle

    def wait(self, use_line: Callable[[_core.Line], None], end: Callable[[], None]) -> None:
        use_line(self._line)
        self._settle()
        crash_files.use(self._config, self._files, keep=True)
