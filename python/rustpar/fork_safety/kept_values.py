"""Detection of values drawn while collecting that name something outside the process.

There are two ways to detect it. The value is visible in a name: digits of a ``uuid`` in the name of a database. Or the
result of the statement that has drawn the value was assigned to the name, even if the value is not visible in it (a
hash of it, for example).

The hazard it handles: there may be many values and many names, so they are not compared pairwise.
"""

from __future__ import annotations

import base64
import gc
import re
from typing import TYPE_CHECKING

from rustpar.fork_safety.unique_values import PORT, PROCESS, TEMPORARY, referenced

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rustpar.fork_safety.external_names import Name
    from rustpar.fork_safety.unique_values import Source

# The number of consecutive hexadecimal digits, or of other characters, that do not match by coincidence: 8, as in
# `uuid4().hex[:8]`, or 6. Shorter ones count only if they stand alone, or by the assignment.
_HEX_WINDOW = 8
_SHORT_HEX = 6
_WINDOW = 6

# A line that has drawn more values creates test data: one of that many equals some constant by chance.
_MAX_NAMED = 64

# How many different characters a text of single draws must contain for six of them to identify it.
_DISTINCT = 8

_HEX_RUN = re.compile(r"[0-9a-f]{6,}")
_NUMBER = re.compile(r"[0-9]{4,}")


def find_named(sources: Iterable[Source], names: Iterable[Name]) -> Iterator[tuple[Source, str]]:
    """Yield the sources of values that name something, and the location of the name; each once, in order."""
    sources = list(sources)
    index = _Index(list(names))
    found = [
        _seed(source) or index.find_assignment(source) or index.find_digits(source) or _object_with_process_id(source)
        for source in sources
    ]
    texts: dict[str, list[tuple[str, int]]] = {}
    for number, source in enumerate(sources):
        if found[number] is None:
            for text in _texts_of(source):
                if len(text) >= _WINDOW:
                    texts.setdefault(text[:_WINDOW], []).append((text, number))
    if texts:
        for number, where in index.find_texts(texts):
            found[number] = found[number] or where
    return ((source, where) for source, where in zip(sources, found, strict=True) if where is not None)


def _seed(source: Source) -> str | None:
    return "the seed of a random number generator" if source.seeds else None


def _object_with_process_id(source: Source) -> str | None:
    """Return a description if an object refers to a process id that was obtained, such as locks or database clients."""
    if source.what is not PROCESS or not referenced(source.values):
        return None
    gc.collect()
    return "an object" if referenced(source.values) else None


class _Index:
    """An index of names by substrings and numbers."""

    def __init__(self, names: list[Name]) -> None:
        self._stored: dict[tuple[str, str], list[Name]] = {}
        self._hex: dict[str, str] = {}
        self._short_hex: dict[str, str] = {}
        self._numbers: dict[int, str] = {}
        self._ports: dict[int, Name] = {}
        self._texts = [(name.value, name.where) for name in names if isinstance(name.value, str)]
        for name in names:
            self._stored.setdefault((name.name, name.file), []).append(name)
            if isinstance(name.value, int):
                self._ports[name.value] = name
            else:
                self._add_text(name.value, name.where)

    def _add_text(self, text: str, where: str) -> None:
        for run in _HEX_RUN.findall(text.lower()):
            for at in range(len(run) - _HEX_WINDOW + 1):
                self._hex.setdefault(run[at : at + _HEX_WINDOW], where)
            self._short_hex.setdefault(run[-_SHORT_HEX:], where)
        for run in _NUMBER.findall(text):
            self._numbers.setdefault(int(run), where)

    def find_assignment(self, source: Source) -> str | None:
        """Return the location at which the statement that has drawn a value has stored it."""
        for sink in source.sinks:
            for name in self._stored.get((sink.name, sink.file or ""), ()):
                if _is_made_of(name.value, source, is_variable=sink.file is not None):
                    return name.where
        return None

    def find_digits(self, source: Source) -> str | None:
        """Return the location of a name in which digits of a drawn value are visible."""
        for value in source.values:
            where = None
            if isinstance(value, bytes):
                where = self._digits_of(value)
            elif isinstance(value, int):
                where = self._number(value, source)
            if where is not None:
                return where
        return None

    def find_texts(self, wanted: dict[str, list[tuple[str, int]]]) -> Iterator[tuple[int, str]]:
        """Yield those texts, given by their beginnings and each with a number, that are visible in a name."""
        for text, where in self._texts:
            for at in range(len(text) - _WINDOW + 1):
                for token, number in wanted.get(text[at : at + _WINDOW], ()):
                    if text.startswith(token, at):
                        yield number, where

    def _digits_of(self, value: bytes) -> str | None:
        digits = value.hex()
        for at in range(len(digits) - _HEX_WINDOW + 1):
            if digits[at : at + _HEX_WINDOW] in self._hex:
                return self._hex[digits[at : at + _HEX_WINDOW]]
        return self._short_hex.get(digits[:_SHORT_HEX]) or self._short_hex.get(digits[-_SHORT_HEX:])

    def _number(self, value: int, source: Source) -> str | None:
        name = self._ports.get(value)
        if name is not None and (name.value is value or source.count <= _MAX_NAMED or source.what is PORT):
            return name.where
        if value >= 1000 and (source.count <= _MAX_NAMED or value >= 10**7 or source.what in (PORT, PROCESS)):
            return self._numbers.get(value) or (self._hex.get(f"{value:x}"[-_HEX_WINDOW:]) if value >> 28 else None)
        return None


def _is_made_of(value: str | int, source: Source, *, is_variable: bool) -> bool:
    """Whether a value stored under the name that a statement assigns counts as derived from the source's value."""
    if isinstance(value, int):
        return True
    # Any object may have an attribute of that name, and a text would show a value that it contains.
    if not value or not (is_variable or source.what is PROCESS):
        return False
    # A text chosen from existing ones is not a new name.
    return source.what is TEMPORARY or value not in source.values


def _texts_of(source: Source) -> Iterator[str]:
    """Yield the texts by which a source's values would be recognized."""
    joined = "".join(value for value in source.values if isinstance(value, str) and len(value) == 1)
    if len(set(joined)) >= _DISTINCT:
        # It is unknown where one text ends and the next begins.
        for at in range(len(joined) - _WINDOW + 1):
            yield joined[at : at + _WINDOW]
    for value in source.values:
        if isinstance(value, bytes):
            yield base64.urlsafe_b64encode(value).rstrip(b"=").decode()
        elif isinstance(value, float):
            yield repr(value).partition(".")[2][:_HEX_WINDOW]
        elif isinstance(value, str) and source.what is TEMPORARY:
            yield value.rpartition("/")[2]
        elif isinstance(value, list) and value and all(isinstance(one, str) and len(one) == 1 for one in value):
            yield "".join(value)
