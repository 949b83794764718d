"""The tests of all files, in order, and what the files import, for workers of which each has collected a part.

The controller writes them once, before it assigns the first test, into a file without a name. So a worker that has a
test to run can always read where that is.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rustpar import _core
from rustpar.process import unnamed_file
from rustpar.process.system import os

if TYPE_CHECKING:
    from collections.abc import Sequence


class SharedOrder:
    """The controller's side."""

    def __init__(self) -> None:
        """Create the file.

        Raises:
            OSError: No file can be created.
        """
        self._file = unnamed_file.create()

    @property
    def address(self) -> tuple[int, int]:
        """The controller's process id and the file's descriptor, with which :func:`read` opens it."""
        return os.getpid(), self._file

    def write(
        self,
        node_ids: Sequence[str],
        counts: Sequence[int],
        modules: Sequence[Sequence[str]],
        paths: Sequence[str],
    ) -> None:
        """Write the node ids of all tests, in order, how many of them each file has, and what the files import.

        The modules and paths are as of :func:`rustpar.collection.imported_modules.import_missing`.

        Raises:
            OSError: The disk is full.
        """
        data: Any = memoryview(_core.dumps((list(node_ids), list(counts), list(modules), list(paths)))[0])
        written = 0
        while written < len(data):
            written += os.pwrite(self._file, data[written:], written)

    def close(self) -> None:
        """Close the file; workers that have opened it can still read it."""
        os.close(self._file)


def read(address: Sequence[int]) -> tuple[list[str], list[int], list[Sequence[str]], list[str]]:
    """Return what the controller has written.

    Raises:
        OSError: The controller is gone.
    """
    process, file = address
    node_ids, counts, modules, paths = _core.loads(Path(f"/proc/{process}/fd/{file}").read_bytes())
    return node_ids, counts, modules, paths
