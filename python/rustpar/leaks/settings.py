"""The option ``--rustpar-leaks`` and the marker ``allow_leaks``."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pytest

from rustpar import _core
from rustpar.collection.markers import marked
from rustpar.config.values import ini_choice

if TYPE_CHECKING:
    from collections.abc import Sequence

MARKER = "allow_leaks"


def mode_of(config: pytest.Config) -> str:
    """Return what is done about leaks: "off", "warn" or "fail".

    Raises:
        pytest.UsageError: ``rustpar_leaks`` in the configuration file is none of these.
    """
    given: str | None = config.getoption("rustpar_leaks", None)
    meanings = {"false": "off", "true": "warn", "": "off"}
    return given or ini_choice(config, "rustpar_leaks", ("off", "warn", "fail"), meanings)


def allowed_kinds(item: pytest.Item) -> frozenset[str]:
    """Return the kinds of leaks that the marks of a test allow."""
    allowed: set[str] = set()
    for mark in item.iter_markers(MARKER):
        allowed.update(mark.args or _core.leak_kinds())
    return frozenset(allowed)


def warn_about_invalid_marks(items: Sequence[pytest.Item]) -> None:
    """Warn about marks with unknown kinds, which allow nothing."""
    known = _core.leak_kinds()
    for index, marks in marked(items, (MARKER,)).items():
        unknown = [str(kind) for mark in marks for kind in mark.args if kind not in known]
        if unknown:
            text = (
                f"{items[index].nodeid}: invalid allow_leaks mark: {unknown[0]!r}: expected one of {', '.join(known)}"
            )
            warnings.warn(pytest.PytestWarning(text), stacklevel=2)
