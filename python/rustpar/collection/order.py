"""The order set by ``--rustpar-order`` and ``rustpar_order``: classes of tests, distinguished by markers.

This module reads the option and the marks, and sorts items. Parsing and classification are native
(``src/schedule/order_classes.rs``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rustpar import _core
from rustpar.collection.markers import check_registered, marked
from rustpar.config.values import ini_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

_ORDER_KEY: pytest.StashKey[_core.Order | None] = pytest.StashKey()


def order_of(config: pytest.Config) -> _core.Order | None:
    """Return the order that was set; None if tests run as collected.

    Raises:
        pytest.UsageError: The order is invalid; a one-line message.
    """
    if _ORDER_KEY not in config.stash:
        config.stash[_ORDER_KEY] = _read(config)
    return config.stash[_ORDER_KEY]


def classes_of(config: pytest.Config, items: Sequence[pytest.Item]) -> list[int]:
    """Return the class of each test, 0 runs first; empty if there is only one class."""
    order = order_of(config)
    return [] if order is None or order.count == 1 else _classes(order, items)


def sort(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort tests by class, stably.

    Raises:
        pytest.UsageError: A marker is not registered, and pytest treats that as an error.
    """
    order = order_of(config)
    if order is None:
        return
    check_registered(config, order.markers, _source(config))
    items[:] = [items[index] for index in order.sorted(_classes(order, items))]


def _classes(order: _core.Order, items: Sequence[pytest.Item]) -> list[int]:
    return order.classes(len(items), marked(items, order.markers))


def _read(config: pytest.Config) -> _core.Order | None:
    given: str | None = config.option.rustpar_order
    lines = ini_lines(config, "rustpar_order") if given is None else [given]
    if not lines:
        return None
    try:
        return _core.Order(lines)
    except ValueError as error:
        raise pytest.UsageError(f"{_source(config)}: {error}") from None


def _source(config: pytest.Config) -> str:
    """Return the name of the option or ini setting that was used."""
    return "rustpar_order" if config.option.rustpar_order is None else "--rustpar-order"
