"""What Python and debuggers keep for themselves until the process ends, and nobody is expected to close."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

from rustpar.process.system import os

if TYPE_CHECKING:
    from rustpar import _core

# Modules with helper processes of `multiprocessing`, the objects that hold them, and the attributes with their
# process ids and descriptors.
_HELPERS = (
    ("multiprocessing.resource_tracker", "_resource_tracker", ("_pid",), ("_fd",)),
    ("multiprocessing.forkserver", "_forkserver", ("_forkserver_pid",), ("_forkserver_alive_fd",)),
)


def is_of_python(leftover: _core.Leftover) -> bool:
    """Whether a leftover is a helper of Python or a thread of a debugger."""
    if leftover.kind == "threads":
        return any(
            thread.native_id == leftover.number and hasattr(thread, "is_pydev_daemon_thread")
            for thread in threading.enumerate()
        )
    if leftover.kind == "descriptors" and f"/pym-{os.getpid()}-" in leftover.describe():
        # Memory from which `multiprocessing` serves values and arrays.
        return True
    if leftover.kind == "tempfiles":
        # The directory of sockets and the like, which `multiprocessing` removes at exit.
        process: Any = getattr(sys.modules.get("multiprocessing.process"), "current_process", None)
        return process is not None and getattr(process(), "_config", {}).get("tempdir") == leftover.path
    for module, name, processes, descriptors in _HELPERS:
        holder: Any = getattr(sys.modules.get(module), name, None)
        attributes = {"processes": processes, "descriptors": descriptors}.get(leftover.kind, ())
        if any(getattr(holder, attribute, None) == leftover.number for attribute in attributes):
            return True
    return False
