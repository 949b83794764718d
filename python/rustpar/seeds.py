"""Random numbers after a fork.

Python seeds ``random`` anew in every forked process, and numpy does not. Under pytest-xdist a ``random.seed(42)`` in a
conftest seeds every worker, and so does ``numpy.random.seed(42)``; what nobody seeded differs from worker to worker. So
what was seeded while configuring and collecting is put back, and what was not is seeded anew.
"""

from __future__ import annotations

import contextlib
import random
import sys
from typing import Any


class Seeds:
    """The state of ``random`` that workers begin with, if it was seeded."""

    def __init__(self) -> None:
        """Know of no state yet."""
        self._state: Any = None

    def keep(self, *, seeded: bool) -> None:
        """Remember the state; in the template, before it is forked."""
        self._state = random.getstate() if seeded else None

    def restore(self) -> None:
        """Put back what was seeded, and seed what was not; in a worker."""
        if self._state is not None:
            random.setstate(self._state)
        numpy: Any = sys.modules.get("numpy")
        # Its random numbers are imported when they are used first. A generator that was seeded by hand has lost the
        # sequence which numpy takes from the system.
        if numpy is not None and "numpy.random" in sys.modules:
            with contextlib.suppress(AttributeError):
                if numpy.random.mtrand._rand._bit_generator.seed_seq is not None:
                    numpy.random.seed()
