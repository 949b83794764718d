"""A word at the end of a run whose failures might come from the order of the tests, or from what workers share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rustpar.remembering import history_of
from rustpar.workers import asked_plan

if TYPE_CHECKING:
    from collections.abc import Generator

    from rustpar.launch import Launch


class Doubt:
    """Tells how to find out whether workers are the cause, where tests fail that did not in the last run."""

    def __init__(self, config: pytest.Config, launch: Launch) -> None:
        """Look at the run of `config`."""
        self._config = config
        self._launch = launch
        self._count = 0
        self._start = ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Compare with the last run, before pytest's cache and the history forget it.

        pytest's cache has the files that could not be collected. Of tests the history knows more: pytest takes the last
        report with a node id, be it that of a call behind failing subtests, or of a teardown that skips.
        """
        cache: Any = getattr(self._config, "cache", None)
        reporter: Any = self._config.pluginmanager.get_plugin("terminalreporter")
        verdict = self._launch.verdict
        if cache is None or reporter is None or verdict is None:
            return
        self._start = verdict.start
        stats = getattr(reporter, "stats", {})
        failed = {report.nodeid for category in ("failed", "error") for report in stats.get(category, ())}
        # pytest writes this whenever a run ends; a controller, which collects nothing, writes an empty list.
        if failed and cache.get("cache/nodeids", None) is not None:
            news = sorted(failed - set(cache.get("cache/lastfailed", {})))
            history = history_of(self._config)
            self._count = len(news) if history is None else history.failed(news).count(False)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> Generator[None, object, object]:
        """Say it in one line, after everything else."""
        result = yield
        if self._count:
            tests = "a test" if self._count == 1 else f"{self._count} tests"
            terminalreporter.write_line(
                f"rustpar: {tests} failed that did not in the last run; {self._advice()}", yellow=True
            )
        return result

    def _advice(self) -> str:
        """What may be the cause besides the code, and what to run to find out."""
        causes, ways = ["which tests ran before them"], ["-n0 (all in order, in one process)"]
        if asked_plan(self._config) == "duration":
            ways.append("--rustpar-plan=collection (in order, in workers)")
        if self._start == "template":
            causes.append("what workers share that are forked from one template")
            ways.append("--rustpar-start=early (nothing shared)")
        cause = " or ".join(causes)
        return f"if not the code, the cause may be {cause}: compare {', '.join(ways)}, or run `rustpar doctor`"
