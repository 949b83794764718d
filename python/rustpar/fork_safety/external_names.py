"""Enumeration of values that may name something outside the process, after collection.

These are module constants, class attributes, settings, attributes that plugins set on the configuration, environment
variables, created paths, and commands. Elements of lists, tuples and sets are excluded, because they are test data.

The hazard it handles: the values are other people's objects, so none of their methods are called; and there may be very
many, so their number is limited.
"""

from __future__ import annotations

import builtins
import os
import sys
from pathlib import PurePath
from types import FunctionType, MemberDescriptorType
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import pytest

from rustpar.compat.sessions import stash_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import ModuleType

    from rustpar.process.code_origin import CodeOrigins

# Longer texts are documents.
_MAX_LENGTH = 1000

# Ports that a program may pick.
_PORTS = range(1024, 65536)

# The maximum depth of attributes and keys, and the maximum number of objects. Django's settings are four levels deep.
_MAX_DEPTH = 5
_MAX_OBJECTS = 100_000

_NO_FILE = ""


class Name(NamedTuple):
    """A text or a number that may name something outside the process.

    Attributes:
        name: The last part of its location: a variable, an attribute or a key.
        where: The complete location, such as ``conftest.SETTINGS.port``.
        value: The text, or an integer that may be a port.
        file: The file of the module, class or function whose variable it is; empty for an attribute or a key.
    """

    name: str
    where: str
    value: str | int
    file: str


class Names:
    """Enumerates names."""

    def __init__(self, config: pytest.Config, places: CodeOrigins) -> None:
        """Search `config` and the modules that `places` considers the project's own."""
        self._config = config
        self._places = places
        self._modules = {
            name: file
            for name, module in list(sys.modules.items())
            if isinstance(file := getattr(module, "__file__", None), str) and places.is_own_file(file)
        }
        self._seen: set[int] = set()
        self._left = _MAX_OBJECTS

    def all(self, environment_before: Mapping[bytes, bytes], actions: Iterable[tuple[str, str]]) -> Iterator[Name]:
        """Yield all names.

        Args:
            environment_before: The environment before configuring.
            actions: Descriptions of actions, each with a text that was used.
        """
        # The underlying data, because reads through `os.environ` itself are recorded.
        environment: Any = os.environ._data  # type: ignore[attr-defined]
        for key, value in list(environment.items()):
            if environment_before.get(key) != value and len(value) <= _MAX_LENGTH:
                name = os.fsdecode(key)
                yield Name(name, f"the environment variable {name}", os.fsdecode(value), _NO_FILE)
        for what, text in actions:
            yield Name("", what, text, _NO_FILE)
        for name, file in self._modules.items():
            yield from self._in_namespace(vars(sys.modules[name]), name, file)
        yield from self._in_plugins()
        for module in (pytest, builtins):
            yield from self._in_shared_module(module)

    def _in_plugins(self) -> Iterator[Name]:
        manager = self._config.pluginmanager
        for plugin in manager.get_plugins():
            if isinstance(plugin, type(sys)):
                file = getattr(plugin, "__file__", None)
                name = plugin.__name__
                # A conftest may be missing from sys.modules.
                if isinstance(file, str) and name not in self._modules and self._places.is_own_file(file):
                    yield from self._in_namespace(vars(plugin), name, file)
            elif self._is_own(type(plugin)):
                yield from self._in_value(type(plugin).__name__, type(plugin).__name__, plugin, _NO_FILE, 1)
        session = manager.get_plugin("session")
        for owner, where in ((self._config, "config"), (self._config.option, "config.option"), (session, "session")):
            for name, value in list(_attributes(owner)):
                if name != "workerinput":
                    yield from self._in_foreign_attribute(name, f"{where}.{name}", value)
        for value in stash_values(self._config):
            yield from self._in_foreign_attribute("", "config.stash", value)

    def _in_foreign_attribute(self, name: str, where: str, value: object) -> Iterator[Name]:
        """Yield names in a value that was set on one of pytest's objects, if its type is plain or the project's own."""
        if _is_plain(value) or self._is_own(type(value)):
            yield from self._in_value(name, where, value, _NO_FILE, 1)

    def _in_shared_module(self, module: ModuleType) -> Iterator[Name]:
        for name, value in list(vars(module).items()):
            if name[:1] != "_" and (scalar := _scalar(value)) is not None:
                yield Name(name, f"{module.__name__}.{name}", scalar, _NO_FILE)

    def _in_namespace(self, namespace: Mapping[str, Any], where: str, file: str) -> Iterator[Name]:
        for name, value in list(namespace.items()):
            # Skip special names, and pytestmark, whose values belong to pytest.
            if name[:2] == "__" or name == "pytestmark":
                continue
            if isinstance(value, FunctionType):
                if value.__code__.co_filename == file:
                    for default in (*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()):
                        if isinstance(scalar := _scalar(default), str):
                            yield Name(name, f"a default of {where}.{name}", scalar, _NO_FILE)
            else:
                yield from self._in_value(name, f"{where}.{name}", value, file, 0)

    def _in_value(self, name: str, where: str, value: Any, file: str, depth: int) -> Iterator[Name]:
        scalar = _scalar(value)
        if scalar is not None:
            yield Name(name, where, scalar, file)
        elif depth > _MAX_DEPTH or self._left <= 0 or id(value) in self._seen:
            return
        elif issubclass(type(value), type):
            if self._is_own(value):
                self._seen.add(id(value))
                yield from self._in_namespace(vars(value), where, self._modules[value.__module__])
        else:
            yield from self._in_parts(where, value, depth)

    def _in_parts(self, where: str, value: Any, depth: int) -> Iterator[Name]:
        kind = type(value)
        parts: list[tuple[Any, Any]] = []
        if issubclass(kind, dict):
            parts += dict.items(value)
            # Keys may name queues, databases and the like.
            for key in dict.keys(value):
                if isinstance(text := _scalar(key), str):
                    yield Name("", f"a key of {where}", text, _NO_FILE)
        if kind is not dict and self._may_hold_names(kind):
            parts += _attributes(value)
        if not parts:
            return
        self._seen.add(id(value))
        self._left -= len(parts)
        for key, one in parts:
            part = key if isinstance(key, str) else repr(key) if type(key) is int else ""
            yield from self._in_value(part, f"{where}.{part}", one, _NO_FILE, depth + 1)

    def _is_own(self, kind: type) -> bool:
        module = getattr(kind, "__module__", None)
        return isinstance(module, str) and module in self._modules

    def _may_hold_names(self, kind: type) -> bool:
        """Whether instances may hold names: no modules, and no types of pytest itself."""
        if self._is_own(kind):
            return True
        name = getattr(kind, "__module__", None)
        file = getattr(sys.modules.get(name), "__file__", None) if isinstance(name, str) else None
        return isinstance(file, str) and not self._places.is_harmless(file) and name != "logging"


def _scalar(value: Any) -> str | int | None:
    """Return a value that may be a name: a text, or an integer that may be a port; None for any other."""
    kind = type(value)
    if issubclass(kind, str):
        text = str.__str__(value)
    elif issubclass(kind, bytes):
        text = bytes.decode(value, "latin-1")
    elif issubclass(kind, UUID):
        return f"{value.int:032x}"
    elif issubclass(kind, PurePath):
        return str(value)
    else:
        return value if kind is int and value in _PORTS else None
    return text if len(text) <= _MAX_LENGTH else None


def _is_plain(value: Any) -> bool:
    return type(value) is dict or _scalar(value) is not None


def _attributes(value: object) -> Iterator[tuple[str, Any]]:
    """Yield the attributes of an object without calling any of its code."""
    try:
        held = object.__getattribute__(value, "__dict__")
    except AttributeError:
        held = None
    if isinstance(held, dict):
        yield from list(held.items())
    for base in type(value).__mro__:
        slots = base.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else tuple(slots):
            descriptor = base.__dict__.get(name)
            if isinstance(descriptor, MemberDescriptorType):
                try:
                    yield name, descriptor.__get__(value)
                except AttributeError:
                    continue
