"""Text tables are aligned for any content, and sales reports add up."""

from __future__ import annotations

import random

import pytest

from bookshop.money import Money
from bookshop.orders import Order, State
from bookshop.report import sales, shorten, table, width

COUNTRIES = ["DE", "DK", "FR", "GB"]


def make_orders(seed: int, count: int = 400) -> list[Order]:
    """Make orders in all states."""
    rng = random.Random(seed)
    return [
        Order(
            number,
            f"customer {rng.randrange(30)}",
            {str(n): rng.randint(1, 4) for n in range(rng.randint(1, 5))},
            Money.of(f"{rng.randint(1, 300)}.{rng.randint(0, 99):02}"),
            rng.choice(COUNTRIES),
            rng.choice(list(State)),
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("seed", range(100))
class TestSales:
    def test_groups_add_up_to_the_last_line(self, seed: int) -> None:
        *groups, everything = (line.split() for line in sales(make_orders(seed)).splitlines()[2:])
        for column in (1, 2):
            assert sum(int(group[column]) for group in groups) == int(everything[column])
        amounts = [Money.of(group[3].replace(",", "")) for group in groups]
        assert str(sum(amounts, Money.of(0))) == f"{everything[3]} EUR"

    def test_the_best_customer_comes_first(self, seed: int) -> None:
        lines = sales(make_orders(seed), by=lambda order: order.customer).splitlines()[2:-1]
        amounts = [float(line.split()[-2].replace(",", "")) for line in lines]
        assert amounts == sorted(amounts, reverse=True)

    def test_unpaid_cancelled_and_returned_orders_do_not_count(self, seed: int) -> None:
        orders = make_orders(seed, 60)
        kept = [o for o in orders if o.state in (State.PAID, State.SHIPPED, State.DELIVERED)]
        assert sales(orders) == sales(kept)


def test_a_complete_report() -> None:
    orders = [Order(1, "ada", {"a": 2}, Money.of("1200.50"), "DE", State.PAID)]
    orders.append(Order(2, "grace", {"a": 1, "b": 1}, Money.of("9.99"), "FR", State.SHIPPED))
    assert sales(orders).splitlines() == [
        "group  orders  copies      turnover",
        "-----  ------  ------  ------------",
        "DE          1       2  1,200.50 EUR",
        "FR          1       2      9.99 EUR",
        "all         2       4  1,210.49 EUR",
    ]


@pytest.mark.parametrize("limit", [1, 5, 12, 40])
@pytest.mark.parametrize(
    "text", ["", "plain", "Tromsø", "Tromso\u0308", "図書館の静かな庭", "mixed 図書館 text", "a" * 100]
)
class TestColumns:
    def test_a_shortened_text_fits(self, text: str, limit: int) -> None:
        assert width(shorten(text, limit)) <= limit

    def test_all_lines_of_a_table_have_the_same_width(self, text: str, limit: int) -> None:
        lines = table(("one", "two"), [(text, "1"), ("x", "22")], "<>", limit).splitlines()
        assert len({width(line) for line in lines}) == 1


def test_a_row_with_too_few_cells_is_refused() -> None:
    with pytest.raises(ValueError, match="every row needs 2 cells"):
        table(("one", "two"), [("1",)])
