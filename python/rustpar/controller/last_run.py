"""How long the last run of the same command took: what ``-n auto`` goes by before anything is collected.

An entry of pytest's cache, one for each command: options and tests, from the command line and elsewhere. Options of
conftests choose tests, too (``--run-slow``), so all count but those of which it is known that they only show.

The hazard it handles: what is remembered may not fit this run. A run that is not complete is forgotten, and so is one
that takes place in one process, until it has ended: a test that takes the process with it meets workers the next time.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from rustpar.recording.journal import journal_writer_of

if TYPE_CHECKING:
    from collections.abc import Callable

_KEY = "rustpar/auto"

# Commands that are remembered; the oldest is forgotten.
_MOST = 32

# Options that make no difference to how long tests take, and some of which are given another value in each run.
_SHOWING = frozenset(
    {"basetemp", "color", "durations", "durations_min", "log_file", "reportchars", "showcapture", "tbstyle"}
    | {"testrunuid", "verbose", "xmlpath"}
)

_COMMAND: pytest.StashKey[str] = pytest.StashKey()


class LastRun(NamedTuple):
    """A complete run.

    Attributes:
        tests: How many tests it ran.
        seconds: What they and the fixtures that they share took, added up over all workers.
        growth: Bytes by which a worker grew beyond the template on average; None where that was not measured.
    """

    tests: int
    seconds: float
    growth: int | None


def recall(config: pytest.Config) -> LastRun | None:
    """The last run of this command, if it was complete."""
    try:
        tests, seconds, growth = _entries(_cache(config))[_command(config)]
        run = LastRun(int(tests), float(seconds), None if growth is None else int(growth))
        return run if min(run.tests, run.growth or 0) >= 0 else None
    except (KeyError, TypeError, ValueError):
        return None


class Keeper:
    """Remembers a run, when it has ended."""

    def __init__(self, config: pytest.Config) -> None:
        """Remember the run of `config`."""
        _command(config)
        self._config = config
        self._growths: list[int] = []
        self._has_lost_any = False

    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Note by how much a worker grew, or that it crashed: its next run is to have workers, too."""
        growth = getattr(node, "growth", None)
        if error is not None:
            self._has_lost_any = True
        elif growth is not None:
            self._growths.append(growth)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Remember the run if it was complete, when the last report is there."""
        tests, seconds = journal_writer_of(self._config).recorder.totals()
        is_complete = exitstatus <= pytest.ExitCode.TESTS_FAILED and not (session.shouldfail or session.shouldstop)
        if tests == 0 or not is_complete or self._has_lost_any:
            forget(self._config)
            return
        growth = sum(self._growths) // len(self._growths) if self._growths else None
        keep(self._config, LastRun(tests, seconds, growth))


def keep(config: pytest.Config, run: LastRun) -> None:
    """Remember a complete run."""
    _change(config, lambda entries: entries.update({_command(config): list(run)}))


def forget(config: pytest.Config) -> None:
    """Know nothing of this command."""
    _change(config, lambda entries: None)


def _change(config: pytest.Config, change: Callable[[dict[str, Any]], None]) -> None:
    cache = _cache(config)
    if cache is None:
        return
    known = _entries(cache)
    entries = dict(known)
    entries.pop(_command(config), None)
    change(entries)
    if entries != known:
        with warnings.catch_warnings():
            # pytest itself warns of a cache that cannot be written.
            warnings.simplefilter("ignore", pytest.PytestCacheWarning)
            cache.set(_KEY, dict(list(entries.items())[-_MOST:]))


def _cache(config: pytest.Config) -> Any:
    """The cache of pytest; None without one, and before `config` is configured also where it is about to be cleared."""
    known = getattr(config, "cache", None)
    if known is not None or getattr(config.option, "cacheclear", True):
        return known
    return pytest.Cache.for_config(config, _ispytest=True)


def _entries(cache: Any) -> dict[str, Any]:
    entries = cache.get(_KEY, None) if cache is not None else None
    return entries if isinstance(entries, dict) else {}


def _command(config: pytest.Config) -> str:
    """A digest of what was asked for; taken once, since options change while a run is configured."""
    known = config.stash.get(_COMMAND, None)
    if known is None:
        options = {name: value for name, value in vars(config.option).items() if name not in _SHOWING}
        asked = [str(config.invocation_params.dir), list(map(str, config.args)), sorted(options.items())]
        text = json.dumps(asked, default=lambda value: type(value).__name__)
        known = config.stash[_COMMAND] = hashlib.sha256(text.encode(errors="replace")).hexdigest()
    return known
