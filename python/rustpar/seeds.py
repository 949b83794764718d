"""Random numbers after a fork.

Python seeds ``random`` anew in every forked process. Under pytest-xdist a ``random.seed(42)`` in a conftest seeds every
worker; so what was seeded while configuring and collecting is put back, and what nobody seeded differs.
"""

from __future__ import annotations

import random
from typing import Any


class RandomState:
    """Knows whether ``random`` has been seeded since this was made."""

    def __init__(self) -> None:
        """Begin to watch."""
        self._seeded = False
        self._seed = random.seed
        random.seed = self._watched

    def _watched(self, *args: Any, **kwargs: Any) -> None:
        # Called without a seed, it takes one from the system: that is not to be the same in all workers.
        self._seeded = bool(args or kwargs) and (args or tuple(kwargs.values()))[0] is not None
        self._seed(*args, **kwargs)

    def keep(self) -> None:
        """Watch no longer, and remember the state; in the template, before it is forked."""
        random.seed = self._seed
        self._state = random.getstate() if self._seeded else None

    def restore(self) -> None:
        """Put back what was seeded; in a worker."""
        if self._state is not None:
            random.setstate(self._state)
