"""The duration of the last run of the same command, which ``-n auto`` uses before anything is collected.

It is an entry in pytest's cache, one for each command: the options and tests, from the command line and elsewhere.
Conftests' options can select tests, too (``--run-slow``), so all options count except those that only affect output.

The hazard it handles: the entry may not fit this run. The entry of an incomplete run is deleted. When a run starts in
a single process, its entry is deleted, and stored again at the end: if a test kills the process, the next run has
workers.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, NamedTuple

import pytest

from rustpar.controller.cache_entries import CacheEntries
from rustpar.recording.journal import journal_writer_of

_KEY = "rustpar/auto"

# Options that do not affect the duration of tests; some have a different value in each run.
_OUTPUT_OPTIONS = frozenset(
    {"basetemp", "color", "durations", "durations_min", "log_file", "reportchars", "showcapture", "tbstyle"}
    | {"testrunuid", "verbose", "xmlpath"}
)

_COMMAND: pytest.StashKey[str] = pytest.StashKey()


class LastRun(NamedTuple):
    """A complete run.

    Attributes:
        tests: The number of tests.
        seconds: The time they and shared fixtures took, summed over all workers.
        growth: By how many bytes the memory of a worker exceeded the template's, on average; None if not measured.
    """

    tests: int
    seconds: float
    growth: int | None


def recall(config: pytest.Config) -> LastRun | None:
    """Return the last run of this command, or None if there is none or it was incomplete."""
    try:
        tests, seconds, growth = _entries(config).get(_command(config))
        run = LastRun(int(tests), float(seconds), None if growth is None else int(growth))
        return run if min(run.tests, run.growth or 0) >= 0 else None
    except (KeyError, TypeError, ValueError):
        return None


class Keeper:
    """Stores a run when it has ended."""

    def __init__(self, config: pytest.Config) -> None:
        """Store the run of `config`."""
        _command(config)
        self._config = config
        self._growths: list[int] = []
        self._has_crash = False

    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Record by how much a worker's memory grew, or that it crashed, so that the next run has workers, too."""
        growth = getattr(node, "growth", None)
        if error is not None:
            self._has_crash = True
        elif growth is not None:
            self._growths.append(growth)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Store the run after its last report, if it was complete."""
        tests, seconds = journal_writer_of(self._config).recorder.totals()
        is_complete = exitstatus <= pytest.ExitCode.TESTS_FAILED and not (session.shouldfail or session.shouldstop)
        if tests == 0 or not is_complete or self._has_crash:
            forget(self._config)
            return
        growth = sum(self._growths) // len(self._growths) if self._growths else None
        keep(self._config, LastRun(tests, seconds, growth))


def keep(config: pytest.Config, run: LastRun) -> None:
    """Store a complete run."""
    _entries(config).set(_command(config), list(run))


def forget(config: pytest.Config) -> None:
    """Delete the entry of this command."""
    _entries(config).set(_command(config), None)


def _entries(config: pytest.Config) -> CacheEntries:
    """Return the remembered runs; none before `config` is configured if pytest is about to clear its cache."""
    cache = getattr(config, "cache", None)
    if cache is None and not getattr(config.option, "cacheclear", True):
        cache = pytest.Cache.for_config(config, _ispytest=True)
    return CacheEntries(cache, _KEY)


def _command(config: pytest.Config) -> str:
    """Return a digest of options and arguments, computed once because options change while a run is configured."""
    known = config.stash.get(_COMMAND, None)
    if known is None:
        options = {name: value for name, value in vars(config.option).items() if name not in _OUTPUT_OPTIONS}
        asked = [str(config.invocation_params.dir), list(map(str, config.args)), sorted(options.items())]
        text = json.dumps(asked, default=lambda value: type(value).__name__)
        known = config.stash[_COMMAND] = hashlib.sha256(text.encode(errors="replace")).hexdigest()
    return known
