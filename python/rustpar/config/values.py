"""Values that are given on the command line, or else in the configuration file, read the same way in both places.

Every entry of the configuration file is read here, by the function for its kind: :func:`given` for one that has an
option which argparse reads, :func:`ini_choice`, :func:`ini_text`, :func:`ini_lines` or :func:`ini_path`.

The hazard it handles: in the table ``[tool.pytest]`` of pytest 9 values keep TOML's types, and pytest's ``getini``
refuses those that are not of the one type which an entry was added with, in 9.0 with a traceback. But a person writes
``10`` beside ``"10"``, and a list beside a text with commas. So what was written is looked at here, and a value that no
reader understands is the reader's error.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_Value = TypeVar("_Value")

# What pytest makes of false in [tool.pytest.ini_options], and what a person writes in an ini file.
_FALSE = ("false", "False")


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
    return config.getoption(name, None) is not None or has_entry(config, name)


def has_entry(config: pytest.Config, name: str) -> bool:
    """Whether the configuration file has a value; an empty one and false are none."""
    value = _entry(config, name)
    if isinstance(value, list) and len(value) == 1:
        # What pytest 8 makes of a text for an entry that may have lines.
        value = value[0]
    return value is not False and (isinstance(value, (int, float)) or value not in ("", [], {}, *_FALSE))


def given(config: pytest.Config, name: str, read: Callable[[str], _Value]) -> _Value | None:
    """The value of an option, which argparse has read, or else of the configuration file's entry with the same name.

    Raises:
        pytest.UsageError: When `read` raises a `ValueError` for the file's, with its words.
    """
    value: _Value | None = config.getoption(name, None)
    if value is not None or not has_entry(config, name):
        return value
    try:
        return read(ini_text(config, name))
    except ValueError as error:
        raise pytest.UsageError(f"{name}: {error}") from None


def ini_choice(
    config: pytest.Config, name: str, choices: Sequence[str], meanings: Mapping[str, str] | None = None
) -> str:
    """The one of `choices` that the configuration file has.

    Args:
        config: The session's configuration.
        name: The entry's name. Its default is one of `choices`.
        choices: What may be written.
        meanings: Choices that "true" and "false" stand for, if they do.

    Raises:
        pytest.UsageError: When it has something else; one line that lists them.
    """
    value = ini_text(config, name)
    value = (meanings or {}).get(value.lower(), value)
    if value not in choices:
        raise pytest.UsageError(f"{name} = {value}: use {', '.join(choices[:-1])} or {choices[-1]}")
    return value


def ini_path(config: pytest.Config, name: str) -> Path | None:
    """The path that the configuration file has, as seen from rootdir; None when it has none.

    Raises:
        pytest.UsageError: When what it has is no text.
    """
    value = _entry(config, name)
    if not isinstance(value, str):
        raise pytest.UsageError(f"{name} = {_as_text(value)}: use a path, as in build/{name}")
    return Path(config.rootpath, value) if value else None


def ini_text(config: pytest.Config, name: str) -> str:
    """What the configuration file has, as a text: numbers in digits, booleans as "true" or "false"."""
    return _as_text(_entry(config, name))


def ini_lines(config: pytest.Config, name: str) -> list[str]:
    """The lines or the list that the configuration file has; those of a table have "key: value"."""
    if not has_entry(config, name):
        return []
    value = _entry(config, name)
    if isinstance(value, dict):
        return [f"{key}: {_as_text(what)}" for key, what in value.items()]
    if isinstance(value, list):
        return [_as_text(item) for item in value]
    return [line.strip() for line in _as_text(value).splitlines() if line.strip()]


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value).strip()


def _entry(config: pytest.Config, name: str) -> object:
    """What was written, with the type that it has in the file; the default where nothing was.

    Before pytest 9 every value is a text or a list. Since then values are kept beside how they were written.
    """
    attributes = vars(config)
    written = attributes.get("_inicfg", attributes.get("inicfg", {})).get(name)
    return config.getini(name) if written is None or isinstance(written, (str, list)) else written.value
