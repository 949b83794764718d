"""The time from which on a test counts as slow: ``--rustpar-slow``."""

from __future__ import annotations

import argparse

import pytest

from rustpar import duration


def option_value(text: str) -> float:
    """Read the option's value, for argparse."""
    try:
        return duration.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def slow_limit(config: pytest.Config) -> float | None:
    """The limit in seconds, of the command line or the ini file; None when there is none.

    Raises:
        pytest.UsageError: When ``rustpar_slow`` in the ini file is no duration.
    """
    given: float | None = config.getoption("rustpar_slow", None)
    if given is not None:
        return given
    text: str = config.getini("rustpar_slow")
    if not text:
        return None
    try:
        return duration.parse(text)
    except ValueError as error:
        raise pytest.UsageError(f"rustpar_slow: {error}") from None
