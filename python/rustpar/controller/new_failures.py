"""A hint at the end of runs whose new failures may be caused by the order of tests, by sharing, or by the collection.

Its text is in ``src/report/terminal/notices.rs``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core
from rustpar.recording.history import history_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from rustpar.controller.startup import Startup


class NewFailures:
    """Reports how to find the cause of tests that fail now but did not in the last run."""

    def __init__(self, config: pytest.Config, startup: Startup) -> None:
        """Observe the run of `config`."""
        self._config = config
        self._startup = startup
        self._count = 0
        # The failures of the last run; None if there was none.
        self._failed_before: set[str] | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Read pytest's cache before a test can run pytest in the same directory."""
        cache: Any = getattr(self._config, "cache", None)
        # Every run writes cache/nodeids when it ends; a controller, which collects nothing, writes an empty list.
        if cache is not None and cache.get("cache/nodeids", None) is not None:
            self._failed_before = set(cache.get("cache/lastfailed", {}))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Compare with the last run, before the history is updated.

        pytest's cache has the files that could not be collected. For tests the history is more accurate: pytest keeps
        only the last report of a node id, even if that is of a call behind failing subtests or of a teardown that
        skips.
        """
        reporter: Any = self._config.pluginmanager.get_plugin("terminalreporter")
        if self._failed_before is None or reporter is None or self._startup.verdict is None:
            return
        stats = getattr(reporter, "stats", {})
        failed = {report.nodeid for category in ("failed", "error") for report in stats.get(category, ())}
        if failed:
            new = sorted(failed - self._failed_before)
            history = history_of(self._config)
            self._count = len(new) if history is None else history.failed(new).count(False)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> Generator[None, object, object]:
        """Print the hint after all other sections."""
        result = yield
        if self._count:
            verdict = self._startup.verdict
            with_template = verdict is not None and verdict.start == "template"
            line = _core.new_failures_line(self._count, with_template)
            terminalreporter.write_line(f"rustpar: {line}", yellow=True)
            if self._startup.is_divided:
                line = "the test files were collected in parallel: --rustpar-collect=serial tells if that is the cause"
                terminalreporter.write_line(f"rustpar: {line}", yellow=True)
        return result
