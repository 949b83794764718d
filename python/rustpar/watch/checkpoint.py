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
import random
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rustpar.compat.capture import descriptor_captures, is_suspended
from rustpar.compat.plugins import renew_pytest_randomly
from rustpar.fork_safety.monitor import Monitor
from rustpar.process import forking, open_files, program, random_state, timers
from rustpar.process.code_origin import CodeOrigins
from rustpar.process.identity import captured_output, replace_captured
from rustpar.warm import client, fresh
from rustpar.warm import run as warm_run
from rustpar.warm.imports import is_library, library_directories
from rustpar.warm.run_server import Request, RunServer
from rustpar.warm.staleness import Snapshot
from rustpar.watch import plan as plans
from rustpar.watch.used_files import Listings, Uses, configuration_files, locked_file

if TYPE_CHECKING:
    from collections.abc import Collection

    import pytest

# Seconds after which conftests are loaded again, in case they have looked at the clock.
_MOST_AGE = 600.0

# Nanoseconds by which times of files may be behind the clock.
_CLOCK_STEP = 20_000_000

# The descriptors of the standard streams. A run with others starts as usual.
_STANDARD = [0, 1, 2]


class Checkpoint:
    """Watches a run that loads its conftests, and keeps a fork of it.

    Attributes:
        reason: Why there is none; None if there is one, or if nobody would understand why not.
    """

    def __init__(self, config: pytest.Config, directory: str, plan: plans.Plan, uses: Uses) -> None:
        """Start watching.

        Args:
            config: The configuration of the run, before its conftests.
            directory: The directory for the files of ``rustpar watch``.
            plan: What the run has to do.
            uses: What the conftests use.
        """
        # What plugins do when they are imported was not watched.
        self.reason = _reason_of_plugins()
        self._config = config
        self._directory = directory
        self._parent = plan.parent
        self._uses = uses
        uses.watch_clock()
        self._begun = time.time_ns()
        self._generators = random_state.unseeded.states()
        self._random = random.getstate()
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
        reasons = [*self._monitor.stop(self._config), *self._monitor.effects(), *self._uses.reasons]
        self._accept_modules()
        reasons += [f"writes {path}" for path in sorted(self._uses.written)]
        is_drawn = not self._monitor.seeds.is_seeded and random.getstate() != self._random
        if is_drawn or random_state.unseeded.have_moved(self._generators):
            reasons.append("draws random numbers")
        self.reason = self.reason or next(iter(reasons), None) or _reason_of_process(self._config)
        if self.reason is not None:
            return False
        # The run goes on with both.
        files, captured = open_files.shared(), captured_output(self._config)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        # A grandchild: tests may look at their child processes.
        process = forking.fork()
        if process:
            os.waitpid(process, 0)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            return False
        try:
            if forking.fork():
                posix._exit(0)
            request = self._serve(files, before)
        except BaseException:
            # Whatever it is, it must not become another run.
            posix._exit(1)
        self._go_on(request, files, captured)
        return True

    def _serve(self, files: list[open_files.OpenFile], signals: Collection[int]) -> Request:
        """Be the checkpoint; return in each fork that has to go on. `signals` are those that a run blocks."""
        os.setsid()
        signal.pthread_sigmask(signal.SIG_SETMASK, signals)
        open_files.reopen(files)
        null = os.open(os.devnull, os.O_RDWR)
        for number in self._descriptors():
            os.dup2(null, number, inheritable=number in _STANDARD)
        os.close(null)
        known = library_directories()
        libraries = [path for path in sys.path if is_library(str(Path(path, "module.py")), known)]
        plugins = (getattr(one, "__file__", None) for one in self._config.pluginmanager.get_plugins())
        read = [*self._uses.read, *(file for file in plugins if file is not None)]
        read += configuration_files({self._config.rootpath, self._config.invocation_params.dir})
        snapshot = Snapshot(list(sys.modules.values()), libraries, read)
        if snapshot.is_newer(self._begun - _CLOCK_STEP):
            # It may have changed while it was being read.
            posix._exit(0)
        request = _Server(self._directory, self._parent, snapshot, self._uses.listings()).serve()
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
            if number in captures:
                os.dup2(descriptor, captures[number].targetfd_save, inheritable=False)
            # Standard input remains captured between tests, too.
            if number not in captures or is_suspended(captures[number]):
                os.dup2(descriptor, number)
            os.close(descriptor)
        replace_captured(self._config, captured)
        open_files.reopen(files)
        self._monitor.seeds.restore()
        renew_pytest_randomly()
        fresh.restart_log()
        importlib.invalidate_caches()
        linecache.clearcache()
        warm_run.process, warm_run.reason = os.getpid(), None


def _reason_of_plugins() -> str | None:
    """Return why no run can be forked from this process, because of what was imported before its conftests."""
    places = CodeOrigins()
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name != "__main__" and isinstance(file, str) and places.is_own_file(file):
            return f"{name} is a plugin of the project"
    return "pytest-random-order has drawn its seed" if "random_order" in sys.modules else None


def _reason_of_process(config: pytest.Config) -> str | None:
    """Return why no run can be forked from this process, apart from what its conftests have done."""
    if client.request is None or client.request["descriptors"] != _STANDARD:
        return "other files than the standard streams are open"
    if set(descriptor_captures(config)) != set(_STANDARD):
        return "what conftests print is not captured"
    if program.is_traced():
        return "this process is traced or measured"
    if timers.running():
        return "a timer is running"
    if signal.getsignal(signal.SIGCHLD) not in (signal.SIG_DFL, None):
        return "the end of child processes is handled"
    locked = locked_file()
    return None if locked is None else f"{locked} is locked"


def _ignore(_reason: str) -> None:
    """Take no notice: a reason counts when the conftests have been loaded."""


class _Server(RunServer):
    """The checkpoint's side of the socket."""

    def __init__(self, directory: str, watch: int, snapshot: Snapshot, listings: Listings) -> None:
        """Listen until `watch`, the process id of ``rustpar watch``, ends."""
        # Where a run says that it needs a module which the warm server could not give it.
        super().__init__(plans.checkpoint_socket(directory), warm_run.place_of_run(), lifeline=os.pidfd_open(watch))
        self._directory = directory
        self._snapshot = snapshot
        self._listings = listings
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
            if event == "M" and self._snapshot.has(str(Path(plan.state[0], path))):
                return f"{path} has changed"
        changed = self._snapshot.changed() or self._listings.changed()
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
