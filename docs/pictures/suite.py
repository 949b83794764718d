"""The suite in the pictures: a shop whose tests wait for a database, a printer and a payment service.

Its run has many short tests and a few long ones, one failure, a skipped test and
an expected failure, and a worker that temporarily uses more memory than the others.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "pyproject.toml": """
        [tool.pytest.ini_options]
        pythonpath = ["."]
        """,
    # Tests wait instead of computing, so the pictures do not depend on the number of cores.
    "shop.py": """
        import random
        import time

        PRICES = {"apple": 30, "bread": 320, "coffee": 790, "honey": 640, "rice": 210, "tea": 450}
        COUNTRIES = ["Austria", "Denmark", "France", "Germany", "Italy", "Norway", "Poland", "Spain", "Sweden"]

        def wait(seconds, about):
            time.sleep(seconds * random.Random(repr(about)).uniform(0.6, 1.4))

        def connect():
            wait(0.3, "connect")
            return dict(PRICES)

        def sign_in(name, password):
            wait(0.12, name)
            return password == name[::-1]

        def total(basket):
            wait(0.05, basket)
            return sum(PRICES[product] for product in basket)

        def search(words):
            wait(0.08, words)
            return [product for product in PRICES if words.lower() in product]

        def pay(method, amount):
            wait(1.8, method)
            return {"method": method, "amount": amount}

        def print_invoice(language, rows):
            wait(0.9, language)
            return [language] * rows

        def import_catalogue(rows):
            pages = []
            while sum(map(len, pages)) < rows * 1000:
                time.sleep(0.15)
                pages.append(bytearray(1_000_000))
            return rows

        def ship(country):
            wait(0.3, country)
            return country in COUNTRIES

        def yearly_report(year):
            wait(2.6, year)
            return {"year": year}
        """,
    "tests/conftest.py": """
        import pytest

        import shop

        @pytest.fixture(scope="module")
        def database():
            return shop.connect()
        """,
    "tests/test_accounts.py": """
        import pytest

        import shop

        NAMES = ["ada", "ben", "clara", "dora", "emil", "frida", "gustav", "hanna"]

        @pytest.mark.parametrize("name", NAMES)
        def test_sign_in(name):
            assert shop.sign_in(name, name[::-1])

        # Ada's fails: her name is the same backwards.
        @pytest.mark.parametrize("name", NAMES)
        def test_name_is_no_password(name):
            assert not shop.sign_in(name, name)

        @pytest.mark.skip(reason="needs a mail server")
        def test_forgotten_password_is_sent():
            pass
        """,
    "tests/test_basket.py": """
        import pytest

        import shop

        @pytest.mark.parametrize("number", range(1, 25))
        def test_total_of(database, number):
            assert shop.total(["apple"] * number) == number * database["apple"]
        """,
    "tests/test_catalogue.py": """
        import pytest

        import shop

        def test_import_of_a_large_catalogue(database):
            assert shop.import_catalogue(rows=30_000) == 30_000

        @pytest.mark.parametrize("product", shop.PRICES)
        def test_price_has_a_tax_class(database, product):
            assert shop.total([product]) == database[product]
        """,
    "tests/test_checkout.py": """
        import pytest

        import shop

        @pytest.mark.parametrize("method", ["card", "invoice", "transfer", "voucher"])
        def test_pay_by(database, method):
            assert shop.pay(method, 790)["amount"] == database["coffee"]

        @pytest.mark.parametrize("number", range(1, 9))
        def test_order_number_is_shown(number):
            assert shop.total(["tea"] * number) == 450 * number
        """,
    "tests/test_invoices.py": """
        import pytest

        import shop

        @pytest.mark.parametrize("language", ["da", "de", "en", "fr", "it", "pl", "sv"])
        def test_print_invoice(database, language):
            assert len(shop.print_invoice(language, rows=3)) == 3
        """,
    "tests/test_reports.py": """
        import pytest

        import shop

        @pytest.mark.parametrize("year", [2023, 2024, 2025])
        def test_yearly_report(database, year):
            assert shop.yearly_report(year)["year"] == year
        """,
    "tests/test_search.py": """
        import pytest

        import shop

        def test_search_finds_a_product(database):
            assert shop.search("honey") == ["honey"]

        def test_search_ignores_case(database):
            assert shop.search("Honey") == ["honey"]

        @pytest.mark.xfail(reason="not yet")
        def test_search_forgives_a_typo(database):
            assert shop.search("cofee") == ["coffee"]

        @pytest.mark.parametrize("words", [product[:length] for product in shop.PRICES for length in (2, 3, 4)])
        def test_search_completes(database, words):
            assert shop.search(words)
        """,
    "tests/test_shipping.py": """
        import pytest

        import shop

        @pytest.mark.parametrize("country", shop.COUNTRIES)
        def test_ship_to(database, country):
            assert shop.ship(country)

        @pytest.mark.parametrize("country", ["Atlantis", "Utopia"])
        def test_nothing_is_shipped_to(database, country):
            assert not shop.ship(country)
        """,
}


def write(directory: Path) -> None:
    """Write the suite's files into a directory."""
    for name, text in FILES.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip())
