"""Stock and orders in an SQLite database."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bookshop.money import Money
from bookshop.orders import Order, State

SCHEMA = """
CREATE TABLE IF NOT EXISTS stock (isbn TEXT PRIMARY KEY, copies INTEGER NOT NULL CHECK (copies >= 0));
CREATE TABLE IF NOT EXISTS orders (
    number INTEGER PRIMARY KEY, customer TEXT NOT NULL, lines TEXT NOT NULL,
    amount TEXT NOT NULL, currency TEXT NOT NULL, country TEXT NOT NULL, state TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS orders_by_customer ON orders (customer, number);
"""


class OutOfStock(Exception):
    """There are not enough copies of a book."""


class Store:
    """Keeps stock and orders; every method is one transaction."""

    def __init__(self, path: Path | str = ":memory:") -> None:
        """Open the database at ``path`` and make its tables if it is new."""
        self._db = sqlite3.connect(path)
        try:
            self._db.executescript(SCHEMA)
        except sqlite3.Error:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._db:
            yield self._db

    def stock(self, isbn: str) -> int:
        """Return how many copies of a book there are."""
        row = self._db.execute("SELECT copies FROM stock WHERE isbn = ?", (isbn,)).fetchone()
        return int(row[0]) if row else 0

    def receive(self, isbn: str, copies: int) -> None:
        """Add copies to the stock."""
        if copies < 1:
            raise ValueError(f"cannot receive {copies} copies")
        with self._transaction() as db:
            db.execute(
                "INSERT INTO stock VALUES (?, ?)"
                " ON CONFLICT (isbn) DO UPDATE SET copies = copies + excluded.copies",
                (isbn, copies),
            )

    def place(self, order: Order) -> None:
        """Store a new order and remove its books from the stock, atomically."""
        with self._transaction() as db:
            for isbn, copies in order.lines.items():
                taken = db.execute(
                    "UPDATE stock SET copies = copies - ? WHERE isbn = ? AND copies >= ?",
                    (copies, isbn, copies),
                )
                if not taken.rowcount:
                    raise OutOfStock(isbn)
            db.execute(
                "INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    order.number,
                    order.customer,
                    json.dumps(order.lines),
                    str(order.total.amount),
                    order.total.currency,
                    order.country,
                    order.state.value,
                ),
            )

    def order(self, number: int) -> Order:
        """Return a stored order; KeyError if there is none of this number."""
        row = self._db.execute("SELECT * FROM orders WHERE number = ?", (number,)).fetchone()
        if row is None:
            raise KeyError(number)
        return self._order(row)

    def orders_of(self, customer: str) -> list[Order]:
        """Return a customer's orders by number."""
        rows = self._db.execute("SELECT * FROM orders WHERE customer = ? ORDER BY number", (customer,))
        return [self._order(row) for row in rows]

    def move(self, number: int, state: State) -> Order:
        """Move an order to another state; a cancelled or returned one gives its books back."""
        order = self.order(number)
        order.move_to(state)
        with self._transaction() as db:
            db.execute("UPDATE orders SET state = ? WHERE number = ?", (state.value, number))
            if state in (State.CANCELLED, State.RETURNED):
                for isbn, copies in order.lines.items():
                    db.execute("UPDATE stock SET copies = copies + ? WHERE isbn = ?", (copies, isbn))
        return order

    @staticmethod
    def _order(row: tuple[int, str, str, str, str, str, str]) -> Order:
        number, customer, lines, amount, currency, country, state = row
        return Order(number, customer, json.loads(lines), Money.of(amount, currency), country, State(state))
