"""Reports as text tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from unicodedata import combining, east_asian_width

from bookshop.money import Money
from bookshop.orders import Order, State


def width(text: str) -> int:
    """Return the width of a text in terminal columns."""
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def shorten(text: str, limit: int) -> str:
    """Shorten a text to at most ``limit`` columns, with an ellipsis where text is missing."""
    if width(text) <= limit:
        return text
    while text and width(text) > limit - 1:
        text = text[:-1]
    return text + "…"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], align: str = "", limit: int = 40) -> str:
    """Lay out rows under a head; ``align`` has one of ``<`` and ``>`` for each column."""
    cells = [[shorten(cell, limit) for cell in row] for row in (head, *rows)]
    if any(len(row) != len(head) for row in cells):
        raise ValueError(f"every row needs {len(head)} cells")
    widths = [max(width(row[i]) for row in cells) for i in range(len(head))]
    sides = align or "<" * len(head)

    def line(row: Sequence[str]) -> str:
        gaps = [" " * (w - width(cell)) for cell, w in zip(row, widths, strict=True)]
        parts = zip(row, gaps, sides, strict=True)
        return "  ".join(cell + gap if side == "<" else gap + cell for cell, gap, side in parts).rstrip()

    return "\n".join([line(cells[0]), "  ".join("-" * w for w in widths), *map(line, cells[1:])])


def sales(orders: Iterable[Order], by: Callable[[Order], str] = lambda order: order.country) -> str:
    """Report paid orders in groups, the highest turnover first, with a line for all of them."""
    groups: defaultdict[str, list[Order]] = defaultdict(list)
    for order in orders:
        if order.state not in (State.NEW, State.CANCELLED, State.RETURNED):
            groups[by(order)].append(order)

    def turnover(some: Iterable[Order]) -> Money:
        return sum((order.total for order in some), Money.of(0))

    ranked = sorted(groups.items(), key=lambda group: (-turnover(group[1]).amount, group[0]))
    rows = [(name, str(len(some)), copies(some), str(turnover(some))) for name, some in ranked]
    everything = [order for some in groups.values() for order in some]
    rows.append(("all", str(len(everything)), copies(everything), str(turnover(everything))))
    return table(("group", "orders", "copies", "turnover"), rows, "<>>>")


def copies(orders: Iterable[Order]) -> str:
    """Return the number of copies in some orders, for a cell."""
    return str(sum(sum(order.lines.values()) for order in orders))
