"""What an import may change in a process besides ``sys.modules``: to be compared before and after.

The hazard it handles: everything here would be inherited by runs of pytest that never import the module.
"""

from __future__ import annotations

import builtins
import contextlib
import gc
import locale
import logging
import os
import random
import signal
import sys
from typing import Any, NamedTuple

from rustpar import _core
from rustpar.fork_safety import native_threads


class Change(NamedTuple):
    """What has changed.

    Attributes:
        sets: Environment variables that were set.
        loggers: The names of loggers that were created.
        faults: Everything else, as predicates.
    """

    sets: dict[str, str]
    loggers: list[str]
    faults: list[str]


class ProcessState:
    """The state as of the last look."""

    def __init__(self, output: int) -> None:
        """Look for the first time; standard output and error go to the file with the descriptor `output`."""
        self._output = output
        self._environment = self._variables()
        self._rest = self._others()
        self._threads = _core.thread_count()
        self._unknown_threads = 0
        self._python_threads = len(sys._current_frames())
        self._loggers = set(logging.root.manager.loggerDict)

    @staticmethod
    def _variables() -> dict[Any, Any]:
        return dict(os.environ._data)  # type: ignore[attr-defined]

    def update(self) -> Change | None:
        """Look again; return what has changed since the last look."""
        sets, faults = {}, []
        variables = self._variables()
        if variables != self._environment:
            for name, value in variables.items():
                if self._environment.get(name) != value:
                    sets[os.fsdecode(name)] = os.fsdecode(value)
            faults += [f"removes {os.fsdecode(name)}" for name in self._environment.keys() - variables.keys()]
            self._environment = variables
        rest = self._others()
        if rest != self._rest:
            faults += [f"changes {name}" for name in rest if rest[name] != self._rest.get(name)]
            self._rest = rest
        threads = _core.thread_count()
        if threads > self._threads:
            self._threads = threads
            # Those that a module has started before are known by now.
            unknown = native_threads.unknown_threads(self._unknown_threads).number
            self._unknown_threads += unknown
            frames, self._python_threads = self._python_threads, len(sys._current_frames())
            if unknown or self._python_threads > frames:
                faults.append("starts a thread")
        loggers = [name for name in logging.root.manager.loggerDict if name not in self._loggers]
        self._loggers.update(loggers)
        return Change(sets, loggers, faults) if sets or loggers or faults else None

    def _others(self) -> dict[str, Any]:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        return {
            "open files": sorted(os.listdir("/proc/self/fd")),
            "standard output": os.fstat(self._output).st_size,
            "child processes": _children(),
            "signal handlers": [signal.getsignal(number) for number in signal.valid_signals()],
            "hooks of sys": (sys.excepthook, sys.displayhook, sys.unraisablehook, sys.gettrace(), sys.getprofile()),
            "sys.path": (list(sys.path), list(sys.path_hooks)),
            "the directory": os.getcwd(),
            "the locale": locale.setlocale(locale.LC_ALL),
            "standard streams": (id(sys.stdin), id(sys.stdout), id(sys.stderr)),
            "limits of the interpreter": (sys.getrecursionlimit(), sys.getswitchinterval()),
            "garbage collection": (gc.isenabled(), gc.get_threshold(), gc.get_debug()),
            "the root logger": (list(logging.root.handlers), logging.root.level, logging.root.manager.disable),
            "builtins": sorted(vars(builtins)),
            "random numbers": hash(random.getstate()),
            "timers": [signal.getitimer(which) for which in (signal.ITIMER_REAL, signal.ITIMER_PROF)],
            "the event loop policy": _event_loop_policy(),
            "the default timeout of sockets": _socket_timeout(),
        }


def _children() -> str:
    with contextlib.suppress(OSError), open("/proc/thread-self/children") as children:
        return children.read()
    return ""


def _event_loop_policy() -> Any:
    events: Any = sys.modules.get("asyncio.events")
    return None if events is None else getattr(events, "_event_loop_policy", None)


def _socket_timeout() -> Any:
    socket: Any = sys.modules.get("socket")
    # While it is being imported it has none.
    get = getattr(socket, "getdefaulttimeout", None)
    return None if get is None else get()
