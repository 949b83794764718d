"""Books, stores and a supplier for all tests. Random data is seeded, so every process generates the same."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bookshop.catalogue import Book, Catalogue, SearchIndex
from bookshop.isbn import check_digit_13
from bookshop.money import Money
from bookshop.store import Store

ADJECTIVES = (
    "Silent Crimson Hidden Endless Broken Golden Distant Winter Forgotten Burning Quiet Second".split()
)
NOUNS = "River Garden Library Mountain Harbour Letter Kingdom Mirror Orchard Station Island Theory".split()
PLACES = "Lisbon Kyoto Tromsø Dublin Valparaíso Prague Zanzibar Vienna Montréal Riga Cairo Leeds".split()
FIRST = "Ana Boris Chloé Dmitri Elif Farid Greta Hugo Ines Jonas Kateřina Luis Mei Noor Olu Priya".split()
LAST = "Almeida Brandt Castellanos Dvořák Eriksen Fontaine Haddad Ibarra Jansen Kowalski Lindqvist".split()
SUBJECTS = "art biography cooking crime history poetry science travel".split()


def make_books(count: int, seed: int = 1) -> list[Book]:
    """Make different books."""
    rng = random.Random(seed)
    books = []
    for number in range(count):
        body = f"978{seed:02}{number:07}"
        title = f"The {rng.choice(ADJECTIVES)} {rng.choice(NOUNS)} of {rng.choice(PLACES)}"
        price = Money.of(f"{rng.randint(3, 60)}.{rng.choice(('00', '50', '90', '99'))}")
        subjects = frozenset(rng.sample(SUBJECTS, rng.randint(1, 3)))
        author = f"{rng.choice(FIRST)} {rng.choice(LAST)}"
        books.append(
            Book(body + check_digit_13(body), title, author, price, rng.randint(1950, 2024), subjects)
        )
    return books


@pytest.fixture(scope="session")
def books() -> list[Book]:
    """Two thousand books."""
    return make_books(2000)


@pytest.fixture(scope="session")
def index(books: list[Book]) -> SearchIndex:
    """A search index of all books, which takes a moment to build."""
    return SearchIndex(books)


@pytest.fixture
def catalogue(books: list[Book]) -> Catalogue:
    """A catalogue a test may change."""
    return Catalogue(books[:60])


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store, once in memory and once in a file."""
    opened = Store(":memory:" if request.param == "memory" else tmp_path / "shop.db")
    yield opened
    opened.close()


@pytest.fixture
def basket_books(books: list[Book]) -> Callable[[int], list[Book]]:
    """Return a function that picks some books, the same for the same number."""
    return lambda seed: random.Random(seed).sample(books, 5)
