"""What a run has to keep, ``--rustpar-thresholds`` and ``rustpar_thresholds``: what was asked, and of which tests.

The expressions are read natively (``src/analysis/threshold.rs``), and judged by the journal of the run.

The hazard it handles: a threshold over a marker that no test carries never breaks. So a marker has to be known to
pytest, as where a test uses it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core
from rustpar.collection.markers import look_for_unknown, marked
from rustpar.config.values import ini_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

_OPTION, _INI = "--rustpar-thresholds", "rustpar_thresholds"

_KEY: pytest.StashKey[_core.Thresholds | None] = pytest.StashKey()

# What a worker of pytest-xdist's own engine leaves behind for the controller.
OUTPUT = "rustpar_marks"


def thresholds_of(config: pytest.Config) -> _core.Thresholds | None:
    """The thresholds that were given; None when there are none.

    Raises:
        pytest.UsageError: When one cannot be understood; it points at the character.
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
    """Have pytest warn of markers that are not registered, or refuse them."""
    thresholds = thresholds_of(config)
    if thresholds is not None:
        look_for_unknown(config, thresholds.markers, _source(config))


def marks_of(config: pytest.Config, items: Sequence[pytest.Item]) -> dict[str, list[int]]:
    """The places of the tests that carry each marker which a threshold names."""
    thresholds = thresholds_of(config)
    if thresholds is None or not thresholds.markers:
        return {}
    return dict(thresholds.tests_by_marker(marked(items, thresholds.markers)))


class MarksOfWorker:
    """Tells the controller of the marks, where pytest-xdist's own engine runs: from there only node ids come."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Leave them behind with what else the worker does."""
        config: Any = session.config
        config.workeroutput[OUTPUT] = marks_of(config, session.items)
