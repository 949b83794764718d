"""Time limits of tests: ``--rustpar-timeout``, ``rustpar_timeout`` and ``@pytest.mark.timeout(seconds)``.

The engine enforces them from outside of the worker (``src/engine/limits.rs``).

The hazard it handles: pytest-timeout, which reads the same mark, shows more where it can interrupt a test from inside.
If it is installed, it comes first, and the engine ends the worker some seconds later.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pytest

from rustpar import _core
from rustpar.collection.markers import marked
from rustpar.config.values import given

if TYPE_CHECKING:
    from collections.abc import Sequence

# Seconds by which the limit of a mark is extended if pytest-timeout is installed. Its thread method writes the stacks
# and then ends the process.
_BACKSTOP = 5.0


def default_limit(config: pytest.Config) -> float | None:
    """Return the limit of all tests in seconds, from the command line or the ini file; None if there is none.

    Raises:
        pytest.UsageError: ``rustpar_timeout`` in the ini file is not a duration.
    """
    return given(config, "rustpar_timeout", _core.parse_duration)


def limits_of(config: pytest.Config, items: Sequence[pytest.Item]) -> list[tuple[int, float]]:
    """Return the indices of the tests with a mark, and their limits in seconds; 0 for no limit.

    An invalid mark is ignored with a warning.
    """
    extra = _BACKSTOP if config.pluginmanager.has_plugin("timeout") else 0.0
    limits = []
    for index, marks in marked(items, ("timeout",)).items():
        seconds = _seconds_of(marks[0])
        if seconds is not None:
            limits.append((index, seconds + extra if seconds > 0 else 0.0))
        elif not extra:
            text = f"invalid mark on {items[index].nodeid}: expected for example @pytest.mark.timeout(10)"
            warnings.warn(pytest.PytestWarning(text), stacklevel=2)
    return limits


def _seconds_of(mark: pytest.Mark) -> float | None:
    value = mark.args[0] if mark.args else mark.kwargs.get("timeout")
    if isinstance(value, str):
        try:
            return _core.parse_duration(value)
        except ValueError:
            return None
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number else None
