"""Whether a suite is collected in parallel, and the storage of what the first run has found out about it.

A parallel collection is used when an earlier run has compared it with that of one process. What it has found is stored
in pytest's cache like the decision how workers start (``start_decision.py``), with a fingerprint of all conftests,
plugins and versions.

The hazard it handles: a suite may gain a conftest in a directory that had none. So a parallel collection is only used
with the same conftests as when it was compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from rustpar.config.values import ini_choice
from rustpar.controller.cache_entries import CacheEntries
from rustpar.controller.start_decision import fingerprint, selection
from rustpar.controller.worker_count import plan_option

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_KEY = "rustpar/collect"

COLLECTS = ("serial", "parallel")


def is_parallel(config: pytest.Config) -> bool:
    """Whether a parallel collection was asked for.

    Raises:
        pytest.UsageError: ``rustpar_collect`` in the configuration file is invalid.
    """
    given: str | None = config.option.rustpar_collect
    return (given or ini_choice(config, "rustpar_collect", COLLECTS)) == "parallel"


def obstacle(config: pytest.Config) -> str | None:
    """Return why the tests of this run must be collected by one process, whatever they are; None if nothing is."""
    option: Any = config.option
    if option.dist != "load":
        return f"--dist {option.dist}"
    if option.maxschedchunk is not None:
        return "--maxschedchunk"
    if plan_option(config) != "collection":
        return f"--rustpar-plan={plan_option(config)}"
    if option.ramp:
        return "--ramp"
    if getattr(config, "cache", None) is None:
        return "without pytest's cache, no run can be compared with it"
    return None


class Comparison(NamedTuple):
    """What an earlier run has found out.

    Attributes:
        conftests: The conftest files of that run.
        obstacle: Why the suite is collected by one process; None if both collections were the same.
        tests: The tests of each file, as of :func:`rustpar.collection.known_tests.describe`.
    """

    conftests: frozenset[str]
    obstacle: str | None
    tests: dict[str, list[int | str]]


class ComparisonCache:
    """The comparison of an earlier run, in pytest's cache."""

    def __init__(self, config: pytest.Config) -> None:
        """Use the cache of `config`, if it has one."""
        self._entries = CacheEntries(getattr(config, "cache", None), _KEY)
        self._config = config
        self._selection = selection(config)

    def recall(self) -> Comparison | None:
        """Return the stored comparison if it is still valid, else None."""
        try:
            entry = self._entries.get(self._selection)
            conftests, obstacle = entry["conftests"], entry["obstacle"]
            if entry["fingerprint"] != fingerprint(self._config, [*conftests, *entry["files"]]):
                return None
            return Comparison(frozenset(conftests), None if obstacle is None else str(obstacle), dict(entry["tests"]))
        except (TypeError, KeyError, OSError, ValueError):
            return None

    def remember(
        self,
        conftests: Iterable[str],
        obstacle: str | None,
        files: Iterable[str] = (),
        tests: Mapping[str, list[int | str]] | None = None,
    ) -> None:
        """Store a comparison of a run.

        Args:
            conftests: The conftest files.
            obstacle: Why the suite is collected by one process, if it is.
            files: Other files, which have caused that.
            tests: The tests of each file, if it is not.
        """
        known, others = sorted(conftests), sorted(files)
        entry = {
            "fingerprint": fingerprint(self._config, [*known, *others]),
            "conftests": known,
            "files": others,
            "obstacle": obstacle,
            "tests": dict(tests or {}),
        }
        self._entries.set(self._selection, entry)

    def forget(self) -> None:
        """Have the next run compare again."""
        self._entries.set(self._selection, None)


def may_be_parallel(config: pytest.Config) -> bool:
    """Whether a parallel collection was asked for, and nothing that is known prevents it.

    Raises:
        pytest.UsageError: An entry of the configuration file is invalid.
    """
    if not is_parallel(config) or obstacle(config) is not None:
        return False
    known = ComparisonCache(config).recall()
    return known is None or known.obstacle is None
