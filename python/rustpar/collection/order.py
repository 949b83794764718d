"""The order that ``--rustpar-order`` and ``rustpar_order`` ask for: classes of tests, told apart by their markers.

``smoke, *, slow`` makes three classes. A test belongs to the first class in the list whose marker it carries, on itself
or on a class or module around it; ``*`` holds all others, and comes last where the list does not name it.

The hazard it handles: pytest has already put tests together that share expensive fixtures. So tests are only moved
between classes, never within one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rustpar.collection.markers import look_for_unknown, marked
from rustpar.config.values import ini_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_REST = "*"
_EXAMPLE = "smoke, *, slow"


class Order:
    """Classes of tests in the order in which they run.

    Attributes:
        names: The marker of each class; ``*`` stands for tests that have none of the others.
        count: How many classes there are.
    """

    def __init__(self, names: Iterable[str]) -> None:
        """Make a class for each name, and one for the rest if no name is ``*``.

        Raises:
            ValueError: When a name is missing, appears twice or cannot be a marker's; the text says what to write.
        """
        self.names = tuple(names)
        for name in self.names:
            if not name:
                raise ValueError(f"a marker is missing; write names with commas between them, as in {_EXAMPLE}")
            if self.names.count(name) > 1:
                raise ValueError(f"{name} is there twice; name each class once, as in {_EXAMPLE}")
            if name != _REST and (not name.isidentifier() or name.startswith("_")):
                raise ValueError(f"{name!r} is no marker; write names with commas between them, as in {_EXAMPLE}")
        if not self.names:
            raise ValueError(f"no marker is named; write names with commas between them, as in {_EXAMPLE}")
        if _REST not in self.names:
            self.names += (_REST,)
        self.count = len(self.names)
        self._places = {name: place for place, name in enumerate(self.names)}

    def class_of(self, item: pytest.Item) -> int:
        """The class of a test: 0 runs first, `count` - 1 last."""
        return self._first(item.iter_markers())

    def classes_of(self, items: Sequence[pytest.Item]) -> list[int]:
        """The class of each of many tests, with less work than asking for one after the other."""
        classes = [self._places[_REST]] * len(items)
        for index, marks in marked(items, self.names).items():
            classes[index] = self._first(marks)
        return classes

    def _first(self, marks: Iterable[pytest.Mark]) -> int:
        places = [self._places[mark.name] for mark in marks if mark.name in self._places]
        return min(places, default=self._places[_REST])


_ORDER_KEY: pytest.StashKey[Order | None] = pytest.StashKey()


def order_of(config: pytest.Config) -> Order | None:
    """The order that was asked for; None when tests run as they are collected.

    Raises:
        pytest.UsageError: When it makes no sense; one line that says what to write.
    """
    if _ORDER_KEY not in config.stash:
        config.stash[_ORDER_KEY] = _read(config)
    return config.stash[_ORDER_KEY]


def class_of(item: pytest.Item) -> int:
    """The class of a test: 0 runs first, and without an order all are 0."""
    order = order_of(item.config)
    return 0 if order is None else order.class_of(item)


def classes_of(config: pytest.Config, items: Sequence[pytest.Item]) -> list[int]:
    """The class of each of many tests: :func:`class_of`, with less work."""
    order = order_of(config)
    return [0] * len(items) if order is None else order.classes_of(items)


def count(config: pytest.Config) -> int:
    """How many classes there are; 1 without an order."""
    order = order_of(config)
    return 1 if order is None else order.count


def sort(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put tests into the order of their classes, and leave them as they are within one.

    Raises:
        pytest.UsageError: When a marker is not registered, and pytest treats that as an error.
    """
    order = order_of(config)
    if order is None:
        return
    look_for_unknown(config, (name for name in order.names if name != _REST), _source(config))
    classes = order.classes_of(items)
    items[:] = [items[index] for index in sorted(range(len(items)), key=classes.__getitem__)]


def _read(config: pytest.Config) -> Order | None:
    given: str | None = config.option.rustpar_order
    written = ini_lines(config, "rustpar_order") if given is None else [given]
    if not written:
        return None
    names: list[str] = []
    for line in written:
        # A comma may end a line of the configuration file.
        names += [name.strip() for name in line.strip().removesuffix(",").split(",")]
    try:
        return Order(names)
    except ValueError as error:
        raise pytest.UsageError(f"{_source(config)} = {' '.join(written)}: {error}") from None


def _source(config: pytest.Config) -> str:
    """Where the order was written."""
    return "rustpar_order" if config.option.rustpar_order is None else "--rustpar-order"
