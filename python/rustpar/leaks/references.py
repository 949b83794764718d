"""Whether an object owns a leftover: a thread, descriptor, process or file that can be reached from it.

The hazard it handles: a pool in a session fixture opens connections and starts threads while tests use it. They are the
fixture's. Only references are followed, so no code of the suite runs, except ``fileno`` of files.
"""

from __future__ import annotations

import contextlib
import gc
import threading
from pathlib import PurePath
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rustpar import _core

# Objects that are looked at: about 10 ms. An object graph that is larger leads everywhere.
_MOST = 20_000

# Not followed: classes, modules and the like lead to all objects of a program; these packages lead to all of its tests.
_SHARED_TYPES = (type, ModuleType, CodeType, BuiltinFunctionType)
_SHARED_MODULES = ("_pytest", "pluggy", "rustpar", "logging")


def owned(roots: Iterable[object], leftovers: Iterable[_core.Leftover]) -> list[_core.Leftover]:
    """Return the leftovers that can be reached from `roots`."""
    wanted = list(leftovers)
    found: list[_core.Leftover] = []
    seen: set[int] = set()
    todo = list(roots)
    while todo and wanted and len(seen) < _MOST:
        candidate = todo.pop()
        if id(candidate) in seen:
            continue
        seen.add(id(candidate))
        matching = [leftover for leftover in wanted if _is_owner(candidate, leftover)]
        if matching:
            found += matching
            wanted = [leftover for leftover in wanted if leftover not in matching]
        todo += _references(candidate)
    return found


def _references(holder: Any) -> list[Any]:
    kind = type(holder)
    if kind is FunctionType:
        return [*(holder.__closure__ or ()), *(holder.__defaults__ or ())]
    if issubclass(kind, _SHARED_TYPES) or (kind.__module__ or "").partition(".")[0] in _SHARED_MODULES:
        return []
    if kind is dict and "__builtins__" in holder:
        # The globals of a module, to which frames lead.
        return []
    return gc.get_referents(holder)


def _is_owner(candidate: Any, leftover: _core.Leftover) -> bool:
    kind, number = leftover.kind, leftover.number
    if kind == "threads":
        return isinstance(candidate, threading.Thread) and candidate.native_id == number
    if kind == "descriptors":
        return _descriptor_of(candidate) == number
    if kind == "processes":
        # The attributes of subprocess.Popen, multiprocessing.Process and the like.
        return type(candidate) is dict and candidate.get("pid") == number
    if kind == "tempfiles":
        return (type(candidate) is str or isinstance(candidate, PurePath)) and str(candidate) == str(leftover.path)
    return False


def _descriptor_of(candidate: Any) -> int | None:
    if hasattr(type(candidate), "fileno"):
        with contextlib.suppress(Exception):
            number = candidate.fileno()
            return number if isinstance(number, int) else None
    return None
