"""Runs pytest while faults happen to it, and gathers what is known of the run afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tests.chaos.faults import Damage, Delays, Fault, FullDisk, Limit, Signal
from tests.chaos.invariants import Evidence
from tests.chaos.processes import Roles
from tests.chaos.suites import RECORDS
from tests.harness import MARK, kill_leftover_processes, marked_processes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Seconds within which a run of 60 tests ends, plus its pauses. It takes less than two.
BOUND = 120.0

_POLL_INTERVAL = 0.005
_SHARED_MEMORY = Path("/dev/shm")


def is_probe_of_python(path: Path) -> bool:
    """Whether a file is the one with which `tempfile` finds out if it can write to a directory.

    It removes it at once, but a process that is killed in between leaves it, with and without rustpar.
    """
    is_named_so = path.is_file() and re.fullmatch("[a-z0-9_]{8}", path.name) is not None
    return is_named_so and path.read_bytes() in (b"", b"blat")


class _Pipe:
    """Reads a pipe to its end in a thread, because a full one would block the run."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._parts: list[bytes] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with self._stream:
            while part := os.read(self._stream.fileno(), 1 << 16):
                self._parts.append(part)

    def text(self) -> str:
        """Return what has been read up to now."""
        return b"".join(self._parts).decode(errors="replace")

    def wait(self) -> None:
        """Wait until all writers have closed the pipe; they have all been killed by then."""
        self._thread.join(5)


class _Disturbance:
    """Applies faults to a run at their moments."""

    def __init__(self, faults: Iterable[Fault], roles: Roles, begun: _Pipe) -> None:
        self._pending = [fault for fault in faults if isinstance(fault, Signal)]
        self._delays = [(fault, random.Random(fault.seed)) for fault in faults if isinstance(fault, Delays)]
        self._roles = roles
        self._records = begun
        self._began = time.monotonic()
        self._reached: dict[Signal, float] = {}
        self._stopped: list[tuple[float, int]] = []
        self.done: list[str] = []
        self.controller_killed = False

    def poll(self) -> None:
        """Do what is due."""
        now = time.monotonic()
        for due, pid in list(self._stopped):
            if due <= now:
                self._stopped.remove((due, pid))
                self._send(pid, signal.SIGCONT)
        if not self._roles.are_known:
            self._roles.find()
        count = self._records.text().count('["begun"')
        for fault in list(self._pending):
            if count >= fault.moment.tests:
                reached = self._reached.setdefault(fault, now if fault.moment.tests else self._began)
                if now >= reached + fault.moment.seconds and (pids := self._roles.find()[fault.role]):
                    self._pending.remove(fault)
                    self._apply(fault, pids, now)
        for delays, dice in self._delays:
            if now < self._began + delays.seconds and dice.random() < 0.2 and (pids := self._everything()):
                self._stop(dice.choice(pids), now + dice.uniform(0.001, 0.05))

    def _everything(self) -> list[int]:
        return self._roles.find()["everything"]

    def _apply(self, fault: Signal, pids: Sequence[int], now: float) -> None:
        chosen = pids if fault.role == "everything" else [pids[int(fault.choice * len(pids))]]
        after = f"{now - self._began:.2f} s"
        self.done.append(f"{signal.Signals(fault.number).name} to {fault.role} {list(chosen)} after {after}")
        self.controller_killed |= fault.ends_controller()
        for pid in chosen:
            if fault.number == signal.SIGSTOP:
                self._stop(pid, now + fault.pause)
            else:
                self._send(pid, fault.number)

    def _stop(self, pid: int, until: float) -> None:
        self._stopped.append((until, pid))
        self._send(pid, signal.SIGSTOP)

    def _send(self, pid: int, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    def end(self) -> None:
        """Continue every stopped process."""
        for _, pid in self._stopped:
            self._send(pid, signal.SIGCONT)


class Directory:
    """The directory of a round: the suite, and a directory for its temporary files."""

    def __init__(self, path: Path) -> None:
        """Use a new directory."""
        self.suite = path / "suite"
        self.temporary = path / "tmp"
        self.suite.mkdir()
        self.temporary.mkdir()
        self._cache = self.suite / ".pytest_cache"
        self._mounted = False

    def prepare(self, faults: Iterable[Fault]) -> list[Fault]:
        """Apply the faults that come before the run; return the others."""
        left: list[Fault] = []
        for fault in faults:
            if isinstance(fault, Damage):
                fault.apply(self._cache / "d/rustpar")
            elif isinstance(fault, FullDisk) and not self._mount(fault.size):
                # Without the permission to mount: no file can grow.
                left.append(Limit("FSIZE", fault.size))
            else:
                left.append(fault)
        return left

    def _mount(self, size: int) -> bool:
        self._cache.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "chaos", str(self._cache)]
        self._mounted = bool(shutil.which("mount")) and not subprocess.run(command, capture_output=True).returncode
        return self._mounted

    def unmount(self) -> None:
        """Remove the full disk."""
        if self._mounted:
            subprocess.run(["umount", "-l", str(self._cache)], check=True)
            self._mounted = False

    def run(
        self, arguments: Sequence[str], faults: Iterable[Fault] = (), niceness: int = 0, pauses: float = 0.0
    ) -> tuple[Evidence, _Disturbance]:
        """Run pytest while faults happen to it; return what is known of it, and what was done to it."""
        mark = uuid.uuid4().hex
        faults = self.prepare(faults)
        limits = [fault for fault in faults if isinstance(fault, Limit)]
        shared = set(_SHARED_MEMORY.iterdir()) if _SHARED_MEMORY.exists() else set()
        earlier = self._journals()

        def limit() -> None:
            os.nice(niceness)
            for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            for fault in limits:
                fault.apply()

        reading, writing = os.pipe()
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-p", "recorder", *arguments],
            cwd=self.suite,
            env=self._environment(mark, writing),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[writing],
            start_new_session=True,
            preexec_fn=limit,
        )
        os.close(writing)
        assert process.stdout is not None
        assert process.stderr is not None
        pipes = [_Pipe(os.fdopen(reading, "rb", 0)), _Pipe(process.stdout), _Pipe(process.stderr)]
        start = "early" if "--rustpar-start=early" in arguments else "template"
        disturbance = _Disturbance(faults, Roles(process.pid, start), pipes[0])
        status, seconds = self._wait(process, disturbance, BOUND + pauses)
        disturbance.end()
        processes = (
            [f"{pid} {about}" for pid, about in kill_leftover_processes(mark).items()] if status is not None else []
        )
        for pid in marked_processes(mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pipe in pipes:
            pipe.wait()
        evidence = Evidence(status, pipes[1].text() + pipes[2].text(), processes=processes, seconds=seconds)
        self._add_records(evidence, pipes[0].text())
        evidence.files = self._left(shared)
        evidence.journal = self._report(self._journals() - earlier)
        return evidence, disturbance

    def _environment(self, mark: str, records: int) -> dict[str, str]:
        omitted = ("PYTEST", "RUSTPAR", "COVERAGE", "PYTHONDONTWRITEBYTECODE")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(omitted) and name != "CI"}
        return kept | {MARK: mark, RECORDS: str(records), "TMPDIR": str(self.temporary)}

    def _wait(
        self, process: subprocess.Popen[bytes], disturbance: _Disturbance, bound: float
    ) -> tuple[int | None, float]:
        began = time.monotonic()
        while process.poll() is None and time.monotonic() < began + bound:
            disturbance.poll()
            time.sleep(_POLL_INTERVAL)
        status, seconds = process.returncode, time.monotonic() - began
        if status is None:
            process.kill()
            process.wait()
        return status, seconds

    def _add_records(self, evidence: Evidence, text: str) -> None:
        begun: Counter[str] = Counter()
        for line in text.splitlines():
            kind, node_id, *rest = json.loads(line)
            if kind == "begun":
                begun[node_id] += 1
            else:
                evidence.reports.append((node_id, rest[0], rest[1]))
        evidence.begun = begun

    def _left(self, shared: set[Path]) -> list[str]:
        """Return what the run has left in the temporary directory and in shared memory, and remove it."""
        left = [path for path in self.temporary.iterdir() if not path.name.startswith("pytest-of-")]
        memory = set(_SHARED_MEMORY.iterdir()) - shared if _SHARED_MEMORY.exists() else set()
        counted = [path for path in left if not is_probe_of_python(path)]
        for path in left:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        return [str(path) for path in (*counted, *(path for path in memory if "rustpar" in path.name))]

    def _journals(self) -> set[Path]:
        return set(self._cache.glob("d/rustpar/runs/*.jsonl"))

    def _report(self, journals: set[Path]) -> tuple[int, str] | None:
        """Return the exit status and output of `rustpar report` for the run's journal.

        There is nothing to report if the run was killed before the first line of its journal was written.
        """
        begun = [path for path in journals if b"\n" in path.read_bytes()]
        if not begun:
            return None
        command = [sys.executable, "-m", "rustpar.cli", "report", str(begun[0])]
        ended = subprocess.run(command, cwd=self.suite, capture_output=True, text=True, timeout=BOUND)
        return ended.returncode, ended.stdout + ended.stderr
