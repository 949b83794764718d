"""Things that tell a process who it is, noting who reads them.

Each calls a function with the frame of the reader and what was done, until it is put back.
"""

from __future__ import annotations

import os
import random
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, KeysView
    from types import FrameType

    Note = Callable[[FrameType, str], None]

_Environment = type(os.environ)

# The functions of `random` that a name or a port is drawn with.
_DRAWING = ("random", "uniform", "randint", "randrange", "getrandbits", "randbytes", "choice", "choices", "sample")

# Modules whose functions make what is meant to be unique from the system's own random numbers.
_UNIQUE = ("uuid", "secrets", "random")


class _WatchedEnvironment(_Environment):  # type: ignore[misc,valid-type]
    """The environment, noting who reads the worker's name.

    Looking whether there is one tells nothing about which, and copying the whole environment is for others.
    """

    note: Note
    copying = 0

    def __getitem__(self, key: str) -> str:
        if self.copying:
            type(self).copying -= 1
        elif key == "PYTEST_XDIST_WORKER":
            self.note(_reader(sys._getframe(1)), f"reads {key}")
        return super().__getitem__(key)  # type: ignore[no-any-return]

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.encodekey(key) in self._data

    def keys(self) -> KeysView[str]:
        """Called by ``dict(os.environ)``, which then gets each item."""
        type(self).copying = len(self._data)
        return super().keys()  # type: ignore[no-any-return]

    def copy(self) -> dict[str, str]:
        return {key: _Environment.__getitem__(self, key) for key in self}


def _reader(frame: FrameType) -> FrameType:
    """Who reads, past the methods that read for others."""
    while frame.f_code.co_name in ("get", "getenv", "pop", "setdefault") and frame.f_back is not None:
        frame = frame.f_back
    return frame


class WatchedInput(dict[str, Any]):
    """``config.workerinput``, noting who reads what differs between workers."""

    def __init__(self, values: dict[str, Any], note: Note, keys: frozenset[str]) -> None:
        """Hold `values`; `keys` are those that differ."""
        super().__init__(values)
        self.note = note
        self._keys = keys

    def __getitem__(self, key: str) -> Any:
        if key in self._keys:
            self.note(sys._getframe(1), f"reads workerinput[{key!r}]")
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key."""
        if key in self._keys:
            self.note(sys._getframe(1), f"reads workerinput[{key!r}]")
        return super().get(key, default)


def note_nothing(frame: FrameType, what: str) -> None:
    """After the fork, each worker may read what is its own."""


class Readings:
    """Notes who reads the worker's name or the process id, and who draws what nobody else should draw again."""

    def __init__(self, note: Note, is_own: Callable[[FrameType], bool]) -> None:
        """Begin.

        Args:
            note: Told of each reader.
            is_own: Whether a frame is that of the project's own code. Packages draw random numbers for many reasons.
        """
        self._note = note
        self._is_own = is_own
        self._seeded = False
        self._before: list[tuple[Any, str, Any, Any]] = []
        _WatchedEnvironment.note = staticmethod(note)
        os.environ.__class__ = _WatchedEnvironment
        self._replace(os, "getpid", self._getpid)
        self._replace(os, "urandom", self._urandom)
        self._replace(random, "_urandom", self._urandom)
        self._replace(random, "seed", self._seed)
        for name in _DRAWING:
            self._replace(random, name, self._drawing)

    def _replace(self, module: Any, name: str, watched: Callable[[Any], Any]) -> None:
        original = getattr(module, name)
        replacement = watched(original)
        self._before.append((module, name, original, replacement))
        setattr(module, name, replacement)

    def stop(self) -> bool:
        """Put everything back, where nobody else has replaced it; return whether ``random`` was seeded."""
        os.environ.__class__ = _Environment
        for module, name, original, replacement in self._before:
            if getattr(module, name) is replacement:
                setattr(module, name, original)
        self._note = note_nothing
        return self._seeded

    def _getpid(self, original: Callable[[], int]) -> Callable[[], int]:
        def getpid() -> int:
            self._note(sys._getframe(1), "keeps the process id")
            return original()

        return getpid

    def _urandom(self, original: Callable[[int], bytes]) -> Callable[[int], bytes]:
        def urandom(size: int) -> bytes:
            caller: FrameType | None = sys._getframe(1)
            while caller is not None and caller.f_globals.get("__name__") in _UNIQUE:
                caller = caller.f_back
            if caller is not None and self._is_own(caller):
                self._note(caller, "makes something unique")
            return original(size)

        return urandom

    def _seed(self, original: Callable[..., None]) -> Callable[..., None]:
        def seed(*args: Any, **kwargs: Any) -> None:
            # Called without a seed, it takes one from the system: that is not to be the same in all workers.
            self._seeded = bool(args or kwargs) and (args or tuple(kwargs.values()))[0] is not None
            original(*args, **kwargs)

        return seed

    def _drawing(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def draw(*args: Any, **kwargs: Any) -> Any:
            caller = sys._getframe(1)
            if not self._seeded and self._is_own(caller):
                self._note(caller, "draws a random number without a seed")
            return original(*args, **kwargs)

        return draw
