"""Copies of ``os`` and ``signal`` from before any conftest.

The hazard it handles: a suite may replace functions of these modules (by one that forbids forking, or returns a
constant process id), for one test or permanently. pytest-xdist has finished using them by then, but here processes are
forked, and files and signals adjusted, while the suite is active.
"""

import os as _os
import signal as _signal
from types import SimpleNamespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os as os
    import signal as signal
else:
    os = SimpleNamespace(**vars(_os))
    signal = SimpleNamespace(**vars(_signal))

__all__ = ["os", "signal"]
