"""How workers come up, why, and the memory of it.

The memory is an entry of pytest's cache: for each choice of tests and plugins on the command line, a fingerprint of
what the verdict rests on: conftests, the files that the reasons name, plugins, and the versions of Python, pytest and
rustpar. ``early`` is worth remembering, and a ``template`` that was forked because early workers had collected
different tests: else each run would find that out anew. Any other template looks in each run, at no cost. The hazard it
handles: a suite that changes must be looked at anew, so an entry whose fingerprint does not fit, or that cannot be
read, counts for nothing.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import rustpar
from rustpar import _core

if TYPE_CHECKING:
    from collections.abc import Iterable

_KEY = "rustpar/start"

# Choices of tests that are remembered; the oldest is forgotten.
_MOST = 32


@dataclass(frozen=True)
class StartDecision:
    """How workers come up.

    Attributes:
        start: ``template`` or ``early``.
        reasons: Why it is ``early``, or ``template`` all the same, each in words, most telling first; empty when it was
            asked for, and when nothing speaks against a template.
        remembered: Whether an earlier run has seen the reasons.
    """

    start: str
    reasons: tuple[str, ...]
    remembered: bool = False

    def words(self, verbosity: int) -> list[str]:
        """The lines that say so; with a `verbosity` above 0, with every reason."""
        return _core.start_lines(self.start, self.reasons, self.remembered, verbosity)


class Memory:
    """The verdict of the last run, in pytest's cache."""

    def __init__(self, config: pytest.Config) -> None:
        """Use the cache of `config`, if it has one."""
        self._cache: Any = getattr(config, "cache", None)
        self._config = config
        # What one test file does says nothing about a run without it, nor what a plugin does that is not there.
        self._choice = hashlib.sha256(repr((config.args, config.option.plugins)).encode()).hexdigest()

    def recall(self) -> StartDecision | None:
        """The remembered verdict, if there is one that still fits."""
        try:
            entry = self._entries()[self._choice]
            conftests, reasons = entry["conftests"], tuple(map(str, entry["reasons"]))
            if entry["fingerprint"] != self._fingerprint(conftests):
                return None
        except (TypeError, KeyError, OSError, ValueError):
            return None
        return StartDecision(entry.get("start", "early"), reasons, remembered=True)

    def remember(self, verdict: StartDecision, conftests: Iterable[str]) -> None:
        """Keep a verdict that rests on these conftest files; forget an older one when there are no reasons."""
        if self._cache is None:
            return
        entries = self._entries()
        known = entries.pop(self._choice, None)
        if verdict.reasons:
            files = sorted(conftests)
            fingerprint = self._fingerprint(files)
            entries[self._choice] = {
                "fingerprint": fingerprint,
                "conftests": files,
                "reasons": list(verdict.reasons),
                "start": verdict.start,
            }
        elif known is None:
            return
        self._cache.set(_KEY, dict(list(entries.items())[-_MOST:]))

    def _entries(self) -> dict[str, Any]:
        entries = self._cache.get(_KEY, None) if self._cache is not None else None
        return entries if isinstance(entries, dict) else {}

    def _fingerprint(self, conftests: Iterable[str]) -> str:
        """A digest of what a verdict rests on.

        Raises:
            OSError: When a conftest cannot be read.
        """
        digest = hashlib.sha256()
        plugins = sorted(
            f"{distribution.project_name}-{distribution.version}"
            for _, distribution in self._config.pluginmanager.list_plugin_distinfo()
        )
        for text in (sys.version, pytest.__version__, rustpar.__version__, *plugins):
            digest.update(text.encode() + b"\0")
        for file in conftests:
            digest.update(file.encode() + b"\0" + hashlib.sha256(Path(file).read_bytes()).digest())
        return digest.hexdigest()
