"""The timing sections of the summary, and thresholds that can fail a run. ``docs/timing.md`` is for users.

The journal of the run is read back, but only if needed: with thresholds, a limit for slow tests, or ``-v``.

The hazard it handles: thresholds that cannot be checked must not pass. If thresholds were given and the journal cannot
be read, the run fails and says why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core
from rustpar.collection.thresholds import thresholds_of
from rustpar.config.slow_limit import slow_limit

if TYPE_CHECKING:
    from rustpar.recording.journal import JournalWriter


class TimingSections:
    """Analyses a run after its last report, and adds sections to pytest's summary."""

    def __init__(self, config: pytest.Config, journaling: JournalWriter) -> None:
        """Read the journal that `journaling` writes for the run of `config`."""
        self._config = config
        self._journal_writer = journaling
        self._timing: _core.Timing | None = None
        self._thresholds: list[tuple[str, bool]] = []
        self._problem: str | None = None

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a run that exceeds a threshold; a worse exit status is kept."""
        try:
            self._timing = self._read()
            self._thresholds = self._timing.thresholds()
        except (OSError, ValueError) as error:
            self._problem = str(error)
        given = thresholds_of(self._config) is not None
        broken = any(is_broken for _, is_broken in self._thresholds)
        status = getattr(session, "exitstatus", None)
        if (broken or (given and self._problem)) and status == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _read(self) -> _core.Timing:
        path = self._journal_writer.complete_file()
        if path is None:
            raise ValueError("the run's journal is incomplete")
        return _core.Timing.read(path, self._config.invocation_params.dir, self._config.rootpath)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Show slow tests, timing and thresholds."""
        verbosity = self._config.option.verbose
        if self._timing is not None and verbosity >= 0:
            self._show_slow(terminalreporter, self._timing)
            if verbosity > 0:
                self._show_timing(terminalreporter, self._timing)
        self._show_thresholds(terminalreporter)

    def _show_slow(self, reporter: Any, timing: _core.Timing) -> None:
        if slow_limit(self._config) is None and self._config.option.verbose <= 0:
            return
        lines = timing.slow_tests()
        if lines:
            reporter.write_sep("=", timing.slow_title())
        for line, stands_out in lines:
            reporter.write_line(line, yellow=stands_out)

    def _show_timing(self, reporter: Any, timing: _core.Timing) -> None:
        lines = timing.lines()
        if lines:
            reporter.write_sep("=", "timing")
        for line in lines:
            reporter.write_line(line)

    def _show_thresholds(self, reporter: Any) -> None:
        is_verbose = self._config.option.verbose > 0
        lines = [(line, is_broken) for line, is_broken in self._thresholds if is_broken or is_verbose]
        if self._problem is not None and thresholds_of(self._config) is not None:
            lines = [(f"could not check the thresholds: {self._problem}", True)]
        if lines:
            reporter.write_sep("=", "thresholds")
        for line, is_broken in lines:
            reporter.write_line(line, red=is_broken, green=not is_broken)
