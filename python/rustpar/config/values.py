"""Option values from the command line or else the configuration file, parsed in the same way.

Every entry of the configuration file is read here, by the function for its kind: :func:`given` for one that has an
option which argparse reads, :func:`ini_choice`, :func:`ini_text`, :func:`ini_lines` or :func:`ini_path`.

The hazard it handles: in the table ``[tool.pytest]`` of pytest 9, values keep their TOML types, and pytest's ``getini``
rejects values that are not of the type with which an entry was added, in 9.0 with a traceback. But people write ``10``
or ``"10"``, and a list or a text with commas. So the raw values are read here, and the parsers report invalid ones.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_Value = TypeVar("_Value")

# pytest's value for false in [tool.pytest.ini_options], and the usual form in an ini file.
_FALSE = ("false", "False")


def from_option(read: Callable[[str], _Value], text: str) -> _Value:
    """Parse an option's value, for argparse.

    Raises:
        argparse.ArgumentTypeError: `read` has raised a `ValueError`; with the same message.
    """
    try:
        return read(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def is_given(config: pytest.Config, name: str) -> bool:
    """Whether there is a value, including an empty one on the command line."""
    return config.getoption(name, None) is not None or has_entry(config, name)


def has_entry(config: pytest.Config, name: str) -> bool:
    """Whether the configuration file has a value other than false or an empty one."""
    value = _entry(config, name)
    if isinstance(value, list) and len(value) == 1:
        # pytest 8 converts a text to a list for an entry of type linelist.
        value = value[0]
    return value is not False and (isinstance(value, (int, float)) or value not in ("", [], {}, *_FALSE))


def given(config: pytest.Config, name: str, read: Callable[[str], _Value]) -> _Value | None:
    """Return an option's value, parsed by argparse, or else that of the configuration file's entry with the same name.

    Raises:
        pytest.UsageError: `read` has raised a `ValueError` for the file's value; with the same message.
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
    """Return the choice that is set in the configuration file.

    Args:
        config: The session's configuration.
        name: The entry's name. Its default is one of `choices`.
        choices: The valid values.
        meanings: The choices that "true" and "false" stand for, if any.

    Raises:
        pytest.UsageError: It is not one of them; the message lists them.
    """
    value = ini_text(config, name)
    value = (meanings or {}).get(value.lower(), value)
    if value not in choices:
        raise pytest.UsageError(f"{name} = {value}: use {', '.join(choices[:-1])} or {choices[-1]}")
    return value


def ini_path(config: pytest.Config, name: str) -> Path | None:
    """Return the path that is set in the configuration file, relative to rootdir; None if there is none.

    Raises:
        pytest.UsageError: The value is not a text.
    """
    value = _entry(config, name)
    if not isinstance(value, str):
        raise pytest.UsageError(f"{name} = {_as_text(value)}: use a path, as in build/{name}")
    return Path(config.rootpath, value) if value else None


def ini_text(config: pytest.Config, name: str) -> str:
    """Return the value in the configuration file as a text: numbers in digits, booleans as "true" or "false"."""
    return _as_text(_entry(config, name))


def ini_lines(config: pytest.Config, name: str) -> list[str]:
    """Return the value in the configuration file as lines: of a text, a list, or a table as "key: value"."""
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
    """Return the value with its type in the file, or the default.

    Before pytest 9 every value is a text or a list. Since then the raw value is stored with its origin.
    """
    attributes = vars(config)
    written = attributes.get("_inicfg", attributes.get("inicfg", {})).get(name)
    return config.getini(name) if written is None or isinstance(written, (str, list)) else written.value
