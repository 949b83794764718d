"""Under which name a statement keeps the result of a call that it makes, read from its bytecode.

``PORT = 5000 + os.getpid() % 1000`` keeps a number in which the process id can no longer be found. What the statement
stores its result in can be. The hazard it handles: bytecode differs between versions of Python, so nothing is computed
from it: instructions behind the call are looked at one by one, up to the first that stores or drops something.
"""

from __future__ import annotations

import linecache
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import CodeType, FrameType

# Instructions that are looked at behind a call. An expression that is longer is no name.
_MOST = 300

# What uses a value up without keeping it: it is compared, decided by, or dropped.
_DROPS = ("POP_TOP", "COMPARE_OP", "CONTAINS_OP", "IS_OP", "UNARY_NOT", "RAISE_VARARGS", "FOR_ITER", "RETURN_CONST")

# What stands behind the loop of a comprehension that is part of its function's code (since Python 3.12), before its
# variables get back what they were.
_ENDS_LOOP = ("END_FOR", "POP_TOP", "POP_ITER", "SWAP")

# Code objects of a class or a module; what is a local variable elsewhere is the variable of a comprehension there.
_OPTIMIZED = 1

# Calls that make what follows depend on a number that they are given.
_SEEDING = re.compile(r"(?:\bseed|default_rng|RandomState|\bRandom)\(")


# What asks for the system's random numbers by name.
_ASKING = re.compile(r"uuid|secrets|urandom|SystemRandom|token_|randbits|randbelow")


class Sink(NamedTuple):
    """What keeps a value.

    Attributes:
        name: The variable, attribute or key.
        file: The file of the module or class whose variable it is; None for an attribute or a key of any object.
    """

    name: str
    file: str | None


class Dataflow:
    """Follows results from a call to what keeps them; what it has found out of an instruction, it remembers."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._known: dict[tuple[int, int], tuple[str, str]] = {}
        # Their ids are what is remembered by.
        self._codes: dict[int, CodeType] = {}

    def sinks(self, frames: Iterable[FrameType], *, through_variables: bool) -> set[Sink]:
        """What keeps the result of the call that the first of `frames` makes, each called by the next one.

        Args:
            frames: Of the project's own code, the innermost first.
            through_variables: Whether a function that has put it into a variable is taken to return what it has made
                of it.
        """
        for frame in frames:
            what, name = self._behind(frame)
            if what == "name":
                return {Sink(name, frame.f_code.co_filename)}
            if what == "item":
                return {Sink(name, None)}
            if what == "drop" or (what == "variable" and not through_variables):
                break
        return set()

    def _behind(self, frame: FrameType) -> tuple[str, str]:
        key = id(frame.f_code), frame.f_lasti
        if key not in self._known:
            self._codes[key[0]] = frame.f_code
            self._known[key] = _scan(frame.f_code, frame.f_lasti)
        return self._known[key]


def seeds_with(frame: FrameType, *, is_from_system: bool) -> bool:
    """Whether the line that a frame is in seeds a generator of random numbers, as far as its text tells.

    Args:
        frame: Of who has drawn a number.
        is_from_system: Whether it is one of the system's. A generator that is given a seed may have taken one of those
            before, unasked.
    """
    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
    return _SEEDING.search(line) is not None and (not is_from_system or _ASKING.search(line) is not None)


def _scan(code: CodeType, last: int) -> tuple[str, str]:
    """What becomes of what the instruction at `last` makes, in a word, and the name under which it is kept.

    The word is "name" (a global variable, or one of a class), "item" (an attribute or a key), "variable", "return" or
    "drop".
    """
    from dis import opname

    instructions = code.co_code[: last + 2 + 2 * _MOST]
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
            instructions = code.co_code[: at + 2 * _MOST]
        if name == "LOAD_CONST":
            constant = code.co_consts[argument] if isinstance(code.co_consts[argument], str) else ""
    return "drop", ""


def _target(code: CodeType, at: int, argument: int) -> int:
    """Where an unconditional jump forward leads; `at` is the instruction behind it."""
    return min(at + 2 * argument, len(code.co_code))
