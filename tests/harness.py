"""Shared classes of the plugin's tests: a suite in its own directory, and runs of it in subprocesses.

A plugin that forks may leave processes behind. Every run has a mark in its
environment, and after each test no process with that mark may exist.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import pytest

from tests.suite_modules import ONE_TEST_PER_WORKER, RECORDER, RUN_EACH, SUPPORT, SYNC

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# Time limit in seconds for one run of pytest, and for other programs. A run takes less than one second, with many
# plugins some seconds; the rest is for machines where other work takes the cores.
RUN_LIMIT = 300.0

# Seconds within which processes must exit after the end of their run. They die with their parent at once,
# but have to be scheduled for it.
LEAVE_LIMIT = 15.0

MARK = "RUSTPAR_TEST_RUN"

# Run modes for `Suite.run_in`: one process, and the start modes of workers.
RUN_MODES = ("plain", "template", "early", "xdist")


@dataclass
class Run:
    """A run of pytest that has ended."""

    ret: int
    out: str
    err: str
    reports: list[dict[str, Any]]

    @property
    def lines(self) -> list[str]:
        """The lines of standard output."""
        return self.out.splitlines()

    @property
    def text(self) -> str:
        """Standard output and standard error."""
        return self.out + self.err

    @property
    def outcomes(self) -> dict[str, list[tuple[str, str, bool]]]:
        """Phase, outcome and expected failure of all reports of each test."""
        found: dict[str, list[tuple[str, str, bool]]] = {}
        for report in self.reports:
            about = (report["when"], report["outcome"], report["wasxfail"] is not None)
            found.setdefault(report["nodeid"], []).append(about)
        return found

    @property
    def runs(self) -> Counter[str]:
        """How often each test ran to its end."""
        return Counter(report["nodeid"] for report in self.reports if report["when"] == "teardown")

    @property
    def workers(self) -> dict[str, set[str]]:
        """The workers in which each test was run."""
        found: dict[str, set[str]] = {}
        for report in self.reports:
            found.setdefault(report["nodeid"], set()).add(report["worker"])
        return found

    def report(self, name: str, when: str = "call") -> dict[str, Any]:
        """Return the only report of a phase of the only test whose node id ends with `name`."""
        (report,) = [r for r in self.reports if r["nodeid"].endswith(name) and r["when"] == when]
        return report

    def counts(self) -> dict[str, int]:
        """Return the numbers in pytest's closing line."""
        found = pytest.RunResult.parse_summary_nouns(self.lines)
        return {noun: int(number) for noun, number in found.items()}

    def line(self, part: str) -> str:
        """Return the only line of standard output that contains `part`."""
        found = [line for line in self.lines if part in line]
        assert len(found) == 1, f"{part!r} is in {len(found)} lines of\n{self.text}"
        return found[0]

    def section(self, title: str) -> list[str]:
        """Return the lines below a headline of the summary; the headline must be unique."""
        lines = iter(self.lines)
        for line in lines:
            if line.strip("= ") == title:
                return list(itertools.takewhile(lambda line: not line.startswith("==="), lines))
        return []

    def used_rustpar(self) -> bool:
        """Return whether the header says that workers were forked from a template."""
        return any(line.startswith("rustpar: ") and "start: template" in line for line in self.lines)

    def start(self) -> str:
        """Return the start mode of the workers that was printed last."""
        words: list[str] = re.findall(r"^rustpar: .*?\bstart: (\w+)", self.out, re.MULTILINE)
        return words[-1]


def restore_default_signals() -> None:
    """Handle signals again that are ignored: a shell starts background jobs like this, and processes inherit it."""
    defaults: dict[signal.Signals, Any] = {
        signal.SIGINT: signal.default_int_handler,
        **dict.fromkeys((signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM), signal.SIG_DFL),
    }
    for number, handler in defaults.items():
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


@contextlib.contextmanager
def interrupts_ignored(*, are_ignored: bool = True) -> Iterator[None]:
    """Start processes like a background job in a shell script, which Ctrl-C does not reach."""
    handler: Any = signal.SIG_IGN if are_ignored else signal.default_int_handler
    before: Any = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class Suite:
    """A directory with a test suite, and methods to run it."""

    def __init__(self, pytester: pytest.Pytester, directory: str = "") -> None:
        """Use the directory of `pytester`, or one in it; in that, only :meth:`start` runs pytest."""
        self.path: Path = pytester.path / directory
        self._pytester = pytester
        self.write({"recorder.py": RECORDER, "support.py": SUPPORT})

    def write(self, files: Mapping[str, str]) -> None:
        """Write dedented files, and delete old bytecode, which could match in time and size."""
        for name, text in files.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists():
                shutil.rmtree(path.parent / "__pycache__", ignore_errors=True)
            path.write_text(textwrap.dedent(text), encoding="utf-8")

    def test(self, text: str) -> None:
        """Write `test_it.py`."""
        self.write({"test_it.py": text})

    def conftest(self, text: str) -> None:
        """Write `conftest.py`."""
        self.write({"conftest.py": text})

    def use_xdist_scheduler(self, kind: str) -> None:
        """Write a `conftest.py` that returns one of pytest-xdist's schedulers: "Load", "LoadScope", ..."""
        self.conftest(
            f"""
            from xdist.scheduler import {kind}Scheduling

            def pytest_xdist_make_scheduler(config, log):
                return {kind}Scheduling(config, log)
            """
        )

    def run(self, *args: str, n: str | None = "2", limit: float = RUN_LIMIT) -> Run:
        """Run pytest with `n` workers; None omits `-n`."""
        given = args if n is None else ("-n", n, *args)
        result = self._pytester.runpytest_subprocess("-p", "recorder", *given, timeout=limit)
        return self._ended(int(result.ret), result.stdout.str(), result.stderr.str())

    def run_unheard(self, *args: str, n: str = "2") -> Run:
        """Run pytest with `n` workers and without the recorder, so that only pytest and rustpar listen to reports."""
        result = self._pytester.runpytest_subprocess("-n", n, *args, timeout=RUN_LIMIT)
        return self._ended(int(result.ret), result.stdout.str(), result.stderr.str())

    def run_in(self, run_mode: str, *args: str, n: str = "2") -> Run:
        """Run pytest in one of `RUN_MODES`."""
        return self.run(*args, n=None) if run_mode == "plain" else self.run(f"--rustpar-start={run_mode}", *args, n=n)

    def run_with(self, environment: Mapping[str, str], *args: str, n: str | None = "2") -> Run:
        """Run pytest with additional environment variables."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            return self.run(*args, n=n)

    def part(self, directory: str) -> Suite:
        """Return a suite in a subdirectory, for :meth:`run_each`."""
        return Suite(self._pytester, directory)

    def run_each(self, arguments: Mapping[str, Sequence[str]]) -> dict[str, Run]:
        """Run pytest in subdirectories with the arguments given for each, one after the other in a single process.

        This saves the time in which pytest is imported. It is for errors in options and for what does not depend on
        how a process was started.
        """
        self.write({"run_each.py": RUN_EACH})
        for directory in arguments:
            (self.path / directory / "status").unlink(missing_ok=True)
        # All but the first take a tenth of a second or two.
        limit = RUN_LIMIT + 2.0 * len(arguments)
        self._pytester.run(sys.executable, self.path / "run_each.py", json.dumps(arguments), timeout=limit)
        runs = {}
        for directory in arguments:
            path = self.path / directory
            status, out, err = ((path / name).read_text(errors="replace") for name in ("status", "out", "err"))
            runs[directory] = self.part(directory)._ended(int(status), out, err)
        return runs

    def plain(self, *args: str) -> Run:
        """Run plain pytest, in one process and without pytest-xdist and rustpar."""
        return self.run("-p", "no:rustpar", "-p", "no:xdist", *args, n=None)

    def start(self, *args: str, n: str = "2", output: int | TextIO = subprocess.PIPE) -> subprocess.Popen[bytes]:
        """Start pytest in its own process group and return while it runs."""
        command = [sys.executable, "-m", "pytest", "-p", "recorder", "-n", n, *args]
        process: subprocess.Popen[bytes] = self._pytester.popen(
            command,
            stdout=output,
            stderr=output,
            stdin=b"",
            cwd=self.path,
            start_new_session=True,
        )
        return process

    def wait_for_exit(self, process: subprocess.Popen[bytes], limit: float = RUN_LIMIT) -> Run:
        """Wait for a started process and return its run."""
        out, err = process.communicate(timeout=limit)
        return self._ended(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))

    def wait_for_exit_with_output_file(self, process: subprocess.Popen[bytes], limit: float = RUN_LIMIT) -> Run:
        """Wait for a process that was started with `output` as its output file, and return its run."""
        with process:
            try:
                ret = process.wait(limit)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return self._ended(ret, (self.path / "output").read_text(errors="replace"), "")

    def _ended(self, ret: int, out: str, err: str) -> Run:
        path = self.path / "reports.jsonl"
        reports = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        path.unlink(missing_ok=True)
        return Run(ret, out, err, reports)

    def notes(self) -> list[str]:
        """Return the notes of tests, each line prefixed with the worker's name."""
        path = self.path / "notes.log"
        return path.read_text().splitlines() if path.exists() else []

    def wait_for(self, *names: str, limit: float = RUN_LIMIT / 2) -> None:
        """Wait until tests have arrived at these meeting points."""
        end = time.monotonic() + limit
        for name in names:
            while not (self.path / f"{name}.here").exists():
                assert time.monotonic() < end, f"no test arrived at {name}"
                time.sleep(0.005)


class ForkCase:
    """A suite that creates state before the fork, run under pytest-xdist and rustpar at the same time.

    Outcomes and notes of its tests must be the same. The state is created by a conftest or a test module that has a
    function ``use(me)``, which a test in each worker calls to use that state.
    """

    # Start modes in which each worker configures and collects for itself.
    EARLY_MODES = ("early",)

    def __init__(self, pytester: pytest.Pytester, scratch: Path) -> None:
        """Create suites in two subdirectories of `pytester`, and use `scratch` for temporary files."""
        self._suites = {name: Suite(pytester, name) for name in ("xdist", "rustpar")}
        self._scratch = scratch

    def expect_early(self, text: str, file: str = "conftest.py", n: int = 2, **files: str) -> None:
        """Assert that workers are early because of `text` or other `files`, given by module name."""
        assert self._start(text, file, n, files) in self.EARLY_MODES

    def expect_template(self, text: str, file: str = "conftest.py", n: int = 2, **files: str) -> None:
        """Assert that workers are forked from a template that has executed `text`."""
        assert self._start(text, file, n, files) == "template"

    def _start(self, text: str, file: str, n: int, files: Mapping[str, str]) -> str:
        modules = {f"{name}.py": module for name, module in files.items()}
        modules["test_it.py"] = "from conftest import use\n"
        modules[file] = textwrap.dedent(text)
        modules["test_it.py"] += textwrap.dedent(ONE_TEST_PER_WORKER)
        xdist, rustpar = self.compare(modules, n)
        # Python 3.12 warns about forks in a process with threads, which xdist has.
        found = xdist.counts() | {"warnings": 0}
        assert found == {"passed": n, "warnings": 0}, f"the suite is to pass under pytest-xdist\n{xdist.text}"
        return rustpar.start()

    def compare(self, files: Mapping[str, str], n: int = 2) -> tuple[Run, Run]:
        """Run a suite of `files` under pytest-xdist and under rustpar."""
        started = {}
        for name, suite in self._suites.items():
            suite.write({"sync.py": f"ALL = {'abcdef'[:n]!r}\n" + textwrap.dedent(SYNC), **files})
            (self._scratch / name).mkdir()
            arguments = ["-p", "no:rustpar"] if name == "xdist" else ["-v"]
            with pytest.MonkeyPatch.context() as patch, (suite.path / "output").open("w") as output:
                patch.setenv("TMPDIR", str(self._scratch / name))
                # Not a pipe: reading it would block as long as a leftover process holds it open.
                started[name] = suite.start(*arguments, n=str(n), output=output)
        runs = {name: suite.wait_for_exit_with_output_file(started[name]) for name, suite in self._suites.items()}
        xdist, rustpar = runs["xdist"], runs["rustpar"]
        assert rustpar.ret == xdist.ret, f"{xdist.text}\n{rustpar.text}"
        assert rustpar.outcomes == xdist.outcomes, rustpar.text
        # A set: if no worker is forked from the template, both the template and gw0 write the same notes.
        notes = {name: sorted(set(suite.notes())) for name, suite in self._suites.items()}
        assert notes["rustpar"] == notes["xdist"], rustpar.text
        processes = kill_leftover_processes(os.environ[MARK])
        assert not processes, f"processes were left over: {processes}"
        left = {name: self._left(name) for name in self._suites}
        assert left["xdist"] or not left["rustpar"], f"temporary files were left over: {left['rustpar']}"
        return xdist, rustpar

    def _left(self, name: str) -> list[str]:
        """Return the temporary files that are left after a run, except pytest's own."""
        return [path.name for path in (self._scratch / name).iterdir() if not path.name.startswith("pytest-of-")]


def marked_processes(mark: str) -> dict[int, str]:
    """Return the command lines of all running processes with the mark, by process id."""
    found = {}
    wanted = f"{MARK}={mark}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    status = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                    found[int(entry.name)] = f"[{status}] {(entry / 'cmdline').read_bytes().decode()!r}"
    return found


def kill_leftover_processes(mark: str) -> dict[int, str]:
    """Kill the processes with the mark that do not exit in time, and return them."""
    end = time.monotonic() + LEAVE_LIMIT
    while (left := marked_processes(mark)) and time.monotonic() < end:
        time.sleep(0.01)
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return left
