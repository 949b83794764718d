"""The store: atomic transactions, in memory and in a file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from bookshop.catalogue import Book
from bookshop.orders import Basket, Order, State, WrongState
from bookshop.store import OutOfStock, Store

Pick = Callable[[int], list[Book]]


def order_of(books: list[Book], number: int = 1, customer: str = "ada", copies: int = 1) -> Order:
    """Return an order of some copies of each book."""
    return Order.of(number, customer, Basket({book: copies for book in books}))


class TestStock:
    @pytest.mark.parametrize("copies", [1, 2, 10, 999])
    def test_received_copies_add_up(self, store: Store, copies: int) -> None:
        store.receive("isbn", copies)
        store.receive("isbn", 1)
        assert store.stock("isbn") == copies + 1

    @pytest.mark.parametrize("copies", [0, -3])
    def test_zero_copies_cannot_be_received(self, store: Store, copies: int) -> None:
        with pytest.raises(ValueError, match="cannot receive"):
            store.receive("isbn", copies)

    def test_an_unknown_book_is_not_in_stock(self, store: Store) -> None:
        assert store.stock("unknown") == 0


class TestOrders:
    @pytest.mark.parametrize("seed", range(45))
    def test_a_placed_order_comes_back_and_its_books_are_gone(
        self, store: Store, basket_books: Pick, seed: int
    ) -> None:
        chosen = basket_books(seed)
        for book in chosen:
            store.receive(book.isbn, 3)
        order = order_of(chosen, seed, copies=2)
        store.place(order)
        assert store.order(seed) == order
        assert {store.stock(book.isbn) for book in chosen} == {1}

    @pytest.mark.parametrize("missing", range(5))
    def test_a_missing_book_leaves_the_store_unchanged(
        self, store: Store, basket_books: Pick, missing: int
    ) -> None:
        chosen = basket_books(1)
        for number, book in enumerate(chosen):
            if number != missing:
                store.receive(book.isbn, 1)
        with pytest.raises(OutOfStock, match=chosen[missing].isbn):
            store.place(order_of(chosen))
        assert [store.stock(book.isbn) for book in chosen] == [int(n != missing) for n in range(5)]
        with pytest.raises(KeyError):
            store.order(1)

    @pytest.mark.parametrize("count", [1, 5, 25])
    def test_a_customer_only_sees_own_orders(self, store: Store, basket_books: Pick, count: int) -> None:
        chosen = basket_books(2)
        for book in chosen:
            store.receive(book.isbn, 2 * count)
        for number in range(2 * count):
            store.place(order_of(chosen, number, customer=("ada", "grace")[number % 2]))
        assert [order.number for order in store.orders_of("grace")] == list(range(1, 2 * count, 2))

    @pytest.mark.parametrize(
        "path", [("cancelled",), ("paid", "cancelled"), ("paid", "shipped", "returned")], ids="-".join
    )
    def test_books_come_back_with_a_cancelled_or_returned_order(
        self, store: Store, basket_books: Pick, path: tuple[str, ...]
    ) -> None:
        chosen = basket_books(3)
        for book in chosen:
            store.receive(book.isbn, 1)
        store.place(order_of(chosen))
        for state in path:
            store.move(1, State(state))
        assert {store.stock(book.isbn) for book in chosen} == {1}

    def test_a_forbidden_move_changes_nothing(self, store: Store, basket_books: Pick) -> None:
        chosen = basket_books(4)
        for book in chosen:
            store.receive(book.isbn, 1)
        store.place(order_of(chosen))
        with pytest.raises(WrongState):
            store.move(1, State.DELIVERED)
        assert store.order(1).state is State.NEW


@pytest.fixture(scope="class")
def old_database(tmp_path_factory: pytest.TempPathFactory, books: list[Book]) -> Path:
    """A shop's database with two hundred orders."""
    path = tmp_path_factory.mktemp("old") / "shop.db"
    store = Store(path)
    for book in books[:200]:
        store.receive(book.isbn, 1)
    for number, book in enumerate(books[:200]):
        store.place(order_of([book], number, customer=f"customer {number % 10}"))
    store.close()
    return path


@pytest.mark.xdist_group("old-database")
class TestReopened:
    """Tests that share a database which is slow to fill; a group keeps them on one worker."""

    @pytest.mark.parametrize("customer", range(10))
    def test_every_order_is_still_there(self, old_database: Path, customer: int) -> None:
        store = Store(old_database)
        assert len(store.orders_of(f"customer {customer}")) == 20
        store.close()

    @pytest.mark.parametrize("number", range(0, 200, 20))
    def test_sold_out_books_stay_sold_out(self, old_database: Path, books: list[Book], number: int) -> None:
        store = Store(old_database)
        with pytest.raises(OutOfStock):
            store.place(order_of([books[number]], 1000 + number))
        store.close()

    def test_numbers_are_not_given_twice(self, old_database: Path, books: list[Book]) -> None:
        store = Store(old_database)
        with pytest.raises(OutOfStock):
            store.place(order_of([books[0]], 5))
        store.close()


def test_a_file_that_is_not_a_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("milk, bread, eggs\n" * 100)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        Store(path)
