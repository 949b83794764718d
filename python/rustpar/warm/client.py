"""The client of a warm server: it hands over the run of pytest that it was started for, and ends as that run ends.

It is the process that the shell has started, so it passes on every signal, stops and continues with the run, and takes
its exit status or the signal that has killed it. It imports neither pytest nor the native module.

The hazard it handles: the run is not a child of the shell, and does not belong to its terminal. What such a process
cannot do is not handed over: debug, or be traced or measured by something that this process was started with.
"""

from __future__ import annotations

import _thread
import contextlib
import fcntl
import os
import resource
import signal
import socket
import sys
from typing import Any, NamedTuple, NoReturn

from rustpar.process import program
from rustpar.warm import place as places
from rustpar.warm.messages import MOST_DESCRIPTORS, Channel, Closed

# Seconds for a server to answer: it only has to look whether its files have changed.
_ANSWER_LIMIT = 5.0

# Options with which pytest reads from the terminal.
_DEBUGGER_OPTIONS = ("--pdb", "--trace", "--pdbcls")

# Variables with which something starts in every new interpreter; a server's forks are none.
_STARTED_WITH_PYTHON = ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG", "COV_CORE_SOURCE")

# What the kernel says of a signal that a terminal has sent (SI_KERNEL).
_FROM_KERNEL = 0x80

# Signals that are not passed on: they cannot be caught, or are this process's own faults or children.
_OWN_SIGNALS = {
    signal.SIGKILL,
    signal.SIGSTOP,
    signal.SIGCHLD,
    signal.SIGIO,
    signal.SIGPIPE,
    signal.SIGSEGV,
    signal.SIGBUS,
    signal.SIGFPE,
    signal.SIGILL,
    signal.SIGABRT,
    signal.SIGTRAP,
    signal.SIGSYS,
}


# The message about the run that this process was started for; None if it was not to be handed over.
request: dict[str, Any] | None = None


class Main(NamedTuple):
    """How pytest was started.

    Attributes:
        file: The path of the script; of the module ``pytest.__main__`` with ``python -m pytest``.
        module: Its name, with ``-m``; otherwise None.
    """

    file: str
    module: str | None


def hand_over(main: Main, arguments: list[str], first: str | None = None) -> str:
    """Hand a run over to the warm server; return only if there is no such run, with the reason.

    Args:
        main: How pytest was started.
        arguments: Those of pytest.
        first: The path of a socket of another server, which is asked first.
    """
    global request
    descriptors = _open_descriptors()
    reason = _reason_against(arguments, descriptors)
    if reason is not None:
        return reason
    place = places.find()
    if place is None:
        return "there is no directory that only this user can use, or the current one was removed"
    request = {"about": place.about, **describe_run(main, arguments, descriptors)}
    if first is not None:
        _hand_over_to(first, request)
    return _hand_over_to(place.socket, request)


def _hand_over_to(path: str, request: dict[str, Any]) -> str:
    descriptors = request["descriptors"]
    try:
        channel = connected(path, above=max(descriptors, default=2))
    except OSError:
        return "no server is running"
    with channel:
        try:
            channel.send(request)
            answer = channel.receive()
            if "ready" not in answer:
                return str(answer.get("cold"))
            _flush()
            # Not before this: a server that answers too late must neither run what has long been started here, nor keep
            # pipes open.
            channel.send({"go": True}, descriptors)
        except (OSError, Closed) as error:
            return f"the server did not answer: {error}"
        return _follow(channel)


def _reason_against(arguments: list[str], descriptors: list[int]) -> str | None:
    if sys.platform != "linux":
        return f"it does not work on {sys.platform}"
    for argument in arguments:
        if argument.partition("=")[0] in _DEBUGGER_OPTIONS:
            return f"{argument} needs the terminal"
    if sys.flags.inspect or sys.flags.interactive:
        return "Python is interactive"
    if program.is_traced():
        return "this process is traced"
    for name in _STARTED_WITH_PYTHON:
        if name in os.environ:
            return f"{name} is set"
    if _thread._count():
        return "this process has threads"
    if len(descriptors) > MOST_DESCRIPTORS:
        return "too many files are open"
    return None


def _open_descriptors() -> list[int]:
    """Return the open descriptors that a program which replaced this one would inherit."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        # That of the listing is closed by now.
        with contextlib.suppress(OSError):
            if os.get_inheritable(int(name)):
                found.append(int(name))
    return sorted(found)


def connected(path: str, above: int = 2) -> Channel:
    """Connect to a server; the socket's number is above those that are handed over, which may lack 0 to 2.

    Raises:
        OSError: There is no server of this user.
    """
    first = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        number = fcntl.fcntl(first.fileno(), fcntl.F_DUPFD_CLOEXEC, above + 1)
    finally:
        first.close()
    channel = Channel(socket.socket(fileno=number))
    try:
        channel.socket.settimeout(_ANSWER_LIMIT)
        channel.socket.connect(path)
        if channel.peer() is None:
            raise PermissionError
    except OSError:
        channel.close()
        raise
    return channel


def describe_run(main: Main, arguments: list[str], descriptors: list[int]) -> dict[str, Any]:
    """Return what :func:`rustpar.warm.fresh.become` needs for a run as this process would start it."""
    signals = [number for number in signal.valid_signals() if signal.getsignal(number) == signal.SIG_IGN]
    limits = {name: resource.getrlimit(getattr(resource, name)) for name in dir(resource) if name.startswith("RLIMIT_")}
    mask = os.umask(0)
    os.umask(mask)
    return {
        "run": list(arguments),
        "main": list(main),
        "sys.path": list(sys.path),
        "environment": dict(os.environ),
        "directory": os.getcwd(),
        "umask": mask,
        "limits": limits,
        "nice": os.getpriority(os.PRIO_PROCESS, 0),
        "cpus": sorted(os.sched_getaffinity(0)),
        "ignored": [int(number) for number in signals],
        "blocked": [int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
        "descriptors": descriptors,
        "orig_argv": sys.orig_argv,
    }


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.flush()


def _follow(channel: Channel) -> str:
    """Pass on signals until the run ends, and end as it has; return only if it must start cold, with the reason."""
    watched = {
        number for number in signal.valid_signals() - _OWN_SIGNALS if signal.getsignal(number) != signal.SIG_IGN
    } | {signal.SIGIO}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    # The kernel sends SIGIO when the server says something, so that one call waits for both.
    number = channel.socket.fileno()
    channel.socket.setblocking(False)
    fcntl.fcntl(number, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(number, fcntl.F_SETFL, fcntl.fcntl(number, fcntl.F_GETFL) | os.O_ASYNC)
    while True:
        try:
            answer = channel.receive()
        except BlockingIOError:
            # SIGIO may have been sent before O_ASYNC was set.
            about = signal.sigtimedwait(watched, 1.0)
            if about is not None and about.si_signo != signal.SIGIO:
                _pass_on(channel, about.si_signo, from_terminal=about.si_code == _FROM_KERNEL)
            continue
        except (OSError, Closed):
            print("rustpar: the warm server was killed, and this run with it", file=sys.stderr)
            _end(3)
        if "cold" not in answer:
            _end(int(answer["status"]))
        fcntl.fcntl(number, fcntl.F_SETFL, fcntl.fcntl(number, fcntl.F_GETFL) & ~os.O_ASYNC)
        while signal.sigtimedwait({signal.SIGIO}, 0) is not None:
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return str(answer["cold"])


def _pass_on(channel: Channel, number: int, *, from_terminal: bool) -> None:
    stops = number in (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
    with contextlib.suppress(OSError):
        # A process group that no shell knows ignores SIGTSTP.
        channel.send({"signal": int(signal.SIGSTOP if stops else number), "group": from_terminal or stops})
    if stops:
        os.kill(os.getpid(), signal.SIGSTOP)


def _end(status: int) -> NoReturn:
    """End with this exit status, or by the signal if it is negative."""
    if status < 0:
        number = -status
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
        os.kill(os.getpid(), number)
    os._exit(status & 0xFF)
