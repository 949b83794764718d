"""The shop's tests. Without ``--rustpar-load`` each of them runs once, as any other test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Client


def test_an_unknown_page_is_not_found(client: Client) -> None:
    assert client.request("GET", "/nothing")[0] == 404


@pytest.mark.load(users=20, duration="4s", think="20ms..60ms", thresholds="p(95)<50ms, checks>99%")
def test_browsing(client: Client, load) -> None:
    status, item = client.request("GET", f"/items/{load.user}")
    load.check("status is 200", status == 200)
    assert item["price"] == 499


@pytest.mark.load(rate=100, duration="4s", thresholds="pay: p(95)<100ms, dropped_iterations<1")
def test_buying(client: Client, load) -> None:
    with load.step("look"):
        client.request("GET", "/items/7")
    with load.step("pay"):
        status, _ = client.request("POST", "/orders", item=7)
    assert status == 201
    load.counter("orders").add(1)


@pytest.mark.load(stages=[("2s", 10), ("2s", 10)], abort="error_rate>10% for 2s")
class TestCustomer:
    """A customer looks three times as often as it buys."""

    @pytest.mark.load(weight=3)
    def test_look(self, client: Client) -> None:
        assert client.request("GET", "/items/1")[0] == 200

    def test_buy(self, client: Client) -> None:
        assert client.request("POST", "/orders", item=1)[0] == 201
