"""Whether a debugger can be used in workers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rustpar.compat.capture import descriptor_captures

if TYPE_CHECKING:
    import pytest


def can_debug(config: pytest.Config) -> bool:
    """Whether workers can use the terminal: standard input and output of this process are terminals."""
    captures = descriptor_captures(config)
    streams = (captures[fd].targetfd_save if fd in captures else fd for fd in (0, 1))
    return all(map(os.isatty, streams))
