"""Recording of values drawn to be unique: random names and numbers, ports, temporary names, the process id.

Most of them are used as test data, and then workers may have the same values. This module only records what is drawn
while collecting; :mod:`rustpar.fork_safety.kept_values` finally checks whether it names something outside the process.

The hazard it handles: a suite may draw a hundred thousand numbers. So recording one costs only about a microsecond, and
a line that keeps drawing creates test data and is eventually ignored.
"""

from __future__ import annotations

import os
import random
import socket
import sys
import tempfile
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rustpar.fork_safety.assigned_names import Dataflow, Sink, seeds_with

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType

    from rustpar.process.code_origin import CodeOrigins

# The functions of `random` that may be used for a name or a port.
_DRAW_FUNCTIONS = (
    "random",
    "uniform",
    "randint",
    "randrange",
    "getrandbits",
    "randbytes",
    "choice",
    "choices",
    "sample",
)

# Modules that create unique values from the system's random numbers, and the wrappers around them.
_UNIQUE_MODULES = ("uuid", "secrets", "random", "rustpar.process.random_state", __name__)

# How many values of one line are recorded. A line that draws more creates test data.
_MAX_VALUES = 10_000

# How many draws of one line are followed to where they are stored; the line may be in a function with many callers.
_MAX_FOLLOWED = 200

UNIQUE, RANDOM, PORT, PROCESS, TEMPORARY = (
    "creates a unique value",
    "draws a random number without a seed",
    "picks a free port",
    "keeps the process id",
    "creates a temporary name",
)


@dataclass
class Source:
    """An instruction that draws values.

    Attributes:
        place: Its location, as ``file:line``.
        file: The file of its code.
        what: A description of what it does.
        values: The values that it has drawn, in order.
        sinks: Where its values are stored, as far as statements show.
        seeds: Whether it seeds a random number generator.
    """

    code: CodeType
    place: str
    what: str
    values: list[Any] = field(default_factory=list)
    sinks: set[Sink] = field(default_factory=set)
    seeds: bool = False
    count: int = 0

    @property
    def file(self) -> str:
        """The file of its code."""
        return self.code.co_filename


class UniqueValues:
    """Records the values that are drawn.

    Attributes:
        sources: The instructions that have drawn values.
    """

    def __init__(
        self, places: CodeOrigins, note_lock: Callable[[FrameType], None], is_seeded: Callable[[], bool]
    ) -> None:
        """Start recording.

        Args:
            places: Distinguishes the project's own code from other code.
            note_lock: Called for each creation of a multiprocessing lock.
            is_seeded: Whether ``random`` was seeded.
        """
        self._sources: dict[tuple[int, int, str], Source] = {}
        self._places = places
        self._note_lock = note_lock
        self._is_seeded = is_seeded
        self._flow = Dataflow()
        self._is_recording = True
        self._has_port = False
        self._before: list[tuple[Any, str, Any, Any]] = []
        self._generators: list[random.Random] = []
        self._replace(os, "getpid", self._getpid)
        self._replace(os, "urandom", self._urandom)
        self._replace(random, "_urandom", self._urandom)
        self._replace(random.Random, "__init__", self._generator)
        for name in _DRAW_FUNCTIONS:
            self._replace(random, name, self._recording_draws)
            self._replace(random.SystemRandom, name, self._recording_system_draws)
        if "secrets" in sys.modules:
            self._replace(sys.modules["secrets"], "choice", self._recording_system_draws)
        # Created in C; the other kinds of uuid are noticed by the random numbers that they draw.
        self._replace(uuid, "uuid1", self._recording_uuid1)
        self._replace(tempfile, "mktemp", self._recording_mktemp)
        self._replace(socket.socket, "getsockname", self._getsockname)

    @property
    def sources(self) -> list[Source]:
        """The instructions that have drawn values."""
        return list(self._sources.values())

    def _replace(self, owner: Any, name: str, watched: Callable[[Any], Any]) -> None:
        own = vars(owner).get(name)
        replacement = watched(getattr(owner, name))
        self._before.append((owner, name, own, replacement))
        setattr(owner, name, replacement)

    def replacements(self) -> list[tuple[Any, Any]]:
        """Return the functions of modules that were replaced, and what has replaced them."""
        return [(own, replacement) for _, _, own, replacement in self._before if own is not None]

    def stop(self) -> None:
        """Restore everything that nobody else has replaced."""
        self._is_recording = False
        for owner, name, own, replacement in reversed(self._before):
            if vars(owner).get(name) is not replacement:
                continue
            if own is None:
                delattr(owner, name)
            else:
                setattr(owner, name, own)
        for generator in self._generators:
            _stop_recording(generator)
        self._generators.clear()

    def note_port(self, frame: FrameType) -> None:
        """Record that a free port is being picked, whose number is not yet known."""
        self._has_port = True
        self.note(frame, None, PORT)

    def note(self, frame: FrameType, value: object, what: str) -> None:
        """Record a value that the code of a frame has drawn."""
        key = id(frame.f_code), frame.f_lasti, what
        source = self._sources.get(key)
        if source is None:
            place = self._places.line_outside_library(frame)
            if place is None:
                # Harmless code, or the import of a package.
                return
            source = self._sources[key] = Source(frame.f_code, place, what)
            source.seeds = self._places.is_own(frame) and seeds_with(frame, is_from_system=what is UNIQUE)
        source.count += 1
        if source.count > _MAX_VALUES:
            return
        if value is not None:
            source.values.append(value)
            if what is PROCESS and len(source.values) >= 1000:
                source.values = referenced(source.values)
        if source.count <= _MAX_FOLLOWED:
            through = what is not PROCESS
            source.sinks |= self._flow.sinks(self._places.own_frames(frame), through_variables=through)

    def _getpid(self, original: Callable[[], int]) -> Callable[[], int]:
        def getpid() -> int:
            value = original()
            if self._is_recording:
                caller = sys._getframe(1)
                if caller.f_code.co_name == "ident" and caller.f_back is not None:
                    caller = caller.f_back  # multiprocessing.current_process().pid
                if _makes_lock(caller):
                    self._note_lock(caller)
                # The standard library uses it for its own purposes: log records, temporary names.
                if not self._places.is_library(caller):
                    self.note(caller, value, PROCESS)
            return value

        return getpid

    def _urandom(self, original: Callable[[int], bytes]) -> Callable[[int], bytes]:
        def urandom(size: int) -> bytes:
            value = original(size)
            if self._is_recording:
                first = caller = sys._getframe(1)
                while caller.f_globals.get("__name__") in _UNIQUE_MODULES and caller.f_back is not None:
                    caller = caller.f_back
                if not self._places.is_library(caller):
                    drawn = uuid.UUID(bytes=value, version=4).bytes if first.f_code.co_name == "uuid4" else value
                    self.note(caller, drawn, UNIQUE)
            return value

        return urandom

    def _recording_uuid1(self, original: Callable[..., uuid.UUID]) -> Callable[..., uuid.UUID]:
        def make(*args: Any, **kwargs: Any) -> uuid.UUID:
            value = original(*args, **kwargs)
            if self._is_recording:
                self.note(sys._getframe(1), value.bytes, UNIQUE)
            return value

        return make

    def _recording_mktemp(self, original: Callable[..., str]) -> Callable[..., str]:
        def mktemp(*args: Any, **kwargs: Any) -> str:
            value = original(*args, **kwargs)
            if self._is_recording:
                self.note(sys._getframe(1), value, TEMPORARY)
            return value

        return mktemp

    def _getsockname(self, original: Callable[[socket.socket], Any]) -> Callable[[socket.socket], Any]:
        def getsockname(of: socket.socket) -> Any:
            value = original(of)
            if self._is_recording and self._has_port and isinstance(value, tuple):
                self.note(sys._getframe(1), value[1], PORT)
            return value

        return getsockname

    def _recording_draws(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def draw(*args: Any, **kwargs: Any) -> Any:
            value = original(*args, **kwargs)
            if self._is_recording and not self._is_seeded():
                caller = sys._getframe(1)
                # Packages draw random numbers for many reasons.
                if self._places.is_own(caller):
                    self.note(caller, value, RANDOM)
            return value

        return draw

    def _recording_system_draws(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def draw(*args: Any, **kwargs: Any) -> Any:
            value = original(*args, **kwargs)
            if self._is_recording:
                caller = sys._getframe(1)
                if self._places.is_own(caller):
                    self.note(caller, value, UNIQUE)
            return value

        return draw

    def _generator(self, original: Callable[..., None]) -> Callable[..., None]:
        def __init__(generator: random.Random, x: Any = None) -> None:
            original(generator, x)
            if not self._is_recording or x is not None or type(generator) is not random.Random:
                return
            caller: FrameType | None = sys._getframe(1)
            while caller is not None and caller.f_globals.get("__name__", "").startswith("rustpar."):
                caller = caller.f_back
            if caller is not None and self._places.is_own(caller):
                self._record_draws(generator)

        return __init__

    def _record_draws(self, generator: random.Random) -> None:
        """Record what a generator draws, until it is seeded."""
        original = generator.seed

        def seed(*args: Any, **kwargs: Any) -> None:
            _stop_recording(generator)
            original(*args, **kwargs)

        self._generators.append(generator)
        for name in _DRAW_FUNCTIONS:
            setattr(generator, name, self._recording_system_draws(getattr(generator, name)))
        generator.seed = seed  # type: ignore[method-assign]


def _stop_recording(generator: random.Random) -> None:
    for name in (*_DRAW_FUNCTIONS, "seed"):
        vars(generator).pop(name, None)


def referenced(numbers: list[Any]) -> list[Any]:
    """Return those numbers that have other references."""
    # The reference count of a number that is only in a list.
    (alone,) = [sys.getrefcount(number) for number in [2**40 + len(numbers)]]
    return [number for number in numbers if sys.getrefcount(number) > alone]


def _makes_lock(frame: FrameType) -> bool:
    """Whether ``multiprocessing`` is generating the name of a lock.

    There is no audit event for locks; their names come from ``tempfile``, which compares the process id each time.
    """
    for name in ("rng", "__next__", "_make_name"):
        if frame.f_code.co_name != name or frame.f_back is None:
            return False
        frame = frame.f_back
    return True
