"""Book numbers: every valid notation is accepted, and a single wrong digit is detected."""

from __future__ import annotations

import random

import pytest

from bookshop.isbn import InvalidIsbn, check_digit_10, check_digit_13, normalize, to_isbn10

REAL = ["0-306-40615-2", "978-3-16-148410-0", "0 8044 2957 X", "9781861972712", "080442957x"]
GENERATED = [f"{random.Random(n).randrange(10**9):09}" for n in range(120)]


@pytest.mark.parametrize("text", REAL)
def test_real_numbers_are_accepted(text: str) -> None:
    assert len(normalize(text)) == 13


@pytest.mark.parametrize("body", GENERATED)
def test_long_and_short_form_name_the_same_book(body: str) -> None:
    short = body + check_digit_10(body)
    assert to_isbn10(normalize(short)) == short


@pytest.mark.parametrize("body", GENERATED[:60])
def test_a_single_wrong_digit_is_detected(body: str) -> None:
    right = f"978{body}{check_digit_13('978' + body)}"
    for place in range(3, 13):
        for digit in set("0123456789") - {right[place]}:
            with pytest.raises(InvalidIsbn, match="wrong check digit"):
                normalize(right[:place] + digit + right[place + 1 :])


@pytest.mark.parametrize("body", GENERATED[:60])
def test_swapped_neighbours_are_detected_in_the_short_form(body: str) -> None:
    right = body + check_digit_10(body)
    for place in range(8):
        swapped = right[:place] + right[place + 1] + right[place] + right[place + 2 :]
        if swapped != right:
            with pytest.raises(InvalidIsbn, match="wrong check digit"):
                normalize(swapped)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not a number"),
        ("hello", "not a number"),
        ("978-3-16-148410", "12 digits|wrong check digit|10 digits"),
        ("1234567890123", "not a book"),
        ("97831614841000", "14 digits"),
        ("97831614841O0", "not a number"),
        ("٠٣٠٦٤٠٦١٥٢", "not a number"),
    ],
)
def test_other_texts_are_refused_with_a_reason(text: str, why: str) -> None:
    with pytest.raises(InvalidIsbn, match=why):
        normalize(text)


def test_numbers_of_prefix_979_have_no_short_form() -> None:
    with pytest.raises(InvalidIsbn, match="has no short form"):
        to_isbn10("979" + "000000000" + check_digit_13("979000000000"))
