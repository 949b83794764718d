"""Finding the name to which a statement assigns the result of a call, from its bytecode.

``PORT = 5000 + os.getpid() % 1000`` keeps a number from which the process id can no longer be recognized, but the
assigned name can be found. The hazard it handles: bytecode differs between versions of Python. So it is not
interpreted: the instructions after the call are scanned up to the first that stores or drops a value.
"""

from __future__ import annotations

import linecache
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import CodeType, FrameType

# How many instructions are scanned after a call. Results of longer expressions are not names.
_MAX_INSTRUCTIONS = 300

# Instructions that consume a value without storing it: a comparison, a branch, or a pop.
_DROPS = ("POP_TOP", "COMPARE_OP", "CONTAINS_OP", "IS_OP", "UNARY_NOT", "RAISE_VARARGS", "FOR_ITER", "RETURN_CONST")

# Instructions after the loop of an inlined comprehension (since Python 3.12), before its variables are restored.
_ENDS_LOOP = ("END_FOR", "POP_TOP", "POP_ITER", "SWAP")

# CO_OPTIMIZED: set for functions, but not for classes and modules, whose local variables belong to comprehensions.
_OPTIMIZED = 1

# Calls that seed a random number generator.
_SEEDING = re.compile(r"(?:\bseed|default_rng|RandomState|\bRandom)\(")


# Names that request the system's random numbers.
_SYSTEM_RANDOM = re.compile(r"uuid|secrets|urandom|SystemRandom|token_|randbits|randbelow")


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
            self._known[key] = _scan(frame.f_code, frame.f_lasti)
        return self._known[key]


def seeds_with(frame: FrameType, *, is_from_system: bool) -> bool:
    """Whether the current line of a frame seeds a random number generator, judged by its text.

    Args:
        frame: The frame that has drawn a number.
        is_from_system: Whether the number is one of the system's. A generator may have drawn one of those by itself
            before it is seeded.
    """
    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
    return _SEEDING.search(line) is not None and (not is_from_system or _SYSTEM_RANDOM.search(line) is not None)


def _scan(code: CodeType, last: int) -> tuple[str, str]:
    """Return what happens to the result of the instruction at offset `last`, and the name under which it is stored.

    The result is "name" (a global variable, or one of a class), "item" (an attribute or a key), "variable", "return" or
    "drop".
    """
    from dis import opname

    instructions = code.co_code[: last + 2 + 2 * _MAX_INSTRUCTIONS]
    at, extended, constant, in_end, put_back = last + 2, 0, "", False, 0
    while at + 1 < len(instructions):
        name, argument = opname[instructions[at]], instructions[at + 1] | extended
        at += 2
        extended = argument << 8 if name == "EXTENDED_ARG" else 0
        if name == "END_FOR" or (in_end and name in _ENDS_LOOP):
            in_end, put_back = name != "SWAP", argument - 1 if name == "SWAP" else 0
            continue
        in_end = False
        if name.startswith("STORE_") and put_back > 0:
            put_back -= 2 if name == "STORE_FAST_STORE_FAST" else 1
            if put_back >= 0:
                continue
        if name in ("STORE_NAME", "STORE_GLOBAL"):
            return "name", code.co_names[argument]
        if name == "STORE_ATTR":
            return "item", code.co_names[argument]
        if name == "STORE_SUBSCR":
            return "item", constant
        if name.startswith(("STORE_FAST", "STORE_DEREF")) and code.co_flags & _OPTIMIZED:
            return "variable", ""
        if name in ("RETURN_VALUE", "YIELD_VALUE"):
            return "return", ""
        if name in _DROPS or name.startswith("POP_JUMP"):
            break
        if name == "JUMP_FORWARD":
            at = _target(code, at, argument)
            instructions = code.co_code[: at + 2 * _MAX_INSTRUCTIONS]
        if name == "LOAD_CONST":
            constant = code.co_consts[argument] if isinstance(code.co_consts[argument], str) else ""
    return "drop", ""


def _target(code: CodeType, at: int, argument: int) -> int:
    """Return the target of a forward jump; `at` is the offset of the next instruction."""
    return min(at + 2 * argument, len(code.co_code))
