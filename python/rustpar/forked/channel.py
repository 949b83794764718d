"""Messages from the process of a test to the one that has forked it, through a pipe.

Each message has a length and a plain value. The end of the pipe is that of the process: the kernel closes it however
the process ends.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from rustpar import _core
from rustpar.process.system import os

if TYPE_CHECKING:
    from collections.abc import Iterator

_LENGTH = struct.Struct("<I")


def send(fd: int, kind: str, value: object) -> list[str]:
    """Send a message; return the types of parts that are no plain values, and were replaced by their reprs."""
    data, lost = _core.dumps((kind, value))
    view = memoryview(_LENGTH.pack(len(data)) + data)
    while view:
        view = view[os.write(fd, view) :]
    return lost


def receive(fd: int) -> Iterator[tuple[str, Any]]:
    """Yield messages until the other end is closed; a message that is cut off is dropped."""
    buffer = bytearray()
    while True:
        while len(buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(buffer)
            end = _LENGTH.size + length
            if len(buffer) < end:
                break
            kind, value = _core.loads(bytes(buffer[_LENGTH.size : end]))
            del buffer[:end]
            yield kind, value
        part = os.read(fd, 1 << 16)
        if not part:
            return
        buffer += part
