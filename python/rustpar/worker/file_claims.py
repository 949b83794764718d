"""The files of a suite, of which each is claimed by one of several processes.

The processes go through the files in the same order, and whoever is free claims the next ones. So all of them finish at
about the same time, whatever the files import.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from rustpar.process.system import os

if TYPE_CHECKING:
    from collections.abc import Iterator

# Claims per process, if there are as many files: few enough that neighbouring files, which share fixtures and imports,
# mostly stay together, and enough that no process waits long for the last one.
_CLAIMS_PER_PROCESS = 16

# As many claims as fit into a pipe, which has 64 KiB.
_MOST_CLAIMS = 16_000

_FIRST = struct.Struct("<I")


class FileClaims:
    """Claims of consecutive files, from a pipe that is filled before the processes are forked.

    The kernel hands out each entry of the pipe once, and an empty pipe without a writer is at its end.
    """

    def __init__(self, files: int, processes: int) -> None:
        """Divide so many files among so many processes.

        Raises:
            OSError: There are no descriptors left.
        """
        self._files = files
        self._size = max(1, files // (processes * _CLAIMS_PER_PROCESS), -(-files // _MOST_CLAIMS))
        self._reading, writing = os.pipe()
        try:
            os.write(writing, b"".join(map(_FIRST.pack, range(0, files, self._size))))
        finally:
            os.close(writing)

    def take(self) -> Iterator[range]:
        """Claim files, until all are claimed, and close the pipe."""
        while data := os.read(self._reading, _FIRST.size):
            (first,) = _FIRST.unpack(data)
            yield range(first, min(first + self._size, self._files))
        self.close()

    def close(self) -> None:
        """Close the pipe, in a process that claims nothing."""
        os.close(self._reading)
