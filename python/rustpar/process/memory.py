"""How much memory workers hold, how much they may, and for how many of them it is enough.

For how many is said once the template has collected. A worker shares the template's memory until it writes to it. What
it will come to need is not known, and estimated: half of what the template has, and what workers have grown by in the
last run of the same command.

The hazard it handles: a worker that finds no memory left is killed, and a test with it. But a wrong estimate makes a
run slower than it could be; so it is only made for ``-n auto``, and the run says what it has come to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rustpar import _core
from rustpar.config.values import given

if TYPE_CHECKING:
    import pytest

# Bytes that a worker needs at least. A worker of a suite of trivial tests comes to write to 6 to 10 MiB; the rest is
# for what its tests need where nothing is known of them.
_LEAST = 32 << 20


# Where a worker's output has what it :func:`holds`, on its way to the controller.
HELD = "rustpar_memory"

LIMIT_OPTION = "--rustpar-max-rss"


class Held(NamedTuple):
    """What a process holds.

    Attributes:
        peak: Resident bytes that it has held at most.
        resident: Bytes that are in memory now, shared or not.
        proportional: The same, where a page that n processes share counts as the n-th part; None where that cannot be
            read.
    """

    peak: int
    resident: int
    proportional: int | None


def holds() -> Held:
    """What this process holds. Takes 6 ms for 200 MiB that are its own."""
    peak = _core.peak_memory()
    return Held(peak, _core.resident_memory(None) or peak, _core.proportional_memory(None))


def limit_of(config: pytest.Config) -> int | None:
    """Bytes beyond which a worker is replaced, by the option or the ini file; None where none is given.

    Raises:
        pytest.UsageError: The ini file gives no size.
    """
    return given(config, "rustpar_max_rss", _in_bytes)


def _in_bytes(text: str) -> int:
    return _core.parse_size(text)


def workers_that_fit(template: int, growth: int | None) -> tuple[int, str] | None:
    """For how many workers there is memory, at least 1, and the figures behind it; None where that cannot be told.

    Args:
        template: Bytes that the template has.
        growth: Bytes by which a worker grew beyond the template in the last run, if that is known.
    """
    left = _core.memory_left()
    if left is None:
        return None
    each = max(_LEAST, template // 2 + (growth or 0))
    figures = f"memory: {_core.spoken_size(left)} left, {_core.spoken_size(each)} each"
    return max(1, left // each), figures
