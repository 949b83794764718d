"""What a client and a warm server send each other: plain values on a Unix socket, the first with file descriptors.

A message is its length in four bytes, and a dict in the format of ``marshal``. Both sides are the same interpreter and
the same user. The thin client imports this module, so it imports little.
"""

from __future__ import annotations

import array
import marshal
import os
import socket
import struct
from typing import Any

# So many descriptors can be sent with one message (SCM_MAX_FD of Linux).
MOST_DESCRIPTORS = 253

# The longest request in bytes: a command line and an environment have at most 6 MiB.
_LONGEST = 16 << 20

_LENGTH = struct.Struct("<I")
_CREDENTIALS = struct.Struct("3i")


class Closed(Exception):
    """The other side has closed the connection, or sent something else."""

    def __str__(self) -> str:
        return "it has closed the connection"


class Channel:
    """A connection between a client and a server.

    Attributes:
        socket: Its socket.
        descriptors: Those that were received and belong to the caller.
    """

    def __init__(self, connection: socket.socket) -> None:
        """Use this connected socket."""
        self.socket = connection
        self.descriptors: list[int] = []
        self._received = bytearray()

    def send(self, message: dict[str, Any], descriptors: list[int] | None = None) -> None:
        """Send a message, with copies of these descriptors.

        Raises:
            OSError: The connection is broken.
        """
        content = marshal.dumps(message)
        data = _LENGTH.pack(len(content)) + content
        sent = 0
        if descriptors:
            about = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))
            sent = self.socket.sendmsg([data], [about])
        if sent < len(data):
            # Otherwise the answer may be there already, and the connection closed.
            self.socket.sendall(data[sent:])

    def receive(self) -> dict[str, Any]:
        """Receive a message.

        Raises:
            Closed: There is none.
            OSError: The connection is broken; `BlockingIOError` if the socket does not block, and none is complete.
        """
        while True:
            if len(self._received) >= _LENGTH.size:
                (length,) = _LENGTH.unpack_from(self._received)
                end = _LENGTH.size + length
                if len(self._received) >= end:
                    content = bytes(self._received[_LENGTH.size : end])
                    del self._received[:end]
                    return _parsed(content)
            size = array.array("i").itemsize
            room = socket.CMSG_SPACE(MOST_DESCRIPTORS * size)
            part, extra, _flags, _from = self.socket.recvmsg(1 << 16, room, socket.MSG_CMSG_CLOEXEC)
            for level, kind, content in extra:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    numbers = array.array("i")
                    numbers.frombytes(content[: len(content) - len(content) % size])
                    self.descriptors.extend(numbers)
            if not part or len(self._received) > _LONGEST:
                raise Closed
            self._received += part

    def peer(self) -> int | None:
        """Return the id of the process at the other end; None if it does not belong to the same user."""
        about = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        process, uid, _gid = _CREDENTIALS.unpack(about)
        return process if uid == os.getuid() else None

    def __enter__(self) -> Channel:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection, and the descriptors that nobody has taken."""
        self.socket.close()
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors.clear()


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        message = marshal.loads(content)
    except (ValueError, EOFError, TypeError):
        raise Closed from None
    if not isinstance(message, dict):
        raise Closed
    return message
