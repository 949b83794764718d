"""State that plugins have set before the fork server's fork and that a fork would lose, share or repeat.

It is recorded in the controller right before the fork, because with pytest-xdist each worker would have loaded the
plugins itself.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from rustpar.process import gc_freeze, timers

if TYPE_CHECKING:
    from rustpar.process.open_files import OpenFile


class ForkedProcess:
    """The controller's state, for processes that are forked from the fork server."""

    def __init__(self) -> None:
        """Record what a fork loses."""
        self._timers = timers.running()
        self._random: Any = random.getstate()
        self._files: list[OpenFile] = []

    # The imports below are not needed in the controller.

    def reopen_files(self) -> None:
        """Reopen files before the controller reads on; in the fork server."""
        from rustpar.process import open_files

        self._files = open_files.shared()
        open_files.reopen(self._files)

    def prepare(self) -> None:
        """Do the slower part, in the fork server, while the controller loads conftests."""
        from rustpar.process import random_state

        gc_freeze.collect_and_freeze(lambda: random_state.find_unseeded(self._random))

    def apply(self) -> None:
        """Apply the state, in a process that the fork server has forked."""
        from rustpar.process import open_files, random_state

        open_files.reopen(self._files)
        random_state.restore_generators()
        timers.start(self._timers)
