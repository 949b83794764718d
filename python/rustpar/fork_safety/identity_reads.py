"""Things that tell a process who it is, noting who reads them.

Each calls a function with the frame of the reader and what was done, until it is put back.
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
_READING_FOR_OTHERS = ("get", "getenv", "getenvb", "pop", "setdefault", "get_xdist_worker_id")


class _CopiedKey(str):
    """The variable of the worker's name in a copy of the environment, noting who looks for it there.

    To find it, a dictionary has to compare it with what is looked for.
    """

    _note: Note
    __hash__ = str.__hash__

    def __new__(cls, name: str, note: Note) -> _CopiedKey:
        """Make a key that calls `note`."""
        key = super().__new__(cls, name)
        key._note = note
        return key

    def _is(self, other: object, seeker: FrameType) -> bool:
        is_equal = super().__eq__(other) is True
        # Joining two copies looks for nothing.
        if is_equal and type(other) is not _CopiedKey:
            self._note(_reader(seeker), f"reads {_NAME}")
        return is_equal

    def __eq__(self, other: object) -> bool:
        return self._is(other, sys._getframe(1))

    def __ne__(self, other: object) -> bool:
        return not self._is(other, sys._getframe(1))

    def lower(self) -> _CopiedKey:
        """The same, for settings that are named without regard to case."""
        return _CopiedKey(super().lower(), self._note)

    def casefold(self) -> _CopiedKey:
        """The same as :meth:`lower`."""
        return self.lower()

    def upper(self) -> _CopiedKey:
        """The same as :meth:`lower`, the other way."""
        return _CopiedKey(super().upper(), self._note)

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        # Whoever copies or sends it gets a string.
        return str, (str(self),)


class _WatchedEnvironment(_Environment):  # type: ignore[misc,valid-type]
    """The environment, noting who reads the worker's name.

    Looking whether there is one tells nothing about which, and neither does copying the whole environment; what is
    then read from the copy does.
    """

    note: Note
    note_copy: Callable[[FrameType, str], None]

    def __getitem__(self, key: Any) -> Any:
        # Those who copy everything ask with the keys that they were given.
        if type(key) is not _CopiedKey and os.fsdecode(key) == _NAME:
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
    """What a frame is about to do: the same for all calls that one instruction makes, as a copy of a mapping does."""
    return id(frame), frame.f_lasti


def _reader(frame: FrameType) -> FrameType:
    """Who reads, past the methods that read for others."""
    while frame.f_code.co_name in _READING_FOR_OTHERS and frame.f_back is not None:
        frame = frame.f_back
    return frame


class WatchedInput(dict[str, Any]):
    """``config.workerinput``, noting who reads what differs between workers."""

    def __init__(self, values: dict[str, Any], readings: IdentityReads, keys: frozenset[str]) -> None:
        """Hold `values`; `keys` are those that differ."""
        super().__init__(values)
        self._identity_reads = readings
        self._keys = keys
        self._copier: Instruction | None = None

    def __getitem__(self, key: str) -> Any:
        caller = sys._getframe(1)
        if key in self._keys and _instruction(caller) != self._copier:
            self._identity_reads.note(_reader(caller), f"reads workerinput[{key!r}]")
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key."""
        if key in self._keys:
            self._identity_reads.note(_reader(sys._getframe(1)), f"reads workerinput[{key!r}]")
        return super().get(key, default)

    def __iter__(self) -> Iterator[str]:
        # Without this, `dict(workerinput)` would not ask for the keys.
        return super().__iter__()

    def keys(self) -> Any:
        """The keys; asked for by ``dict(workerinput)``, which then gets each item."""
        caller = sys._getframe(1)
        self._identity_reads.note_own(caller, "copies workerinput")
        self._copier = _instruction(caller)
        return super().keys()

    def items(self) -> Any:
        """The items."""
        self._identity_reads.note_own(sys._getframe(1), "copies workerinput")
        return super().items()

    def values(self) -> Any:
        """The values."""
        self._identity_reads.note_own(sys._getframe(1), "copies workerinput")
        return super().values()

    def copy(self) -> dict[str, Any]:
        """A copy that nobody watches."""
        self._identity_reads.note_own(sys._getframe(1), "copies workerinput")
        return {key: super(WatchedInput, self).__getitem__(key) for key in super().__iter__()}


class IdentityReads:
    """Notes who reads the worker's name, and whether ``random`` is seeded."""

    def __init__(
        self,
        note: Note,
        note_copy: Callable[[FrameType, str], None],
        is_own: Callable[[FrameType], bool],
    ) -> None:
        """Begin.

        Args:
            note: Told of each reader.
            note_copy: Told of each who copies the environment, with a key that is there as long as the copy is.
            is_own: Whether a frame is that of the project's own code. Packages draw random numbers for many reasons.
        """
        self._told: Note | None = note
        self._is_own = is_own
        self._seeded = False
        self._before: list[tuple[Any, str, Any, Any]] = []
        _WatchedEnvironment.note = staticmethod(self.note)
        _WatchedEnvironment.note_copy = staticmethod(note_copy)
        # A suite may put something else in their place.
        self._environments = os.environ, os.environb
        for environment in self._environments:
            environment.__class__ = _WatchedEnvironment
        self._replace(random, "seed", self._seed)
        self._replace(os, "register_at_fork", self._register_at_fork)

    @property
    def has_seeded(self) -> bool:
        """Whether ``random`` has been seeded by hand."""
        return self._seeded

    def note(self, frame: FrameType, what: str) -> None:
        """Note what the code of a frame does; after the fork nothing, when each worker may read what is its own."""
        if self._told is not None:
            self._told(frame, what)

    def note_own(self, frame: FrameType, what: str) -> None:
        """Note what the code of a frame does if it is the project's own. Packages do it for many reasons."""
        if self._told is not None and self._is_own(frame):
            self._told(frame, what)

    def _replace(self, module: Any, name: str, watched: Callable[[Any], Any]) -> None:
        original = getattr(module, name)
        replacement = watched(original)
        self._before.append((module, name, original, replacement))
        setattr(module, name, replacement)

    def stop(self) -> None:
        """Put everything back, where nobody else has replaced it."""
        for environment in self._environments:
            environment.__class__ = _Environment
        for module, name, original, replacement in self._before:
            if getattr(module, name) is replacement:
                setattr(module, name, original)
        self._told = None

    def _register_at_fork(self, original: Callable[..., None]) -> Callable[..., None]:
        def register_at_fork(**functions: Any) -> None:
            # What a package registers makes it fit for a fork. What a suite registers may count forks, or close things.
            self.note_own(sys._getframe(1), "has forks call a function (os.register_at_fork)")
            original(**functions)

        return register_at_fork

    def _seed(self, original: Callable[..., None]) -> Callable[..., None]:
        def seed(*args: Any, **kwargs: Any) -> None:
            # Called without a seed, it takes one from the system: that is not to be the same in all workers.
            self._seeded = bool(args or kwargs) and (args or tuple(kwargs.values()))[0] is not None
            original(*args, **kwargs)

        return seed
