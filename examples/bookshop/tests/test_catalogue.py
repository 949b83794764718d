"""The catalogue, and a search that forgives misspelling."""

from __future__ import annotations

import random

import pytest
from conftest import FIRST, LAST, SUBJECTS, make_books

from bookshop.catalogue import Book, Catalogue, SearchIndex, trigrams
from bookshop.isbn import to_isbn10
from bookshop.money import Money


class TestLookup:
    @pytest.mark.parametrize("number", range(60))
    def test_a_book_is_found_by_either_form_of_its_number(self, catalogue: Catalogue, number: int) -> None:
        book = list(catalogue)[number]
        assert catalogue.get(book.isbn) is catalogue.get(to_isbn10(book.isbn)) is book

    def test_a_book_cannot_be_added_twice(self, catalogue: Catalogue, books: list[Book]) -> None:
        with pytest.raises(ValueError, match="already in the catalogue"):
            catalogue.add(books[0])

    def test_a_removed_book_is_gone(self, catalogue: Catalogue, books: list[Book]) -> None:
        assert catalogue.remove(books[3].isbn) is books[3]
        assert books[3].isbn not in catalogue
        assert len(catalogue) == 59

    def test_another_book_is_not_found(self, catalogue: Catalogue, books: list[Book]) -> None:
        with pytest.raises(KeyError):
            catalogue.get(books[100].isbn)


@pytest.fixture(scope="module")
def large(books: list[Book]) -> Catalogue:
    """All books; tests of this module only read it."""
    return Catalogue(books)


class TestListing:
    @pytest.mark.parametrize("last", LAST)
    @pytest.mark.parametrize("first", FIRST[::2])
    def test_an_authors_books_are_sorted_by_year(self, large: Catalogue, first: str, last: str) -> None:
        found = large.by_author(f"{first} {last}".upper())
        assert [b.year for b in found] == sorted((b.year for b in found), reverse=True)
        assert {b.author for b in found} <= {f"{first} {last}"}

    @pytest.mark.parametrize("one", SUBJECTS)
    @pytest.mark.parametrize("two", SUBJECTS)
    def test_books_on_two_subjects_are_on_each(self, large: Catalogue, one: str, two: str) -> None:
        both = set(large.on(one, two))
        assert both == set(large.on(one)) & set(large.on(two))

    @pytest.mark.parametrize("low", range(0, 60, 4))
    def test_price_ranges_meet_without_overlap(self, large: Catalogue, low: int) -> None:
        below = large.priced(Money.of(0), Money.of(f"{low}.99"))
        above = large.priced(Money.of(low + 1), Money.of(1000))
        assert len(below) + len(above) == len(large)


def misspell(text: str, rng: random.Random) -> str:
    """Change one letter, drop one and swap two."""
    letters = list(text)
    letters[rng.randrange(len(letters))] = rng.choice("aeiourst")
    del letters[rng.randrange(len(letters))]
    place = rng.randrange(len(letters) - 1)
    letters[place], letters[place + 1] = letters[place + 1], letters[place]
    return "".join(letters)


class TestSearch:
    @pytest.mark.parametrize("number", range(0, 2000, 16))
    def test_an_exact_title_and_author_is_found_first(
        self, index: SearchIndex, books: list[Book], number: int
    ) -> None:
        book = books[number]
        best = index.search(f"{book.title} {book.author}")[0]
        assert (best.title, best.author) == (book.title, book.author)

    @pytest.mark.parametrize("seed", range(240))
    def test_a_misspelt_title_and_author_is_found(
        self, index: SearchIndex, books: list[Book], seed: int
    ) -> None:
        rng = random.Random(seed)
        book = rng.choice(books)
        found = index.search(misspell(f"{book.title} {book.author}", rng))
        assert (book.title, book.author) in {(b.title, b.author) for b in found}

    def test_nothing_similar_is_not_found(self, index: SearchIndex) -> None:
        assert index.search("1984 2666") == []

    @pytest.mark.slow
    @pytest.mark.parametrize("seed", range(2, 8))
    def test_an_index_of_another_stock_finds_its_own_books(self, seed: int) -> None:
        others = make_books(1000, seed)
        assert others[7] in SearchIndex(others).search(f"{others[7].title} {others[7].author}")

    @pytest.mark.skip(reason="needs the thesaurus of the next version")
    def test_synonyms_are_found(self, index: SearchIndex) -> None:
        assert index.search("railway halt")


@pytest.mark.parametrize(("text", "count"), [("", 0), ("a", 2), ("Ada", 4), ("ada ADA", 8), ("x-y", 4)])
def test_trigrams_are_counted_word_by_word(text: str, count: int) -> None:
    assert trigrams(text).total() == count
