"""The options for tests that are tried again, and what is needed of retries in a run without them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rustpar.config.values import from_option, ini_text, is_given

if TYPE_CHECKING:
    import pytest

# The plugin that tries tests again, registered if there is any test for it.
PLUGIN = "rustpar-retries"

# More would hide any failure. The engine could count 16 million.
_MOST = 1000

# These entries have a default.
_CHOICES = {"rustpar_retry_when": "now", "rustpar_flaky": "pass"}


def add(parser: pytest.Parser, group: pytest.OptionGroup) -> None:
    """Add them to a group of options, and the defaults of the configuration file."""
    group.addoption(
        "--rustpar-retries",
        type=_count,
        default=None,
        metavar="N",
        help="Try a test that fails up to N times again, on another worker if there is one. If it passes, it counts as "
        "flaky. @pytest.mark.flaky(reruns=2) sets the number for a test. 0 disables rustpar_retries for a run.",
    )
    parser.addini("rustpar_retries", "How often a test that fails is tried again: as --rustpar-retries.", default="")
    group.addoption(
        "--rustpar-retry-delay",
        type=_delay,
        default=None,
        metavar="TIME",
        help="The time before a test is tried again: 500ms; 1s*2 for 1, 2, 4 ... s, up to a minute; 1s*2..30s for "
        "up to 30 seconds. Other tests run meanwhile.",
    )
    parser.addini("rustpar_retry_delay", "The default of --rustpar-retry-delay, for example: 1s*2", default="")
    group.addoption(
        "--rustpar-retry-on",
        default=None,
        metavar="KINDS",
        help="Try tests only again after these failures: crash (of a worker), timeout (--rustpar-timeout), and names "
        "of exception classes, base classes included: 'crash,timeout,ConnectionError'. By default after any.",
    )
    parser.addini(
        "rustpar_retry_on",
        "The failures after which tests are tried again: the default of --rustpar-retry-on.",
        type="linelist",
        default=[],
    )
    group.addoption(
        "--rustpar-retry-when",
        choices=["now", "last"],
        default=None,
        metavar="WHEN",
        help="When tests are tried again.\nnow (default): At once.\nlast: After all other tests.",
    )
    parser.addini("rustpar_retry_when", "The default of --rustpar-retry-when.", default="now")
    group.addoption(
        "--rustpar-flaky",
        choices=["pass", "fail"],
        default=None,
        metavar="WHAT",
        help="Whether a run with flaky tests, which have passed when tried again, passes (default) or fails.",
    )
    parser.addini("rustpar_flaky", "The default of --rustpar-flaky.", default="pass")


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


def _count(text: str) -> int:
    return from_option(retry_count, text)


def _delay(text: str) -> object:
    from rustpar import _core

    return from_option(_core.RetryDelay, text)
