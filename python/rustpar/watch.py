"""What the template must not have done, if its forks are to be workers.

Under pytest-xdist each worker configures and collects for itself. Mostly it does no harm that forked workers share what
the template did; where it would, the template says so before it is forked:

- **Identity was read** (`reading.py`). A name made from the worker's id (a database, a log file) would be gw0's in
  every worker. An object that remembers the process it was made in (``filelock`` locks, for one) refuses to work in
  another.
- **Something unique was made** (`reading.py`, `alive.py`): a temporary directory, a port, a random name.
- **Something unshareable is alive** (`alive.py`): a thread, a connection, a child process, a file being written.
"""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING, Any

from rustpar.alive import Traces
from rustpar.places import Places
from rustpar.reading import Readings, WatchedInput
from rustpar.seeds import Seeds

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from types import FrameType

    import pytest

# No more reasons than a person reads.
_MOST_REASONS = 20


class Watch:
    """Watches a template while it configures and collects.

    Attributes:
        seeds: The random numbers that workers are to begin with.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        """Begin to watch.

        Args:
            tell: Told at once of what will still be a reason when all is collected: what was read or drawn. What was
                made may be gone by then.
        """
        self._tell = tell
        self.seeds = Seeds()
        self._reasons: dict[str, None] = {}
        self._places = Places()
        self._traces = Traces(self._places.behind_library)
        self._copies: list[tuple[weakref.ref[str], str | None]] = []
        self._readings = Readings(self._note, self._note_copy, self._traces.note_shared_memory, self._places.is_own)

    def stop(self, config: pytest.Config) -> list[str]:
        """Watch no longer.

        Returns:
            Why this process must not be forked into workers, each in words; empty when it may.
        """
        self._readings.stop()
        self.seeds.keep()
        self._traces.stop()
        for place in self._kept_copies():
            self._add(place, "keeps a copy of the environment")
        for place, what in self._traces.reasons(config):
            self._add(place, what)
        return list(self._reasons)

    def input_of(self, values: dict[str, Any], identity: Collection[str]) -> dict[str, Any]:
        """A ``workerinput`` that notes who reads a key in `identity`."""
        return WatchedInput(values, self._readings, frozenset(identity))

    def _note(self, frame: FrameType, what: str) -> None:
        asks_for_pid = what.startswith("keeps")
        if asks_for_pid and self._places.is_library(frame):
            # For its own purposes: log records, temporary names. The worker's name it only reads for others.
            return
        # No program but one with workers has their names: a package that takes one at its import has it from here.
        place = self._places.behind_library(frame, importing_counts=not asks_for_pid)
        if place is not None:
            if not self._reasons:
                self._tell(f"{place} {what}")
            self._add(place, what)

    def _note_copy(self, frame: FrameType, key: str) -> None:
        reader = self._places.outside_library(frame)
        # Packages copy it for many reasons.
        if reader is not None and self._places.is_own(reader):
            self._copies.append((weakref.ref(key), self._places.of(reader)))

    def _kept_copies(self) -> list[str | None]:
        """Who has copied the environment and still has the copy, with the name of one worker in it."""
        if any(key() is not None for key, _ in self._copies):
            gc.collect()
        return [place for key, place in self._copies if _is_held_by_a_dictionary(key())]

    def _add(self, place: str | None, what: str) -> None:
        if len(self._reasons) < _MOST_REASONS:
            self._reasons[what if place is None else f"{place} {what}"] = None


def _is_held_by_a_dictionary(key: str | None) -> bool:
    """Whether it is there and stands for a value, and not in a list of names."""
    return key is not None and any(isinstance(holder, dict) and key in holder for holder in gc.get_referrers(key))
