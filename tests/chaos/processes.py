"""The processes of a run, with their roles from who is whose parent."""

from __future__ import annotations

import contextlib
from pathlib import Path


def descendants(root: int) -> dict[int, int]:
    """Return the parents of a live process and its descendants, by process id; the parent of `root` is 0."""
    found, waiting = {}, [(root, 0)]
    while waiting:
        pid, parent = waiting.pop()
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                found[pid] = parent
            # Each thread has its own children.
            for task in Path(f"/proc/{pid}/task").iterdir():
                waiting += [(int(child), pid) for child in (task / "children").read_text().split()]
    return found


class Roles:
    """The roles of the processes of one run."""

    def __init__(self, controller: int, start: str) -> None:
        """Watch a run by the id of the process that was started, and its start mode."""
        self._controller = controller
        self._start = start
        self._fork_server: int | None = None

    @property
    def are_known(self) -> bool:
        """Whether the fork server is known, from which all others are told apart."""
        return self._fork_server is not None

    def find(self) -> dict[str, list[int]]:
        """Return the ids of the processes of each role at this moment."""
        parent_of = descendants(self._controller)
        children = [pid for pid, parent in parent_of.items() if parent == self._controller]
        if self._fork_server is None and children:
            # It is forked first, and with a template it exits when the workers have been forked.
            self._fork_server = min(children)
        found: dict[str, list[int]] = {"worker": [], "template": [], "fork server": [], "controller": []}
        for pid, parent in sorted(parent_of.items()):
            if pid == self._controller:
                found["controller"].append(pid)
            elif pid == self._fork_server:
                found["fork server"].append(pid)
            elif self._start == "template" and parent in (self._controller, self._fork_server):
                found["template"].append(pid)
            else:
                found["worker"].append(pid)
        if self._start == "early":
            # gw0 is the template until all have collected the same tests.
            found["template"] = found["worker"][:1]
        found["everything"] = sorted(parent_of)
        return found
