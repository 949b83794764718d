"""What the kernel allows a process, which a fork of the server must have in common with the client it runs for.

The hazard it handles: a process in a sandbox could have code run outside of it by the server. So the server looks at
the client itself, and does not ask it.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_NAMESPACES = ("mnt", "net", "pid", "user", "ipc", "uts", "cgroup", "time")
_LINES = ("Uid", "Gid", "Groups", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")


def confinement_of(process: int) -> dict[str, str]:
    """Return what is known of a process, by a name for each.

    Raises:
        OSError: It cannot be seen from here.
    """
    directory = Path(f"/proc/{process}")
    found = {}
    for line in (directory / "status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in _LINES:
            found[name] = value.strip()
    for name in _NAMESPACES:
        # Older kernels have fewer.
        if (directory / "ns" / name).is_symlink():
            found[f"the namespace {name}"] = os.readlink(directory / "ns" / name)
    root = (directory / "root").stat()
    found["the root directory"] = f"{root.st_dev} {root.st_ino}"
    found["the control group"] = (directory / "cgroup").read_text()
    found["oom_score_adj"] = (directory / "oom_score_adj").read_text()
    with contextlib.suppress(OSError):
        # Without a security module it cannot be read.
        found["the security context"] = (directory / "attr" / "current").read_text()
    return found
