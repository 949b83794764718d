"""What measuring coverage costs after the last test: joining the workers' data natively, and a line that says how long.

pytest-cov ends its measuring in a wrapper around ``pytest_runtestloop`` of the controller: it joins the files that
workers have saved, and makes its reports. This plugin's wrapper lies around that one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core

if TYPE_CHECKING:
    from collections.abc import Generator


class CoverageTail:
    """Joins natively while pytest-cov ends, and tells the total and how long the end took."""

    def __init__(self) -> None:
        """Nothing is measured yet."""
        # Where nothing is measured, this is not imported.
        from rustpar.coverage.combining import NativeJoining

        self._last = 0.0
        self._joining = NativeJoining()
        self._line: str | None = None

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self) -> None:
        """Remember when the last phase of a test was reported."""
        self._last = _core.monotonic()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Join natively in what comes after the last test."""
        self._last = _core.monotonic()
        with self._joining:
            result = yield
        seconds = _core.monotonic() - self._last
        total = getattr(session.config.pluginmanager.get_plugin("_cov"), "cov_total", None)
        joining = self._joining
        self._line = "rustpar: " + _core.coverage_line(total, seconds, joining.files, joining.seconds)
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> Generator[None, object, object]:
        """Say it, behind pytest-cov's own reports."""
        result = yield
        if self._line is not None:
            terminalreporter.write_line(self._line)
        return result


def register(config: pytest.Config) -> None:
    """Watch the end of measuring, where pytest-cov measures."""
    plugin = config.pluginmanager.get_plugin("_cov")
    if plugin is not None and getattr(plugin, "cov_controller", None) is not None:
        config.pluginmanager.register(CoverageTail(), "rustpar-coverage-tail")
