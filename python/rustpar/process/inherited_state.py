"""What the processes of a run begin with that a fork by itself would lose, share or repeat.

Made in the controller right before the fork server is forked, for what plugins have done until then: under pytest-xdist
each worker has loaded them itself.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from rustpar.process import gc_freeze, timers

if TYPE_CHECKING:
    from rustpar.process.open_files import OpenFile


class ForkedProcess:
    """The state of the controller, for processes that are forked from the fork server."""

    def __init__(self) -> None:
        """Note what is gone after the fork."""
        self._timers = timers.running()
        self._random: Any = random.getstate()
        self._files: list[OpenFile] = []

    # What is imported below is not needed in the controller.

    def take_files(self) -> None:
        """Have files of its own, before the controller goes on to read; in the fork server."""
        from rustpar.process import open_files

        self._files = open_files.shared()
        open_files.open_again(self._files)

    def prepare(self) -> None:
        """Do what takes longer; in the fork server, while the controller loads conftests."""
        from rustpar.process import random_state

        gc_freeze.collect_and_freeze(lambda: random_state.look_back(self._random))

    def begin(self) -> None:
        """Make all of it this process's own; in one that the fork server has forked."""
        from rustpar.process import open_files, random_state

        open_files.open_again(self._files)
        random_state.begin()
        timers.start(self._timers)
