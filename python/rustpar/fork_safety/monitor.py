"""Detection of everything that makes forking workers from the template unsafe.

With pytest-xdist each worker configures and collects for itself. It is mostly harmless if forked workers share what the
template did. Where it is not, the template reports a reason before it is forked:

- **Identity was read** (`identity_reads.py`). A name derived from the worker's id (a database, a log file) would be
  gw0's in every worker. An object that stores the process id of its creator (``filelock`` locks, for one) does not work
  in another process.
- **Something unique was created** (`unique_values.py`, `leaked_resources.py`): a temporary directory, a port, a random
  name. It counts if it names something outside the process (`kept_values.py`), and not if it is only test data.
- **Something unshareable is left** (`leaked_resources.py`): a thread, a connection, a child process, a file that is
  open for writing.
"""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING, Any

from rustpar.fork_safety.identity_reads import IdentityReads, WatchedInput
from rustpar.fork_safety.leaked_resources import LeakedResources
from rustpar.fork_safety.unique_values import UniqueValues
from rustpar.process.code_origin import CodeOrigins
from rustpar.process.random_state import RandomState
from rustpar.process.system import os

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from types import FrameType

    import pytest

    from rustpar.fork_safety.unique_values import Source

# What code does with what :meth:`LeakedResources.actions` describes.
_VERBS = {"a database": "opens the database", "a socket's path": "binds", "a command": "runs"}

# More reasons than anybody would read.
_MOST_REASONS = 20


class Monitor:
    """Watches a template while it configures and collects.

    Attributes:
        seeds: The state of random number generators with which workers start.
    """

    def __init__(self, report: Callable[[str], None], *, is_decided: bool) -> None:
        """Start watching.

        Args:
            report: Called immediately for the first reason that will still be valid after collection: a read of the
                worker's name. Resources may be released by then, and drawn values may be mere test data.
            is_decided: Whether reasons are not needed; then only the state of random numbers is recorded.
        """
        self._report = report
        self.seeds = RandomState()
        self._reasons: dict[str, None] = {}
        self._places = CodeOrigins()
        self._copies: list[tuple[weakref.ref[str], str | None]] = []
        self._environment: dict[bytes, bytes] = dict(os.environ._data)  # type: ignore[attr-defined]
        self._is_decided = is_decided
        self._leaked: LeakedResources | None = None
        self._unique: UniqueValues | None = None
        if not is_decided:
            self._leaked = LeakedResources(self._places)
            # Created after it, so that its replaced functions wrap the other's.
            self._unique = UniqueValues(
                self._places, self._leaked.note_shared_memory, lambda: self._identity_reads.has_seeded
            )
            self._leaked.on_port = self._unique.note_port
        self._identity_reads = IdentityReads(self._note, self._note_copy, self._places.is_own)

    def stop(self, config: pytest.Config) -> list[str]:
        """Stop watching.

        Returns:
            The reasons against forking this process into workers; empty if there are none.
        """
        self.stop_recording()
        return self._find_reasons(config)

    def stop_recording(self) -> None:
        """Stop watching in a process that is a worker already; nothing more will be forked from it."""
        replaced = [*self._identity_reads.replacements(), *self.seeds.replacements()]
        if self._unique is not None:
            replaced += self._unique.replacements()
        self._places.put_back(replaced)
        # In reverse order of creation, because each restores what it had found.
        self._identity_reads.stop()
        if self._unique is not None:
            self._unique.stop()
        self.seeds.stop()
        if self._leaked is not None:
            self._leaked.stop()

    def reasons_now(self, config: pytest.Config) -> list[str]:
        """Return what `stop` would return now, and keep watching."""
        before = dict(self._reasons)
        try:
            return self._find_reasons(config)
        finally:
            # Resources may be released later.
            self._reasons = before

    def _find_reasons(self, config: pytest.Config) -> list[str]:
        if self._leaked is None or self._unique is None:
            return []
        for place in self._kept_copies():
            self._add(place, "keeps a copy of the environment")
        for place, what in self._kept_values(config, self._unique.sources, self._leaked):
            self._add(place, what)
        for place, what in self._leaked.reasons(config):
            self._add(place, what)
        return list(self._reasons)

    def _kept_values(
        self, config: pytest.Config, sources: list[Source], leaked: LeakedResources
    ) -> Iterator[tuple[str, str]]:
        """Yield the lines that have drawn a value that names something outside the process."""
        if sources:
            from rustpar.fork_safety import kept_values
            from rustpar.fork_safety.external_names import Names

            names = Names(config, self._places).all(self._environment, leaked.actions())
            for source, where in kept_values.find_named(sources, names):
                yield source.place, f"{source.what}, which is kept in {where}"

    def effects(self) -> list[str]:
        """Return descriptions of what has drawn a unique value, or has had an effect outside this process."""
        if self._leaked is None or self._unique is None:
            return []
        drawn = [f"{source.place} {source.what}" for source in self._unique.sources]
        # Paths are recorded in another way.
        used = [(what, text) for what, text in self._leaked.actions() if what in _VERBS]
        return [*drawn, *(f"{_VERBS[what]} {text}" for what, text in used)]

    def watched_input(self, values: dict[str, Any], identity: Collection[str]) -> dict[str, Any]:
        """Return a ``workerinput`` that reports reads of the keys in `identity`."""
        return WatchedInput(values, self._identity_reads, frozenset(identity))

    def _note(self, frame: FrameType, what: str) -> None:
        if self._is_decided:
            return
        # Only runs with workers have the worker's name, so also the import of a package counts if it reads it.
        place = self._places.line_outside_library(frame, importing_counts=True)
        if place is not None:
            if not self._reasons:
                self._report(f"{place} {what}")
            self._add(place, what)

    def _note_copy(self, frame: FrameType, key: str) -> None:
        reader = self._places.outside_library(frame)
        # Packages copy the environment for many reasons.
        if not self._is_decided and reader is not None and self._places.is_own(reader):
            self._copies.append((weakref.ref(key), self._places.line_of(reader)))

    def _kept_copies(self) -> list[str | None]:
        """Return the lines that have copied the environment and still hold the copy, with one worker's name in it."""
        if any(key() is not None for key, _ in self._copies):
            gc.collect()
        return [place for key, place in self._copies if _is_held_by_dictionary(key())]

    def _add(self, place: str | None, what: str) -> None:
        if len(self._reasons) < _MOST_REASONS:
            self._reasons[what if place is None else f"{place} {what}"] = None


def _is_held_by_dictionary(key: str | None) -> bool:
    """Whether the key exists and is in a dictionary, as opposed to a list of names."""
    return key is not None and any(isinstance(holder, dict) and key in holder for holder in gc.get_referrers(key))
