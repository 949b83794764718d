"""Which failed tests are tried again, how often and when: ``--rustpar-retries``, and the marker ``flaky``.

The marker is that of pytest-rerunfailures, with its arguments. If that plugin is installed, it handles its marker and
its options itself, and tests that it may rerun are left to it. The plugin flaky has a marker of the same name, too.

The hazard it handles: a failure of a kind that nobody expects to go away must not be hidden by a retry. So rules can
name kinds of failures: a crash, a time limit, classes of exceptions.
"""

from __future__ import annotations

import os
import platform
import re
import sys
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from rustpar import _core
from rustpar.collection.markers import marked
from rustpar.config.retry_options import retry_count
from rustpar.config.values import given, has_entry, ini_choice, ini_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

MARKER = "flaky"

# Kinds of failures that are not exceptions: a worker died in the test, or was ended at its time limit.
CRASH, TIMEOUT = "crash", "timeout"

_KINDS_OPTION, _KINDS_INI = "--rustpar-retry-on", "rustpar_retry_on"

_ARGUMENTS = frozenset(
    {"reruns", "reruns_delay", "reruns_delay_backoff_factor", "only_rerun", "rerun_except", "condition", "reason"}
)

_RULE: pytest.StashKey[Rule] = pytest.StashKey()
_SETTINGS: pytest.StashKey[Settings] = pytest.StashKey()


class Rule(NamedTuple):
    """How often a test is tried again, and after which failures.

    Attributes:
        times: The number of retries after the first attempt.
        delay: The delay before each.
        kinds: Kinds of failures that are retried, see `Settings.kinds`; empty for all.
        only: Patterns of which one has to match the text of an exception, as of pytest-rerunfailures; empty for all.
        exceptions: Patterns of which none may match it.
    """

    times: int
    delay: _core.RetryDelay
    kinds: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    exceptions: tuple[str, ...] = ()

    def retries(self, error: BaseException | None) -> bool:
        """Whether a failure with this exception is retried; None for one without, as of ``xfail(strict=True)``."""
        if error is None:
            return not (self.kinds or self.only)
        if self.kinds and not _is_of_kind(error, self.kinds):
            return False
        if not self.only and not self.exceptions:
            return True
        text = f"{type(error).__name__}: {error}"
        if any(re.search(pattern, text) for pattern in self.exceptions):
            return False
        return not self.only or any(re.search(pattern, text) for pattern in self.only)

    def times_after(self, kind: str) -> int:
        """Return how often a test is tried again after this kind of failure, which is not an exception."""
        return 0 if self.only or (self.kinds and kind not in self.kinds) else self.times


class Settings(NamedTuple):
    """The options for retries.

    Attributes:
        rule: The rule for tests without a mark; None without ``--rustpar-retries``.
        delay: The delay of a mark without one.
        kinds: The kinds of failures that are retried: `CRASH`, `TIMEOUT`, and names of classes of exceptions; empty
            for all.
        last: Whether retries run after all other tests.
        must_not_be_flaky: Whether a flaky test fails the run.
    """

    rule: Rule | None
    delay: _core.RetryDelay
    kinds: tuple[str, ...]
    last: bool
    must_not_be_flaky: bool


def settings_of(config: pytest.Config) -> Settings:
    """Return the options for retries, from the command line or the ini file.

    Raises:
        pytest.UsageError: A setting in the ini file is invalid.
    """
    settings = config.stash.get(_SETTINGS, None)
    if settings is None:
        times = given(config, "rustpar_retries", retry_count)
        delay = given(config, "rustpar_retry_delay", _core.RetryDelay) or _core.RetryDelay("0")
        kinds = _kinds(config)
        rule = Rule(times, delay, kinds) if times and not _is_left_to_plugins(config, ()) else None
        config.stash[_SETTINGS] = settings = Settings(
            rule=rule,
            delay=delay,
            kinds=kinds,
            last=_choice(config, "rustpar_retry_when", ("now", "last")) == "last",
            must_not_be_flaky=_choice(config, "rustpar_flaky", ("pass", "fail")) == "fail",
        )
    return settings


def _kinds(config: pytest.Config) -> tuple[str, ...]:
    asked: str | None = config.getoption("rustpar_retry_on", None)
    text = ",".join(ini_lines(config, _KINDS_INI)) if asked is None else asked
    names = tuple(name for part in text.split(",") if (name := part.strip()))
    for name in names:
        if not all(part.isidentifier() for part in name.split(".")):
            source = _KINDS_INI if asked is None else _KINDS_OPTION
            raise pytest.UsageError(
                f"{source}: invalid kind of failure {name!r}: expected crash, timeout or a class name"
            )
    return names


def _choice(config: pytest.Config, name: str, choices: tuple[str, str]) -> str:
    asked: str | None = config.getoption(name, None)
    return asked or ini_choice(config, name, choices)


def _is_of_kind(error: BaseException, kinds: Sequence[str]) -> bool:
    """Whether an exception, or every exception in a group, is of one of these classes."""
    for one in type(error).__mro__:
        if one.__name__ in kinds or f"{one.__module__}.{one.__qualname__}" in kinds:
            return True
    members: Sequence[BaseException] = getattr(error, "exceptions", ()) if _is_group(error) else ()
    return bool(members) and all(_is_of_kind(member, kinds) for member in members)


def _is_group(error: BaseException) -> bool:
    return any(one.__name__ == "BaseExceptionGroup" for one in type(error).__mro__)


def rule_of(item: pytest.Item) -> Rule | None:
    """Return the rule of a test, after `find_marks`; None if it is not tried again."""
    rule: Rule | None = item.stash.get(_RULE, None)
    return settings_of(item.config).rule if rule is None else rule if rule.times else None


def find_marks(config: pytest.Config, items: Sequence[pytest.Item]) -> bool:
    """Read the marks of all tests; return whether any test may be tried again."""
    settings = settings_of(config)
    has_rule = settings.rule is not None
    for index, marks in marked(items, (MARKER,)).items():
        item, mark = items[index], marks[0]
        if _is_left_to_plugins(config, marks):
            item.stash[_RULE] = Rule(0, settings.delay)
            continue
        try:
            rule = _rule_of_mark(item, mark, settings)
        except (ValueError, TypeError) as error:
            text = f"{item.nodeid}: invalid flaky mark: {error}"
            warnings.warn(pytest.PytestWarning(text), stacklevel=2)
            continue
        if rule is not None:
            item.stash[_RULE] = rule
            has_rule |= rule.times > 0
    return has_rule


def _is_left_to_plugins(config: pytest.Config, marks: Sequence[pytest.Mark]) -> bool:
    """Whether a plugin that reruns tests is in charge of a test with these marks; otherwise both would rerun it."""
    plugins = config.pluginmanager
    if plugins.has_plugin("rerunfailures"):
        return bool(marks or config.getoption("reruns", None) or _has_ini(config, "reruns"))
    return bool(marks) and plugins.has_plugin("flaky")


def _has_ini(config: pytest.Config, name: str) -> bool:
    try:
        return has_entry(config, name)
    except ValueError:
        return False


def _rule_of_mark(item: pytest.Item, mark: pytest.Mark, settings: Settings) -> Rule | None:
    """Return the rule of a mark; None if its condition does not hold."""
    if len(mark.args) > 2 or not set(mark.kwargs) <= _ARGUMENTS:
        raise ValueError("expected for example @pytest.mark.flaky(reruns=2, reruns_delay=1)")
    about: dict[str, Any] = {**dict(zip(("reruns", "reruns_delay"), mark.args, strict=False)), **mark.kwargs}
    if not _holds(item, about.get("condition", True)):
        return None
    return Rule(
        times=retry_count(str(about.get("reruns", 1))),
        delay=_delay_of_mark(about, settings),
        kinds=() if "only_rerun" in about else settings.kinds,
        only=_patterns(about.get("only_rerun")),
        exceptions=_patterns(about.get("rerun_except")),
    )


def _delay_of_mark(about: dict[str, Any], settings: Settings) -> _core.RetryDelay:
    if "reruns_delay" not in about:
        return settings.delay
    delay, factor = about["reruns_delay"], about.get("reruns_delay_backoff_factor", 1)
    return _core.RetryDelay(str(delay) if factor == 1 else f"{delay}*{factor}..1000h")


def _holds(item: pytest.Item, condition: object) -> bool:
    if not isinstance(condition, str):
        return bool(condition)
    names = {"os": os, "sys": sys, "platform": platform, "config": item.config}
    names |= getattr(getattr(item, "obj", None), "__globals__", {})
    try:
        return bool(eval(condition, names))
    except Exception as error:
        raise ValueError(f"condition {condition!r}: {error!r}") from None


def _patterns(value: object) -> tuple[str, ...]:
    patterns = () if value is None else (value,) if isinstance(value, (str, type)) else tuple(value)  # type: ignore[arg-type]
    return tuple(one.__name__ if isinstance(one, type) else str(one) for one in patterns)


def rules_after_crash(items: Sequence[pytest.Item]) -> list[tuple[int, int, int, str]]:
    """Return the marked tests, for the controller, which decides after a crash.

    Returns:
        For each: its index, how often it is tried again after a crash and after a time limit, and the delay as a text.
    """
    found: list[tuple[int, int, int, str]] = []
    for index, item in enumerate(items):
        rule = item.stash.get(_RULE, None)
        if rule is not None:
            found.append((index, rule.times_after(CRASH), rule.times_after(TIMEOUT), rule.delay.text))
    return found
