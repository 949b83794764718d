"""The title of a worker's process, as xdist sets it if setproctitle is installed: the running test.

The hazard it handles: setproctitle finds the memory of the title by searching for the environment, which a worker
replaces.
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def locate() -> None:
    """Have setproctitle, if imported, locate the process title, before the environment that it searches is replaced."""
    if "setproctitle" in sys.modules:
        with contextlib.suppress(Exception):
            # As in xdist, errors in setting the title are ignored.
            sys.modules["setproctitle"].getproctitle()


def setter() -> Callable[[str], None] | None:
    """Return a function that sets the process title, as xdist does; None if setproctitle is not installed."""
    from rustpar.compat.xdist_worker import remote

    # xdist imports setproctitle if it is installed.
    return remote.worker_title if "setproctitle" in sys.modules else None
