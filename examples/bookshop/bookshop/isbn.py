"""International Standard Book Numbers of ten and thirteen digits."""

from __future__ import annotations


class InvalidIsbn(ValueError):
    """A text that is not an ISBN; the message says why."""


def check_digit_10(first_nine: str) -> str:
    """Return the last character of an ISBN-10, which may be X."""
    value = -sum((10 - i) * int(digit) for i, digit in enumerate(first_nine)) % 11
    return "X" if value == 10 else str(value)


def check_digit_13(first_twelve: str) -> str:
    """Return the last digit of an ISBN-13."""
    return str(-sum((1, 3)[i % 2] * int(digit) for i, digit in enumerate(first_twelve)) % 10)


def normalize(text: str) -> str:
    """Return the ISBN-13 of ``text``, an ISBN of either length with or without hyphens and spaces."""
    digits = text.replace("-", "").replace(" ", "").upper()
    body, check = digits[:-1], digits[-1:]
    if not (body.isascii() and body.isdigit()):
        raise InvalidIsbn(f"not a number: {text!r}")
    if len(digits) == 10:
        if check_digit_10(body) != check:
            raise InvalidIsbn(f"wrong check digit: {text!r}")
        return f"978{body}{check_digit_13('978' + body)}"
    if len(digits) != 13:
        raise InvalidIsbn(f"{len(digits)} digits: {text!r}")
    if not body.startswith(("978", "979")):
        raise InvalidIsbn(f"not a book: {text!r}")
    if check_digit_13(body) != check:
        raise InvalidIsbn(f"wrong check digit: {text!r}")
    return digits


def to_isbn10(isbn13: str) -> str:
    """Return the ISBN-10 of a normalized ISBN-13; those of prefix 979 have none."""
    if not isbn13.startswith("978"):
        raise InvalidIsbn(f"has no short form: {isbn13!r}")
    return isbn13[3:12] + check_digit_10(isbn13[3:12])
