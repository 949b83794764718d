"""The files of a warm server, besides its socket: JSON, and the log, which is its standard output."""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import Any


def log(text: str) -> None:
    """Write a line to the log."""
    # The disk may be full.
    with contextlib.suppress(OSError):
        print(time.strftime("%H:%M:%S"), text, flush=True)


def read(path: str, otherwise: Any) -> Any:
    """Return the content of a file; `otherwise` if there is none, or it is damaged."""
    try:
        with open(path) as file:
            return json.load(file)
    except (OSError, ValueError):
        return otherwise


def write(path: str, content: Any) -> None:
    """Replace a file.

    Raises:
        OSError: It cannot be written.
    """
    # Several runs may write it at the same time.
    new = f"{path}.{os.getpid()}"
    with open(new, "w") as file:
        json.dump(content, file)
    os.replace(new, path)
