"""Start a command and measure it: wall time, CPU, memory of the process tree, and processes left over.

A run may leave orphans, so this process becomes a child subreaper: they stay visible below it and are killed. A run may
hang, so every run has a time limit. Sampling memory costs CPU of the machine being measured, so it is only done on
request, in runs whose times are not used. Linux only.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
TICKS = os.sysconf("SC_CLK_TCK")
# One sample of nine processes with pandas loaded takes 10 ms of CPU (measured on 2 cores): a tenth of one core.
SAMPLE_SECONDS = 0.1
# xdist workers end some 0.1 s after their controller; a process that is alive after this time was leaked.
GRACE_SECONDS = 2.0


@dataclass(frozen=True)
class Usage:
    """Resource usage of one command. Times are in seconds, memory in MiB."""

    exit_code: int
    timed_out: bool
    wall: float
    cpu_tree: float  # the command and every descendant that ended
    cpu_self: float  # the started process alone, from its first instruction to its last
    cpu_others: float  # CPU time of other processes of the machine in the same time
    peak_pss: float | None  # summed over the tree at one moment; None when not sampled
    left_over: tuple[str, ...]  # command lines of processes that outlived the command


def stat_fields(pid: int) -> list[str]:
    """Return the fields of ``/proc/PID/stat`` after the command name, beginning with the state."""
    return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(") ")[2].split()


def processes() -> dict[int, list[str]]:
    """Return the ``stat_fields`` of every process below this one."""
    fields: dict[int, list[str]] = {}
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                pid, row = int(entry.name), stat_fields(int(entry.name))
                fields[pid] = row
                children.setdefault(int(row[1]), []).append(pid)
    found: dict[int, list[str]] = {}
    queue = [os.getpid()]
    while queue:
        for pid in children.get(queue.pop(), ()):
            found[pid] = fields[pid]
            queue.append(pid)
    return found


class PssSampler(threading.Thread):
    """Samples the summed proportional set size of all processes below this one."""

    def __init__(self) -> None:
        """Create the thread; ``start()`` begins sampling."""
        super().__init__(daemon=True)
        self.peak_kib = 0
        self.stopped = threading.Event()

    def run(self) -> None:
        """Sample until stopped."""
        while not self.stopped.wait(SAMPLE_SECONDS):
            total = 0
            for pid in processes():
                with contextlib.suppress(OSError), Path(f"/proc/{pid}/smaps_rollup").open() as lines:
                    total += next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
            self.peak_kib = max(self.peak_kib, total)

    def stop(self) -> float:
        """End sampling and return the peak in MiB."""
        self.stopped.set()
        self.join()
        return self.peak_kib / 1024


def adopt_orphans() -> None:
    """Make orphaned descendants children of this process instead of init's."""
    if not sys.platform.startswith("linux"):
        sys.exit("memory and left-over processes are read from /proc: Linux only")
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def machine_busy() -> float:
    """Return the CPU seconds for which the machine was busy since boot."""
    ticks = [int(value) for value in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / TICKS


def children_cpu() -> float:
    """Return the CPU seconds of all reaped children of this process and of their children."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def running() -> dict[int, str]:
    """Return pid and command line of the processes below this one that are not zombies."""
    found: dict[int, str] = {}
    for pid, row in processes().items():
        with contextlib.suppress(OSError):
            if row[0] != "Z":
                line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
                found[pid] = line.decode(errors="replace").strip()[:120]
    return found


def kill_left_over(grace: float) -> tuple[str, ...]:
    """Wait ``grace`` seconds for the remaining processes, kill those that are still there, and reap all of them."""
    until = time.monotonic() + grace
    while (left := running()) and time.monotonic() < until:
        reap()
        time.sleep(0.02)
    for pid in left:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + GRACE_SECONDS
    while processes() and time.monotonic() < until:
        reap()
        time.sleep(0.005)
    return tuple(left.values())


def reap() -> None:
    """Wait for every child that has already ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def own_cpu(pid: int) -> float:
    """Return the CPU seconds of one process without its children; of a zombie, the final count."""
    row = stat_fields(pid)
    return (int(row[11]) + int(row[12])) / TICKS


def run(
    args: list[str], *, cwd: Path, env: dict[str, str], log: Path | None, timeout: float, pss: bool = False
) -> Usage:
    """Run ``args`` to its end and measure it.

    Output goes to ``log``, or to the output of this process if there is none. After ``timeout`` seconds all
    processes below this one are killed. No other children of this process may be running.
    """
    adopt_orphans()
    reap()
    busy, cpu = machine_busy(), children_cpu()
    timed_out = threading.Event()
    sampler = PssSampler()

    def expire() -> None:
        timed_out.set()
        for pid in running():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)

    with contextlib.ExitStack() as stack:
        out = stack.enter_context(log.open("wb")) if log else None
        start = time.monotonic()
        err = subprocess.STDOUT if out else None
        child = subprocess.Popen(args, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        watchdog = threading.Timer(timeout, expire)
        watchdog.daemon = True
        watchdog.start()
        if pss:
            sampler.start()
        try:
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
            wall = time.monotonic() - start
            cpu_self = own_cpu(child.pid)  # still a zombie: WNOWAIT
            code = child.wait()
        except BaseException:  # interrupted: leave nothing running
            expire()
            child.wait()
            raise
        finally:
            watchdog.cancel()
            peak = sampler.stop() if pss else None
            left = kill_left_over(0.0 if timed_out.is_set() else GRACE_SECONDS)
    cpu_tree = children_cpu() - cpu
    others = max(0.0, machine_busy() - busy - cpu_tree)
    return Usage(code, timed_out.is_set(), wall, cpu_tree, cpu_self, others, peak, left)
