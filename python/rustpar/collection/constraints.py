"""Constraints on tests that must not run at the same time: ``serial``, ``resource`` and ``rustpar_resources``.

This module finds the marks; they are interpreted natively (``src/schedule/constraints/marks.rs``) and enforced by the
engine. Without ``-n`` one test runs at a time, and constraints are not needed.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pytest

from rustpar import _core
from rustpar.collection.markers import marked
from rustpar.config.values import ini_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    # Index of the test, whether it is serial, and its resources, each with whether it may be shared.
    Constraint = tuple[int, bool, list[tuple[str, bool]]]

_NAMES = ("serial", "resource")


def constraints_of(items: Sequence[pytest.Item]) -> tuple[list[Constraint], list[str]]:
    """Return the constraints of the tests that have any, and a warning for each function with invalid marks.

    Invalid marks are ignored.
    """
    found = marked(items, _NAMES)
    return _core.needs(found, [items[index].nodeid for index in found])


def warn_about_invalid_marks(items: Sequence[pytest.Item]) -> None:
    """Warn about invalid marks; not an error, because a project may use these names for other purposes."""
    for text in constraints_of(items)[1]:
        warnings.warn(pytest.PytestWarning(text), stacklevel=2)


def limits_of(config: pytest.Config) -> dict[str, int]:
    """Return how many tests may hold each resource at a time, from ``rustpar_resources``; the default is one.

    Raises:
        pytest.UsageError: The setting is invalid; a one-line message.
    """
    try:
        return dict(_core.resource_limits(ini_lines(config, "rustpar_resources")))
    except ValueError as error:
        raise pytest.UsageError(f"rustpar_resources: {error}") from None
