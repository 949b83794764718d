"""Native combining in pytest-cov, and a summary line with the time that coverage takes after the last test.

pytest-cov finishes its measurement in a wrapper around the controller's ``pytest_runtestloop``: it combines the files
that workers have saved, and creates its reports. This plugin's wrapper encloses that one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core

if TYPE_CHECKING:
    from collections.abc import Generator


class CoverageSummary:
    """Combines natively while pytest-cov finishes, and reports the total and how long that took."""

    def __init__(self) -> None:
        """Prepare the native combining."""
        # Only imported if coverage is measured.
        from rustpar.coverage.combining import NativeJoining

        self._last = 0.0
        self._joining = NativeJoining()
        self._line: str | None = None

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self) -> None:
        """Record when the last phase of a test was reported."""
        self._last = _core.monotonic()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Combine natively after the last test."""
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
        """Print the line after pytest-cov's own reports."""
        result = yield
        if self._line is not None:
            terminalreporter.write_line(self._line)
        return result


def register(config: pytest.Config) -> None:
    """Register the plugin if pytest-cov is measuring."""
    plugin = config.pluginmanager.get_plugin("_cov")
    if plugin is not None and getattr(plugin, "cov_controller", None) is not None:
        config.pluginmanager.register(CoverageSummary(), "rustpar-coverage-tail")
