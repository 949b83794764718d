"""The decision how workers start, with its reasons, and the storage of decisions for later runs.

``startup.py`` makes the decision. Decisions are stored in pytest's cache. The key is the selection of tests and plugins
on the command line. An entry has a fingerprint of everything that the decision depends on: conftests, the files named
by the reasons, plugins, and the versions of Python, pytest and rustpar. Stored are ``early``, and a ``template`` that
was forked because early workers had collected different tests: otherwise each run would have to find that out again.
Other templates check in each run, at no cost.

The hazard it handles: a suite that has changed must be checked again, so entries that are unreadable or have a
different fingerprint are ignored.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rustpar import _core
from rustpar.config.versions import versions
from rustpar.controller.cache_entries import CacheEntries

if TYPE_CHECKING:
    from collections.abc import Iterable

_KEY = "rustpar/start"


@dataclass(frozen=True)
class StartDecision:
    """How workers start.

    Attributes:
        start: ``template`` or ``early``.
        reasons: The reasons for ``early``, or for ``template`` in spite of such reasons, most important first; empty if
            it was set explicitly, and if there are no reasons against a template.
        remembered: Whether the reasons were found by an earlier run.
    """

    start: str
    reasons: tuple[str, ...]
    remembered: bool = False

    def words(self, verbosity: int) -> list[str]:
        """Return the lines that report the decision; all reasons if `verbosity` is above 0."""
        return _core.start_lines(self.start, self.reasons, self.remembered, verbosity)


class DecisionCache:
    """The decision of the last run, in pytest's cache."""

    def __init__(self, config: pytest.Config) -> None:
        """Use the cache of `config`, if it has one."""
        self._entries = CacheEntries(getattr(config, "cache", None), _KEY)
        self._config = config
        # The reasons may come from a test file or a plugin that another selection does not include.
        self._selection = selection(config)

    def recall(self) -> StartDecision | None:
        """Return the remembered decision if it is still valid, else None."""
        try:
            entry = self._entries.get(self._selection)
            conftests, reasons = entry["conftests"], tuple(map(str, entry["reasons"]))
            if entry["fingerprint"] != fingerprint(self._config, conftests):
                return None
        except (TypeError, KeyError, OSError, ValueError):
            return None
        return StartDecision(entry.get("start", "early"), reasons, remembered=True)

    def remember(self, verdict: StartDecision, conftests: Iterable[str]) -> None:
        """Store a decision that depends on these conftest files; if it has no reasons, remove the stored one."""
        if not verdict.reasons:
            self._entries.set(self._selection, None)
            return
        files = sorted(conftests)
        entry = {
            "fingerprint": fingerprint(self._config, files),
            "conftests": files,
            "reasons": list(verdict.reasons),
            "start": verdict.start,
        }
        self._entries.set(self._selection, entry)


def fingerprint(config: pytest.Config, files: Iterable[str]) -> str:
    """Return a digest of the contents of `files`, and of everything else that a decision about a suite depends on.

    Raises:
        OSError: A file cannot be read.
    """
    digest = hashlib.sha256()
    for text in (sys.version, *sorted(f"{name}-{version}" for name, version in versions(config).items())):
        digest.update(text.encode() + b"\0")
    for file in files:
        digest.update(file.encode() + b"\0" + hashlib.sha256(Path(file).read_bytes()).digest())
    return digest.hexdigest()


def selection(config: pytest.Config) -> str:
    """Return a digest of the selection of tests and plugins on the command line."""
    return hashlib.sha256(repr((config.args, config.option.plugins)).encode()).hexdigest()
