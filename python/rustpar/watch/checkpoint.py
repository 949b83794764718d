"""Checkpoints: processes that have loaded the conftests, from which the next runs of ``rustpar watch`` are forked.

A run without workers is forked right after its conftests, before anything is configured. The fork waits for the next
run that is started in the same way (`warm/run_server.py`), and forks a process for it, which goes on from there. So
what conftests import is imported again only when something has changed.

The hazard it handles: what conftests have done must be what they would do again. So they are watched as in a template
(`fork_safety/monitor.py`), and more strictly: nothing that they do may be unique, alive or have an effect outside the
process. And a checkpoint ends when a file that they have read has changed, when the project has got or lost a file
(another module may be found first), and after some time, because they may have looked at the clock.
"""

from __future__ import annotations

import importlib
import linecache
import os
import posix
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rustpar import _core
from rustpar.compat.capture import descriptor_captures
from rustpar.compat.plugins import renew_pytest_randomly
from rustpar.fork_safety.monitor import Monitor
from rustpar.process import audit_hook, forking, open_files, program, timers
from rustpar.process.identity import captured_output, replace_captured
from rustpar.warm import client
from rustpar.warm import run as warm_run
from rustpar.warm.imports import is_library, library_directories
from rustpar.warm.run_server import Request, RunServer
from rustpar.warm.staleness import Snapshot
from rustpar.watch import plan as plans

if TYPE_CHECKING:
    import pytest

# Seconds after which conftests are loaded again, in case they have looked at the clock.
_MOST_AGE = 600.0

# What is written whenever modules are imported.
_BYTECODE = "__pycache__"

# The descriptors of the standard streams. A run with others starts as usual.
_STANDARD = [0, 1, 2]


class UsedFiles:
    """The files that conftests open while they are loaded.

    Attributes:
        read: The absolute paths of those that they have only read.
        written: Those of files that they have written, replaced or deleted; not if they were there only meanwhile.
    """

    def __init__(self) -> None:
        """Record them from now on."""
        self.read: set[str] = set()
        self.written: set[str] = set()
        self._created: set[str] = set()
        self._is_recording = True
        audit_hook.install()
        _core.record_opened_files(["/"], self._note)

    def _note(self, path: str, is_written: bool) -> None:
        # A file without a name is created in a directory that is opened.
        if not self._is_recording or path.startswith("/dev/") or Path(path).is_dir():
            return
        if is_written and path not in self.written and not os.path.lexists(path):
            self._created.add(path)
        (self.written if is_written else self.read).add(path)

    def stop(self) -> None:
        """Stop recording."""
        self._is_recording = False
        self.written -= {path for path in self._created if not os.path.lexists(path)}


class Checkpoint:
    """Watches a run that loads its conftests, and keeps a fork of it.

    Attributes:
        reason: Why there is none; None if there is one, or if nobody would understand why not.
    """

    def __init__(self, config: pytest.Config, directory: str, plan: plans.Plan, files: UsedFiles) -> None:
        """Start watching.

        Args:
            config: The configuration of the run, before its conftests.
            directory: The directory for the files of ``rustpar watch``.
            plan: What the run has to do.
            files: What the conftests use.
        """
        self.reason: str | None = None
        self._config = config
        self._directory = directory
        self._parent = plan.parent
        self._files = files
        self._monitor = Monitor(_ignore, is_decided=False)
        # Modules of a warm server can be used although the monitor has replaced functions; and afterwards, too.
        self._undo = [finder.accept_patches() for finder in sys.meta_path if hasattr(finder, "accept_patches")]

    def stop(self) -> None:
        """Stop watching, because the conftests could not be loaded."""
        self._monitor.stop_recording()
        self._accept_modules()

    def _accept_modules(self) -> None:
        for undo in self._undo:
            undo()

    def keep(self) -> bool:
        """Stop watching, and fork the checkpoint, unless there is a reason against it.

        Returns:
            Whether this process is another run, which was forked from the checkpoint.
        """
        reasons = [*self._monitor.stop(self._config), *self._monitor.effects()]
        self._accept_modules()
        reasons += [f"writes {path}" for path in sorted(self._files.written)]
        self.reason = next((reason for reason in reasons if _BYTECODE not in reason), None) or _reason_of_process()
        if self.reason is not None:
            return False
        # The run goes on with both.
        files, captured = open_files.shared(), captured_output(self._config)
        # A grandchild: tests may look at their child processes.
        process = forking.fork()
        if process:
            os.waitpid(process, 0)
            return False
        if forking.fork():
            posix._exit(0)
        try:
            request = self._serve(files)
        except BaseException:
            # Whatever it is, it must not become another run.
            posix._exit(1)
        self._go_on(request, files, captured)
        return True

    def _serve(self, files: list[open_files.OpenFile]) -> Request:
        """Be the checkpoint; return in each fork that has to go on."""
        os.setsid()
        open_files.reopen(files)
        null = os.open(os.devnull, os.O_RDWR)
        for number in self._descriptors():
            os.dup2(null, number, inheritable=number in _STANDARD)
        os.close(null)
        config_files = [] if self._config.inipath is None else [str(self._config.inipath)]
        known = library_directories()
        libraries = [path for path in sys.path if is_library(str(Path(path, "module.py")), known)]
        snapshot = Snapshot(list(sys.modules.values()), libraries, [*self._files.read, *config_files])
        request = _Server(self._directory, self._parent, snapshot).serve()
        if request is None:
            posix._exit(0)
        return request

    def _descriptors(self) -> list[int]:
        """Return the standard streams, and the duplicates to which capturing restores them."""
        return [*_STANDARD, *(one.targetfd_save for one in descriptor_captures(self._config).values())]

    def _go_on(self, request: Request, files: list[open_files.OpenFile], captured: list[bytes]) -> None:
        """Be the run that was requested."""
        os.setsid()
        captures = descriptor_captures(self._config)
        for number, descriptor in zip(_STANDARD, request.descriptors, strict=True):
            os.dup2(descriptor, number)
            if number in captures:
                os.dup2(descriptor, captures[number].targetfd_save, inheritable=False)
            os.close(descriptor)
        replace_captured(self._config, captured)
        open_files.reopen(files)
        self._monitor.seeds.restore()
        renew_pytest_randomly()
        importlib.invalidate_caches()
        linecache.clearcache()
        warm_run.process, warm_run.reason = os.getpid(), None


def _reason_of_process() -> str | None:
    """Return why no run can be forked from this process, apart from what its conftests have done."""
    if client.request is None or client.request["descriptors"] != _STANDARD:
        return "other files than the standard streams are open"
    if program.is_traced():
        return "this process is traced or measured"
    if timers.running():
        return "a timer is running"
    if signal.getsignal(signal.SIGCHLD) not in (signal.SIG_DFL, None):
        return "the end of child processes is handled"
    return None


def _ignore(_reason: str) -> None:
    """Take no notice: a reason counts when the conftests have been loaded."""


class _Server(RunServer):
    """The checkpoint's side of the socket."""

    def __init__(self, directory: str, watch: int, snapshot: Snapshot) -> None:
        """Listen until `watch`, the process id of ``rustpar watch``, ends."""
        # Where a run says that it needs a module which the warm server could not give it.
        super().__init__(plans.checkpoint_socket(directory), warm_run.place_of_run(), lifeline=os.pidfd_open(watch))
        self._directory = directory
        self._snapshot = snapshot
        self._request = client.request
        self._begun = time.monotonic(), time.localtime()[:3]

    def reason_against(self, request: dict[str, Any], process: int) -> str | None:
        """Return what has changed since the conftests were loaded; this process leaves then."""
        reason = self._what_has_changed(request)
        if reason is not None:
            self.leave(reason)
        return reason

    def _what_has_changed(self, request: dict[str, Any]) -> str | None:
        if request != self._request:
            return "it was started in another way"
        if self._is_old():
            return "time has passed"
        plan = plans.read(self._directory)
        for path, event in plan.changes:
            if event != "M":
                return f"{path} was added or removed"
            if self._snapshot.has(str(Path(plan.state[0], path))):
                return f"{path} has changed"
        changed = self._snapshot.changed()
        return None if changed is None else f"{changed} has changed"

    def leave_out(self, modules: list[str]) -> None:
        """Leave; the warm server, which is asked next, does without them."""
        self.leave(f"a run could not be given {modules[0]}")

    def look(self) -> None:
        """Leave if time has passed, under memory pressure, or if another checkpoint has taken this one's place."""
        super().look()
        if self._is_old():
            self.leave("time has passed")
        elif not self.owns_socket():
            self.leave("another process listens")

    def _is_old(self) -> bool:
        begun, date = self._begun
        return time.monotonic() - begun > _MOST_AGE or time.localtime()[:3] != date
