"""Following the result of a call to the name to which a statement assigns it.

``PORT = 5000 + os.getpid() % 1000`` keeps a number from which the process id can no longer be recognized, but the
assigned name can be found in the bytecode (``src/fork_safety/assigned_name.rs``).
"""

from __future__ import annotations

import linecache
from typing import TYPE_CHECKING, NamedTuple

from rustpar import _core

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import CodeType, FrameType

# CO_OPTIMIZED: set for functions, but not for classes and modules.
_OPTIMIZED = 1


class Sink(NamedTuple):
    """Where a value is stored.

    Attributes:
        name: The variable, attribute or key.
        file: The file of the module or class whose variable it is; None for an attribute or a key of any object.
    """

    name: str
    file: str | None


class Dataflow:
    """Follows the results of calls to where they are stored, with a cache by instruction."""

    def __init__(self) -> None:
        """Create an empty cache."""
        from dis import opname

        self._opcodes = _core.Opcodes(opname)
        self._known: dict[tuple[int, int], tuple[str, str]] = {}
        # Keeps the code objects alive, because the cache uses their ids.
        self._codes: dict[int, CodeType] = {}

    def sinks(self, frames: Iterable[FrameType], *, through_variables: bool) -> set[Sink]:
        """Return where the result of a call in the first of `frames`, each called by the next one, is stored.

        Args:
            frames: Frames of the project's own code, innermost first.
            through_variables: Whether a function that assigns the result to a local variable is assumed to return a
                value derived from it.
        """
        for frame in frames:
            use, name = self._use_of_result(frame)
            if use == "name":
                return {Sink(name, frame.f_code.co_filename)}
            if use == "item":
                return {Sink(name, None)}
            if use == "drop" or (use == "variable" and not through_variables):
                break
        return set()

    def _use_of_result(self, frame: FrameType) -> tuple[str, str]:
        key = id(frame.f_code), frame.f_lasti
        if key not in self._known:
            self._codes[key[0]] = frame.f_code
            self._known[key] = self._find_use(frame.f_code, frame.f_lasti)
        return self._known[key]

    def _find_use(self, code: CodeType, last: int) -> tuple[str, str]:
        """Return what happens to the result of the instruction at offset `last`, and the name under which it is stored.

        The result is "name" (a global variable, or one of a class), "item" (an attribute or a key), "variable",
        "return" or "drop".
        """
        use, number = self._opcodes.use_of_result(code.co_code, last, bool(code.co_flags & _OPTIMIZED))
        if number is None:
            return ("item" if use == "key" else use), ""
        if use == "key":
            constant = code.co_consts[number]
            return "item", constant if isinstance(constant, str) else ""
        return ("item" if use == "attribute" else use), code.co_names[number]


def seeds_with(frame: FrameType, *, is_from_system: bool) -> bool:
    """Whether the current line of a frame seeds a random number generator, judged by its text.

    Args:
        frame: The frame that has drawn a number.
        is_from_system: Whether the number is one of the system's. A generator may have drawn one of those by itself
            before it is seeded.
    """
    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
    return _core.seeds_generator(line, is_from_system)
