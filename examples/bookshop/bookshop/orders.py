"""Baskets and orders: contents, prices, shipping, and the states of an order."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum

from bookshop.catalogue import Book
from bookshop.money import Money

VAT_PERCENT: dict[str, Decimal | int] = {"DE": 7, "FR": Decimal("5.5"), "DK": 25, "GB": 0}
# Weight limit in grams, and price in euros, at home and abroad.
SHIPPING = ((500, "1.95", "3.90"), (1000, "2.95", "7.50"), (5000, "4.95", "14.00"), (31_500, "9.95", "32.00"))
FREE_SHIPPING_FROM = Money.of("49.00")


@dataclass
class Basket:
    """Books and how many of each."""

    quantities: dict[Book, int] = field(default_factory=dict)

    def add(self, book: Book, quantity: int = 1) -> None:
        """Put more of a book into the basket."""
        if quantity < 1:
            raise ValueError(f"cannot add {quantity} of a book")
        self.quantities[book] = self.quantities.get(book, 0) + quantity

    def take(self, book: Book, quantity: int = 1) -> None:
        """Remove copies of a book."""
        left = self.quantities[book] - quantity
        if left < 0:
            raise ValueError(f"only {self.quantities[book]} in the basket")
        if left:
            self.quantities[book] = left
        else:
            del self.quantities[book]

    def count(self) -> int:
        """Count the copies."""
        return sum(self.quantities.values())

    def subtotal(self) -> Money:
        """Return the price of everything, before any discount."""
        return sum((book.price * n for book, n in self.quantities.items()), Money.of(0))

    def discount(self) -> Money:
        """Return the discount: for every three copies, the cheapest one is free."""
        prices = sorted(
            (b.price for b, n in self.quantities.items() for _ in range(n)), key=lambda p: p.amount
        )
        return sum(prices[: len(prices) // 3], Money.of(0))

    def total(self) -> Money:
        """Return the price after the discount."""
        return self.subtotal() - self.discount()


def shipping_cost(grams: int, value: Money, *, abroad: bool = False) -> Money:
    """Return the price of a parcel; at home it is free from a certain value on."""
    if grams <= 0:
        raise ValueError("a parcel weighs something")
    if not abroad and not value < FREE_SHIPPING_FROM:
        return Money.of(0)
    for up_to, home, foreign in SHIPPING:
        if grams <= up_to:
            return Money.of(foreign if abroad else home)
    raise ValueError(f"{grams} g is too heavy for a parcel")


class State(Enum):
    """The state of an order."""

    NEW = "new"
    PAID = "paid"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    RETURNED = "returned"
    CANCELLED = "cancelled"


NEXT = {
    State.NEW: {State.PAID, State.CANCELLED},
    State.PAID: {State.SHIPPED, State.CANCELLED},
    State.SHIPPED: {State.DELIVERED, State.RETURNED},
    State.DELIVERED: {State.RETURNED},
    State.RETURNED: set(),
    State.CANCELLED: set(),
}


class WrongState(Exception):
    """An order cannot change from its state to the requested one."""


@dataclass
class Order:
    """An order of a customer; its price is fixed when it is created."""

    number: int
    customer: str
    lines: dict[str, int]  # ISBN to quantity
    total: Money
    country: str = "DE"
    state: State = State.NEW

    @classmethod
    def of(cls, number: int, customer: str, basket: Basket, country: str = "DE") -> Order:
        """Turn a basket into an order."""
        if not basket.quantities:
            raise ValueError("the basket is empty")
        lines = {book.isbn: n for book, n in basket.quantities.items()}
        return cls(number, customer, lines, basket.total().with_vat(VAT_PERCENT[country]), country)

    def move_to(self, state: State) -> None:
        """Change to another state."""
        if state not in NEXT[self.state]:
            raise WrongState(f"order {self.number} is {self.state.value} and cannot become {state.value}")
        self.state = state
