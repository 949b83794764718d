"""Temporary files without a name.

The hazard it handles: a process that is killed after it has created a file, and before it has removed the name, leaves
the file behind.
"""

from __future__ import annotations

import tempfile

from rustpar.process.system import os


def create() -> int:
    """Return the descriptor of a new empty file in the directory for temporary files.

    Raises:
        OSError: No file can be created.
    """
    try:
        return os.open(tempfile.gettempdir(), os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError:
        # Not every file system has them.
        file, path = tempfile.mkstemp(prefix="rustpar-")
    os.unlink(path)
    return file
