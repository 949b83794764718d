"""Baskets, shipping and the states of an order."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest

from bookshop.catalogue import Book
from bookshop.money import Money
from bookshop.orders import NEXT, VAT_PERCENT, Basket, Order, State, WrongState, shipping_cost

Pick = Callable[[int], list[Book]]


@pytest.fixture
def basket(basket_books: Pick) -> Basket:
    """Five different books, one of each."""
    return Basket({book: 1 for book in basket_books(0)})


class TestBasket:
    @pytest.mark.parametrize("seed", range(40))
    def test_every_third_copy_is_free_and_it_is_a_cheap_one(self, basket_books: Pick, seed: int) -> None:
        chosen = basket_books(seed)
        basket = Basket({book: 1 + (seed + i) % 3 for i, book in enumerate(chosen)})
        free = basket.count() // 3
        cheapest = min(book.price.amount for book in chosen)
        dearest = max(book.price.amount for book in chosen)
        assert cheapest * free <= basket.discount().amount <= dearest * free
        assert basket.total() + basket.discount() == basket.subtotal()

    @pytest.mark.parametrize("quantity", [1, 2, 5, 40])
    def test_removed_copies_do_not_count(self, basket: Basket, books: list[Book], quantity: int) -> None:
        before = dict(basket.quantities)
        basket.add(books[-1], quantity)
        basket.take(books[-1], quantity)
        assert basket.quantities == before

    @pytest.mark.parametrize("quantity", [0, -1])
    def test_zero_copies_cannot_be_added(self, basket: Basket, books: list[Book], quantity: int) -> None:
        with pytest.raises(ValueError, match="cannot add"):
            basket.add(books[0], quantity)

    def test_no_more_copies_can_be_removed_than_there_are(self, basket: Basket) -> None:
        book = next(iter(basket.quantities))
        with pytest.raises(ValueError, match="only 1 in the basket"):
            basket.take(book, 2)


class TestShipping:
    @pytest.mark.parametrize("grams", [1, 499, 500, 501, 1000, 1001, 5000, 5001, 31_500])
    @pytest.mark.parametrize("value", ["0.00", "10.00", "48.99"])
    def test_abroad_costs_more(self, grams: int, value: str) -> None:
        assert shipping_cost(grams, Money.of(value)) < shipping_cost(grams, Money.of(value), abroad=True)

    @pytest.mark.parametrize("grams", range(250, 31_500, 1250))
    def test_a_heavier_parcel_never_costs_less(self, grams: int) -> None:
        assert not shipping_cost(grams + 1, Money.of(5)) < shipping_cost(grams, Money.of(5))

    @pytest.mark.parametrize("value", ["49.00", "49.01", "500.00"])
    def test_it_is_free_at_home_from_a_certain_value(self, value: str) -> None:
        assert shipping_cost(2000, Money.of(value)) == Money.of(0)

    @pytest.mark.parametrize(
        ("grams", "why"), [(0, "weighs something"), (-5, "weighs"), (31_501, "too heavy")]
    )
    def test_impossible_parcels_are_refused(self, grams: int, why: str) -> None:
        with pytest.raises(ValueError, match=why):
            shipping_cost(grams, Money.of(5))


class TestStates:
    @pytest.mark.parametrize(
        ("old", "new"), [pytest.param(a, b, id=f"{a.value}-{b.value}") for a, b in product(State, State)]
    )
    def test_an_order_only_makes_allowed_transitions(self, basket: Basket, old: State, new: State) -> None:
        order = Order.of(1, "ada", basket)
        order.state = old
        if new in NEXT[old]:
            order.move_to(new)
            assert order.state is new
        else:
            with pytest.raises(WrongState, match=f"is {old.value} and cannot become {new.value}"):
                order.move_to(new)
            assert order.state is old

    @pytest.mark.parametrize("country", sorted(VAT_PERCENT))
    def test_the_total_includes_the_countrys_vat(self, basket: Basket, country: str) -> None:
        assert Order.of(1, "ada", basket, country).total == basket.total().with_vat(VAT_PERCENT[country])

    def test_an_empty_basket_cannot_be_ordered(self) -> None:
        with pytest.raises(ValueError, match="empty"):
            Order.of(1, "ada", Basket())
