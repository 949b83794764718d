"""The books on offer, and a search that tolerates misspelling."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bookshop.isbn import normalize
from bookshop.money import Money


@dataclass(frozen=True)
class Book:
    """One title; books with the same ISBN are equal."""

    isbn: str
    title: str
    author: str
    price: Money
    year: int = 2020
    subjects: frozenset[str] = frozenset()


class Catalogue:
    """Books by ISBN."""

    def __init__(self, books: Iterable[Book] = ()) -> None:
        """Start with some books."""
        self._books: dict[str, Book] = {}
        for book in books:
            self.add(book)

    def __len__(self) -> int:
        """Count the titles."""
        return len(self._books)

    def __iter__(self) -> Iterator[Book]:
        """Iterate over the books in the order in which they were added."""
        return iter(self._books.values())

    def __contains__(self, isbn: str) -> bool:
        """Return whether there is a book with this ISBN, in any notation."""
        return normalize(isbn) in self._books

    def add(self, book: Book) -> None:
        """Add a book whose ISBN is not yet in the catalogue."""
        isbn = normalize(book.isbn)
        if isbn in self._books:
            raise ValueError(f"already in the catalogue: {isbn}")
        self._books[isbn] = book

    def get(self, isbn: str) -> Book:
        """Return the book of this ISBN, in any notation; KeyError if there is none."""
        return self._books[normalize(isbn)]

    def remove(self, isbn: str) -> Book:
        """Remove a book and return it."""
        return self._books.pop(normalize(isbn))

    def by_author(self, author: str) -> list[Book]:
        """Return an author's books, the latest first, then by title."""
        wanted = author.casefold()
        return sorted((b for b in self if b.author.casefold() == wanted), key=lambda b: (-b.year, b.title))

    def on(self, *subjects: str) -> list[Book]:
        """Return the books that are about all these subjects, by title."""
        return sorted((b for b in self if b.subjects.issuperset(subjects)), key=lambda b: b.title)

    def priced(self, low: Money, high: Money) -> list[Book]:
        """Return the books from ``low`` up to and including ``high``, the cheapest first."""
        found = (b for b in self if not b.price < low and not high < b.price)
        return sorted(found, key=lambda b: (b.price.amount, b.title))


def trigrams(text: str) -> Counter[str]:
    """Count the groups of three letters in a text, word by word."""
    words = "".join(c if c.isalnum() else " " for c in text.casefold()).split()
    return Counter(f"  {word} "[i : i + 3] for word in words for i in range(len(word) + 1))


class SearchIndex:
    """Finds books by title and author, also with a few wrong letters."""

    def __init__(self, books: Iterable[Book]) -> None:
        """Index the books."""
        self._books = list(books)
        self._grams = [trigrams(f"{book.title} {book.author}") for book in self._books]
        self._with: defaultdict[str, list[int]] = defaultdict(list)
        for number, grams in enumerate(self._grams):
            for gram in grams:
                self._with[gram].append(number)

    def search(self, text: str, limit: int = 10) -> list[Book]:
        """Return the books that share most trigrams with ``text``, the best first."""
        wanted = trigrams(text)
        shared: Counter[int] = Counter()
        for gram, count in wanted.items():
            for number in self._with.get(gram, ()):
                shared[number] += min(count, self._grams[number][gram])

        def rank(number: int) -> tuple[float, str]:
            union = wanted.total() + self._grams[number].total() - shared[number]
            return -shared[number] / union, self._books[number].isbn

        return [self._books[number] for number in sorted(shared, key=rank)[:limit]]
