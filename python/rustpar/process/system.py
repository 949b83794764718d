"""``os`` and ``signal`` as they were before any conftest.

The hazard it handles: a suite may put functions of its own in the place of these modules' (one that forbids to fork, or
returns a process id that is the same everywhere), for one test or for good. What pytest-xdist does with them it has
done by then; here processes are forked, and files and signals put right, while the suite is there.
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
