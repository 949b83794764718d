"""Time limits of tests and runs: ``--rustpar-timeout``, ``--rustpar-run-timeout``, ``@pytest.mark.timeout(seconds)``.

The engine enforces those of tests from outside of the worker (``src/engine/limits.rs``), the controller those of runs.

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


def run_limit(config: pytest.Config) -> float | None:
    """Return the limit of the whole run in seconds, from the command line or the ini file; None if there is none.

    Raises:
        pytest.UsageError: ``rustpar_run_timeout`` in the ini file is not a duration.
    """
    return given(config, "rustpar_run_timeout", _core.parse_duration) or None


def default_limit(config: pytest.Config) -> float | None:
    """Return the limit of all tests in seconds, from the command line or the ini file; None if there is none.

    Raises:
        pytest.UsageError: ``rustpar_timeout`` in the ini file is not a duration.
    """
    return given(config, "rustpar_timeout", _core.parse_duration)


def limits_of(config: pytest.Config, items: Sequence[pytest.Item]) -> list[tuple[int, float]]:
    """Return the indices of the tests with a valid mark, and their limits in seconds; 0 for no limit."""
    extra = _BACKSTOP if config.pluginmanager.has_plugin("timeout") else 0.0
    limits = ((index, _seconds_of(marks[0])) for index, marks in marked(items, ("timeout",)).items())
    return [(index, seconds + extra if seconds else 0.0) for index, seconds in limits if seconds is not None]


def warn_about_invalid_marks(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """Warn about invalid marks, which are ignored, unless pytest-timeout is installed and does that."""
    if config.pluginmanager.has_plugin("timeout"):
        return
    for index, marks in marked(items, ("timeout",)).items():
        if _seconds_of(marks[0]) is None:
            text = f"{items[index].nodeid}: invalid timeout mark: expected for example @pytest.mark.timeout(10)"
            warnings.warn(pytest.PytestWarning(text), stacklevel=2)


def _seconds_of(mark: pytest.Mark) -> float | None:
    value: object = mark.args[0] if mark.args else mark.kwargs.get("timeout")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    try:
        return _core.parse_duration(value) if isinstance(value, str) else None
    except ValueError:
        return None
