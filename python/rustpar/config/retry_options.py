"""Whether any option for retries is set, and what is needed of retries in a run without them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rustpar.config.values import ini_text, is_given

if TYPE_CHECKING:
    import pytest

# The plugin that tries tests again, registered if there is any test for it.
PLUGIN = "rustpar-retries"

# More would hide any failure. The engine could count 16 million.
_MOST = 1000

# These entries have a default.
_CHOICES = {"rustpar_retry_when": "now", "rustpar_flaky": "pass"}


def are_set(config: pytest.Config) -> bool:
    """Whether any option for retries is given; each is checked then, also one that has no effect without another.

    Raises:
        pytest.UsageError: A value in the configuration file is not a text.
    """
    if any(is_given(config, name) for name in ("rustpar_retries", "rustpar_retry_delay", "rustpar_retry_on")):
        return True
    return any(ini_text(config, name) != default for name, default in _CHOICES.items())


def retry_count(text: str) -> int:
    """Parse a number of retries.

    Raises:
        ValueError: It is not a number from 0 to 1000.
    """
    if not text.strip().isdecimal() or int(text) > _MOST:
        raise ValueError(f"invalid number of retries {text!r}: expected a number from 0 to {_MOST}")
    return int(text)
