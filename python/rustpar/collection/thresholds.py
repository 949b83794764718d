"""Thresholds for a run, from ``--rustpar-thresholds`` and ``rustpar_thresholds``, and the markers that they name.

The expressions are parsed natively (``src/analysis/threshold.rs``) and evaluated on the run's journal.

The hazard it handles: a threshold on a misspelled marker would never be exceeded. So its markers must be registered, as
if a test used them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core
from rustpar.collection.markers import check_registered, marked
from rustpar.config.values import ini_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

_OPTION, _INI = "--rustpar-thresholds", "rustpar_thresholds"

_KEY: pytest.StashKey[_core.Thresholds | None] = pytest.StashKey()

# Key in workeroutput: the tests that carry each marker, from workers of pytest-xdist's own engine.
OUTPUT = "rustpar_marks"


def thresholds_of(config: pytest.Config) -> _core.Thresholds | None:
    """Return the thresholds that were given; None if there are none.

    Raises:
        pytest.UsageError: An expression is invalid; the message points to the position.
    """
    if _KEY not in config.stash:
        config.stash[_KEY] = _read(config)
    return config.stash[_KEY]


def _read(config: pytest.Config) -> _core.Thresholds | None:
    given: str | None = config.option.rustpar_thresholds
    text = "\n".join(ini_lines(config, _INI)) if given is None else given
    try:
        thresholds = _core.Thresholds(text)
    except ValueError as error:
        raise pytest.UsageError(f"{_source(config)}: {error}") from None
    return thresholds if str(thresholds) else None


def _source(config: pytest.Config) -> str:
    return _INI if config.option.rustpar_thresholds is None else _OPTION


def check_markers(config: pytest.Config) -> None:
    """Have pytest warn about unregistered markers, or reject them."""
    thresholds = thresholds_of(config)
    if thresholds is not None:
        check_registered(config, thresholds.markers, _source(config))


def marks_of(config: pytest.Config, items: Sequence[pytest.Item]) -> dict[str, list[int]]:
    """Return the indices of the tests that carry each marker named by a threshold."""
    thresholds = thresholds_of(config)
    if thresholds is None or not thresholds.markers:
        return {}
    return dict(thresholds.tests_by_marker(marked(items, thresholds.markers)))


class MarksOfWorker:
    """Sends the marked tests to the controller with pytest-xdist's own engine, which otherwise sends only node ids."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Add the marked tests to workeroutput."""
        config: Any = session.config
        config.workeroutput[OUTPUT] = marks_of(config, session.items)
