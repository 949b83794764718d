"""Values that are given on the command line, or else in the ini file, read the same way in both places."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

_Value = TypeVar("_Value")


def from_option(read: Callable[[str], _Value], text: str) -> _Value:
    """Read an option's value, for argparse.

    Raises:
        argparse.ArgumentTypeError: When `read` raises a `ValueError`, with its words.
    """
    try:
        return read(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def is_given(config: pytest.Config, name: str) -> bool:
    """Whether there is a value, be it one that undoes another."""
    return config.getoption(name, None) is not None or bool(config.getini(name))


def given(config: pytest.Config, name: str, read: Callable[[str], _Value]) -> _Value | None:
    """The value of an option, which argparse has read, or else of the ini file's entry with the same name.

    Raises:
        pytest.UsageError: When `read` raises a `ValueError` for the ini file's, with its words.
    """
    value: _Value | None = config.getoption(name, None)
    text: str = config.getini(name)
    if value is not None or not text:
        return value
    try:
        return read(text)
    except ValueError as error:
        raise pytest.UsageError(f"{name}: {error}") from None
