"""What a fork of a warm server does to continue as a process that the client has just started.

The hazard it handles: everything that a new process has from its parent, a fork has from the server.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import importlib.util
import io
import os
import resource
import signal
import sys
import time
import types
from typing import TYPE_CHECKING, Any, NoReturn

from rustpar import _core
from rustpar.process import exit_functions, forking, random_state
from rustpar.process.code_origin import CodeOrigins

if TYPE_CHECKING:
    from collections.abc import Collection

# The standard streams of a new interpreter: descriptor, name and mode.
_STREAMS = ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w"))


class Refused(Exception):
    """This process cannot become like the client's; the message says why."""


def check(request: dict[str, Any]) -> None:
    """Check that a fork of this process could become like the client's.

    Raises:
        Refused: It could not.
    """
    for name, (_soft, hard) in request["limits"].items():
        own = resource.getrlimit(getattr(resource, name))[1]
        if own != resource.RLIM_INFINITY and (hard == resource.RLIM_INFINITY or hard > own):
            raise Refused(f"{name} is higher than the server's")
    if request["nice"] < os.getpriority(os.PRIO_PROCESS, 0):
        raise Refused("its priority is higher than the server's")


def become(request: dict[str, Any], descriptors: list[int]) -> None:
    """Become like the client's process: session, files, directory, limits, signals, environment, streams, path.

    Args:
        request: The client's message, as :mod:`rustpar.warm.client` makes it.
        descriptors: Copies of its descriptors, in the order of ``request["descriptors"]``.
    """
    os.setsid()
    _take_descriptors(request["descriptors"], descriptors)
    os.chdir(request["directory"])
    os.umask(request["umask"])
    for name, (soft, hard) in request["limits"].items():
        resource.setrlimit(getattr(resource, name), (soft, hard))
    os.setpriority(os.PRIO_PROCESS, 0, request["nice"])
    os.sched_setaffinity(0, request["cpus"])
    _set_signals(request)
    _set_environment(request["environment"])
    time.tzset()
    for descriptor, name, mode in _STREAMS:
        stream = _stream(descriptor, name, mode)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    sys.path[:] = request["sys.path"]
    importlib.invalidate_caches()
    _set_main(request["main"], request["run"], request["orig_argv"])
    random_state.restore_generators()
    restart_log()
    tempfile: Any = sys.modules.get("tempfile")
    if tempfile is not None:
        tempfile.tempdir = None


def restart_log() -> None:
    """Have log records count their relative times from now on, as in a new process."""
    logging: Any = sys.modules.get("logging")
    if logging is not None:
        logging._startTime = time.time_ns() if sys.version_info >= (3, 13) else time.time()


def end(ended: SystemExit, loaded: Collection[str]) -> NoReturn:
    """End this fork as a process whose code has raised `ended`, without taking the interpreter apart.

    Args:
        ended: What was raised.
        loaded: The names of the modules that it has had from the server.
    """
    code = ended.code
    if code is not None and not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    exit_functions.run_exit_functions()
    exit_functions.clear_modules(loaded, CodeOrigins().is_own_file)
    forking.flush()
    _core.exit_process(int(code or 0))
    raise AssertionError


def _take_descriptors(numbers: list[int], descriptors: list[int]) -> None:
    """Give the client's descriptors the numbers that they have there, and close all others."""
    above = max([2, *numbers]) + 1
    # Not closed by what follows, and above all numbers.
    moved = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, above) for descriptor in descriptors]
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in moved:
            with contextlib.suppress(OSError):
                os.close(int(name))
    for number, descriptor in zip(numbers, moved, strict=True):
        os.dup2(descriptor, number, inheritable=True)
        os.close(descriptor)


def _set_signals(request: dict[str, Any]) -> None:
    ignored = set(request["ignored"])
    for number in signal.valid_signals():
        handler: Any = signal.SIG_IGN if number in ignored else signal.SIG_DFL
        if number == signal.SIGINT and number not in ignored:
            handler = signal.default_int_handler
        with contextlib.suppress(OSError, ValueError):
            if signal.getsignal(number) != handler:
                signal.signal(number, handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, request["blocked"])


def _set_environment(environment: dict[str, str]) -> None:
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    for name, value in environment.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


def _stream(descriptor: int, name: str, mode: str) -> Any:
    """Return a standard stream as the interpreter creates it, None if it is closed; the encoding is the server's.

    As ``create_stdio`` in CPython's ``Python/pylifecycle.c``.
    """
    before: Any = getattr(sys, f"__{name}__")
    try:
        os.fstat(descriptor)
    except OSError:
        return None
    is_unbuffered = before.write_through
    buffering = 0 if is_unbuffered and mode == "w" else -1
    binary: Any = open(descriptor, f"{mode}b", buffering=buffering, closefd=False)  # noqa: SIM115
    (binary.raw if buffering else binary).name = f"<{name}>"
    stream: Any = io.TextIOWrapper(
        binary,
        encoding=before.encoding,
        errors=before.errors,
        newline="\n",
        line_buffering=not is_unbuffered and (name == "stderr" or binary.isatty()),
        write_through=is_unbuffered,
    )
    stream.mode = mode
    return stream


def _set_main(about: tuple[str, str | None], arguments: list[str], original: list[str]) -> None:
    """Make ``__main__`` what it is when pytest is started, for those who look, as multiprocessing does."""
    file, module = about
    main = types.ModuleType("__main__")
    main.__dict__.update({"__builtins__": sys.modules["builtins"], "__file__": file})
    main.__loader__ = None
    if module is not None:
        main.__spec__ = importlib.util.find_spec(module)
        main.__package__ = module.rpartition(".")[0]
    sys.modules["__main__"] = main
    sys.argv[:] = [file, *arguments]
    sys.orig_argv[:] = original
