"""Watched replacements of objects that reveal a worker's identity; they report who reads it.

Each calls a function with the frame of the reader and a description of the access, until it is removed.
"""

from __future__ import annotations

import os
import random
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    Note = Callable[[FrameType, str], None]
    Instruction = tuple[int, int]

_Environment = type(os.environ)

_NAME = "PYTEST_XDIST_WORKER"

# Functions that read for their caller; the last is xdist's.
_ACCESSORS = ("get", "getenv", "getenvb", "pop", "setdefault", "get_xdist_worker_id")


class _CopiedKey(str):
    """The key PYTEST_XDIST_WORKER in a copy of the environment, which reports lookups of it.

    To find the key, a dictionary has to compare it with the requested one.
    """

    _note: Note
    __hash__ = str.__hash__

    def __new__(cls, name: str, note: Note) -> _CopiedKey:
        """Create a key that calls `note`."""
        key = super().__new__(cls, name)
        key._note = note
        return key

    def _compare(self, other: object, seeker: FrameType) -> bool:
        is_equal = super().__eq__(other) is True
        # Merging two copies compares keys, but is no lookup.
        if is_equal and type(other) is not _CopiedKey:
            self._note(_reader(seeker), f"reads {_NAME}")
        return is_equal

    def __eq__(self, other: object) -> bool:
        return self._compare(other, sys._getframe(1))

    def __ne__(self, other: object) -> bool:
        return not self._compare(other, sys._getframe(1))

    def lower(self) -> _CopiedKey:
        """Return the key in lower case, for settings with case-insensitive names."""
        return _CopiedKey(super().lower(), self._note)

    def casefold(self) -> _CopiedKey:
        """Return the key in lower case."""
        return self.lower()

    def upper(self) -> _CopiedKey:
        """Return the key in upper case."""
        return _CopiedKey(super().upper(), self._note)

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        # Copies and pickles are plain strings.
        return str, (str(self),)


class _WatchedEnvironment(_Environment):  # type: ignore[misc,valid-type]
    """``os.environ``, reporting reads of the worker's name.

    A test for presence does not reveal the name, and neither does a copy of the whole environment; reading from the
    copy does.
    """

    note: Note
    note_copy: Callable[[FrameType, str], None]

    def __getitem__(self, key: Any) -> Any:
        # A copy of everything asks with the special keys that `__iter__` has returned.
        if type(key) is not _CopiedKey and os.fsdecode(key) == _NAME and key in self:
            self.note(_reader(sys._getframe(1)), f"reads {_NAME}")
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        return self.encodekey(key) in self._data

    def __iter__(self) -> Iterator[Any]:
        keys = list(super().__iter__())
        if _NAME in keys:
            keys[keys.index(_NAME)] = copied = _CopiedKey(_NAME, self.note)
            self.note_copy(sys._getframe(1), copied)
        return iter(keys)


def _instruction(frame: FrameType) -> Instruction:
    """Return the current instruction of a frame, the same for all calls that it makes, as in copying a mapping."""
    return id(frame), frame.f_lasti


def _reader(frame: FrameType) -> FrameType:
    """Return the frame that reads, skipping functions that read for their caller."""
    while frame.f_code.co_name in _ACCESSORS and frame.f_back is not None:
        frame = frame.f_back
    return frame


class WatchedInput(dict[str, Any]):
    """``config.workerinput``, reporting reads of keys whose values differ between workers."""

    def __init__(self, values: dict[str, Any], reads: IdentityReads, keys: frozenset[str]) -> None:
        """Store `values`; `keys` are those whose values differ."""
        super().__init__(values)
        self._identity_reads = reads
        self._keys = keys
        self._copier: Instruction | None = None

    def __getitem__(self, key: str) -> Any:
        caller = sys._getframe(1)
        if key in self._keys and _instruction(caller) != self._copier:
            self._identity_reads.note(_reader(caller), f"reads workerinput[{key!r}]")
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key."""
        if key in self._keys:
            self._identity_reads.note(_reader(sys._getframe(1)), f"reads workerinput[{key!r}]")
        return super().get(key, default)

    def __iter__(self) -> Iterator[str]:
        # Overridden because otherwise `dict(workerinput)` would not call `keys`.
        return super().__iter__()

    def keys(self) -> Any:
        """Return the keys; ``dict(workerinput)`` calls this and then gets each item."""
        caller = sys._getframe(1)
        self._identity_reads.note_own(caller, "copies workerinput")
        self._copier = _instruction(caller)
        return super().keys()

    def items(self) -> Any:
        """Return the items."""
        self._identity_reads.note_own(sys._getframe(1), "copies workerinput")
        return super().items()

    def values(self) -> Any:
        """Return the values."""
        self._identity_reads.note_own(sys._getframe(1), "copies workerinput")
        return super().values()

    def copy(self) -> dict[str, Any]:
        """Return a copy that is not watched."""
        self._identity_reads.note_own(sys._getframe(1), "copies workerinput")
        return {key: super(WatchedInput, self).__getitem__(key) for key in super().__iter__()}


class IdentityReads:
    """Reports reads of the worker's name, and records whether ``random`` is seeded."""

    def __init__(
        self,
        note: Note,
        note_copy: Callable[[FrameType, str], None],
        is_own: Callable[[FrameType], bool],
    ) -> None:
        """Start watching.

        Args:
            note: Called for each read.
            note_copy: Called for each copy of the environment, with a key that lives as long as the copy.
            is_own: Whether a frame belongs to the project's own code. Packages draw random numbers for many reasons.
        """
        self._callback: Note | None = note
        self._is_own = is_own
        self._seeded = False
        self._before: list[tuple[Any, str, Any, Any]] = []
        _WatchedEnvironment.note = staticmethod(self.note)
        _WatchedEnvironment.note_copy = staticmethod(note_copy)
        # A suite may replace them.
        self._environments = os.environ, os.environb
        for environment in self._environments:
            environment.__class__ = _WatchedEnvironment
        self._replace(random, "seed", self._seed)
        self._replace(os, "register_at_fork", self._register_at_fork)

    @property
    def has_seeded(self) -> bool:
        """Whether ``random`` was seeded explicitly."""
        return self._seeded

    def note(self, frame: FrameType, what: str) -> None:
        """Report an action of a frame's code; ignored after the fork, when each worker reads its own identity."""
        if self._callback is not None:
            self._callback(frame, what)

    def note_own(self, frame: FrameType, what: str) -> None:
        """Report an action of a frame's code if it is the project's own. Packages do it for many reasons."""
        if self._callback is not None and self._is_own(frame):
            self._callback(frame, what)

    def _replace(self, module: Any, name: str, watched: Callable[[Any], Any]) -> None:
        original = getattr(module, name)
        replacement = watched(original)
        self._before.append((module, name, original, replacement))
        setattr(module, name, replacement)

    def replacements(self) -> list[tuple[Any, Any]]:
        """Return the functions that were replaced, and what has replaced them."""
        return [(original, replacement) for _, _, original, replacement in self._before]

    def stop(self) -> None:
        """Restore everything that nobody else has replaced."""
        for environment in self._environments:
            environment.__class__ = _Environment
        for module, name, original, replacement in self._before:
            if getattr(module, name) is replacement:
                setattr(module, name, original)
        self._callback = None

    def _register_at_fork(self, original: Callable[..., None]) -> Callable[..., None]:
        def register_at_fork(**functions: Any) -> None:
            # Functions of packages prepare them for a fork. Those of a suite may count forks, or close things.
            self.note_own(sys._getframe(1), "registers a function to run at forks (os.register_at_fork)")
            original(**functions)

        return register_at_fork

    def _seed(self, original: Callable[..., None]) -> Callable[..., None]:
        def seed(*args: Any, **kwargs: Any) -> None:
            # Without a seed, one is taken from the system, which should not be the same in all workers.
            self._seeded = bool(args or kwargs) and (args or tuple(kwargs.values()))[0] is not None
            original(*args, **kwargs)

        return seed
