"""Tests that must not meet: the marks ``serial`` and ``resource``, and ``rustpar_resources``.

What they say is read natively (``src/schedule/constraints/marks.rs``), and obeyed by the engine. What is here finds the
marks. Without ``-n`` one test runs at a time, and nobody looks at them.
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

    # Index of a test, whether no other may run, and the resources that it holds, with whether others may, too.
    Needs = tuple[int, bool, list[tuple[str, bool]]]

_NAMES = ("serial", "resource")


def needs_of(items: Sequence[pytest.Item]) -> tuple[list[Needs], list[str]]:
    """What tests need: only those that need something.

    Returns:
        The needs, and a line for each function whose marks make no sense and are ignored.
    """
    found = marked(items, _NAMES)
    return _core.needs(found, [items[index].nodeid for index in found])


def warn_of_bad_marks(items: Sequence[pytest.Item]) -> None:
    """Warn of marks that make no sense: a project may have some of these names for purposes of its own."""
    for text in needs_of(items)[1]:
        warnings.warn(pytest.PytestWarning(text), stacklevel=2)


def limits_of(config: pytest.Config) -> dict[str, int]:
    """How many places resources have, by name, from ``rustpar_resources``; those that it does not name have one.

    Raises:
        pytest.UsageError: When it makes no sense; one line that says what to write.
    """
    try:
        return dict(_core.resource_limits(ini_lines(config, "rustpar_resources")))
    except ValueError as error:
        raise pytest.UsageError(f"rustpar_resources: {error}") from None
