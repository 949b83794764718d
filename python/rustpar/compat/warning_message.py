"""Serialization of warnings, for sending them from a worker to the controller.

The hazard it handles: a warning's class may not exist in the controller: it may be defined in a test module, in a
function, or in a package that only workers import. The controller must not import any of them, because that would
execute their code again. So for classes that are not loaded it creates stand-ins with the same name and module, and the
same bases as far as they are loaded.
"""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Any

from rustpar import _core

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    # Module, qualified name, and the bases, described in the same way; no bases for builtin classes.
    Kind = tuple[str, str, list["Kind"]]

# The stand-ins for classes that this process has not loaded.
_STAND_INS: dict[tuple[str, str, tuple[type, ...]], type] = {}


def to_plain(message: warnings.WarningMessage) -> dict[str, Any]:
    """Convert a warning to plain values."""
    warning: Any = message.message
    category: Any = message.category
    data: dict[str, Any] = {
        "category": _describe_class(category) if isinstance(category, type) else None,
        "text": str(warning),
    }
    if isinstance(warning, Warning):
        if type(warning) is not category:
            data["class"] = _describe_class(type(warning))
        if not _core.dumps(warning.args)[1]:
            data["args"] = warning.args
    data["details"] = {name: _sendable(getattr(message, name, None)) for name in _details()}
    return data


def from_plain(data: dict[str, Any]) -> warnings.WarningMessage:
    """Recreate the warning that :func:`to_plain` has converted. Imports nothing."""
    kind = data["category"]
    category: Any = None if kind is None else _resolve_class(kind)
    message: Any = data["text"]
    if "class" in data:
        message = _create_warning(_resolve_class(data["class"]), message, data.get("args"))
    elif category is not None:
        message = _create_warning(category, message, data.get("args"))
    return warnings.WarningMessage(message=message, category=category, **data["details"])


def _details() -> Iterator[str]:
    """Yield the names of a warning message's other attributes, which vary between versions of Python."""
    details: tuple[str, ...] = warnings.WarningMessage._WARNING_DETAILS  # type: ignore[attr-defined]
    return (name for name in details if name not in ("message", "category"))


def _sendable(value: object) -> object:
    return value if value is None or isinstance(value, (str, int)) else repr(value)


def _describe_class(cls: type) -> Kind:
    if cls.__module__ == "builtins":
        return "builtins", cls.__qualname__, []
    return cls.__module__, cls.__qualname__, [_describe_class(base) for base in cls.__bases__]


def _resolve_class(kind: Kind) -> type:
    """Return the loaded class that is described, or else a stand-in."""
    module, name, bases = kind
    loaded = _loaded_class(module, name)
    if loaded is not None:
        return loaded
    parents = tuple(_resolve_class(base) for base in bases) or (object,)
    known = _STAND_INS.get((module, name, parents))
    if known is None:
        known = _STAND_INS[module, name, parents] = _create_class(module, name, parents)
    return known


def _loaded_class(module: str, name: str) -> type | None:
    # Not getattr: a module's __getattr__ could import something.
    names: Mapping[str, Any] = vars(sys.modules[module]) if module in sys.modules else {}
    found: Any = None
    for part in name.split("."):
        found = names.get(part)
        if not isinstance(found, type):
            return None
        names = vars(found)
    return found if (found.__module__, found.__qualname__) == (module, name) else None


def _create_class(module: str, name: str, parents: tuple[type, ...]) -> type:
    about = {"__module__": module, "__qualname__": name, "__doc__": None}
    plain_name = name.rpartition(".")[2]
    try:
        return type(plain_name, parents, about)
    except TypeError:
        # The bases may have a metaclass, or refuse subclasses. Derive from the first base that is a warning.
        is_warning = (base for base in parents if issubclass(base, Warning))
        return type(plain_name, (next(is_warning, Warning),), about)


def _create_warning(cls: type, text: str, args: tuple[object, ...] | None) -> object:
    """Create a warning of this class whose text is `text`."""
    if not issubclass(cls, Warning):
        return text
    try:
        warning = cls(*(args if args is not None else (text,)))
        if str(warning) == text:
            return warning
    except Exception:
        # The constructor takes other arguments than those in `args`.
        pass
    about = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__init__": lambda self, *args: None}
    said = type(cls.__name__, (cls,), {**about, "__str__": lambda self: text})
    return said.__new__(said, *(args if args is not None else (text,)))
