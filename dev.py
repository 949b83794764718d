#!/usr/bin/env python3
"""Build, check, test and measure pytest-rustpar. Needs Python >= 3.10, Rust and a C compiler.

    python3 dev.py demo                               build a release wheel, and run examples/demo.py with it
    python3 dev.py test [--python X] [pytest args]    run everything: checks, Rust tests, plugin tests
    python3 dev.py develop                            make an editable build in .venv, for development
    python3 dev.py check                              run the static checks only
    python3 dev.py plugins [pytest args]              compare popular plugins, write the table in docs/plugins.md
    python3 dev.py docs                               build the documentation site in target/site
    python3 dev.py build                              build a release wheel in target/wheels
    python3 dev.py bench [args]                       run benches/compare.py with the release wheel

Each command runs sessions of noxfile.py, in the virtual environment .venv, which it creates with nox. Environment
variables that could influence tests are not passed on, and every session has a time limit, so a test that hangs ends
its session instead of blocking the run for ever.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 10):  # noqa: UP036 - older versions must be able to parse this file to print the message
    sys.exit("dev.py: needs Python >= 3.10, this is {}.{}".format(*sys.version_info))

import argparse
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent
REQUIREMENTS = ROOT / "tests" / "requirements" / "dev.txt"
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

# Seconds: far above the duration of a session on two cores, far below the time limit of a CI job.
INSTALL_LIMIT = 600
COMPILE_LIMIT = 1200
PYTEST_LIMIT = 1800
BENCH_LIMIT = 7200

Version = tuple[int, int]

# The oldest Python that the versions in tests/requirements/plugins.txt support.
PLUGINS_PYTHON: Version = (3, 11)


class Stop(Exception):
    """A fatal error; the message is a single line to print."""


# Running commands

# Directories to put first on PATH, where nox looks for interpreters by name: pyenv's shims may exist there and fail.
PATH_PREFIX: list[str] = []


def child_environment() -> dict[str, str]:
    """Return the environment for all commands: without settings of Python and pytest, with cargo on PATH."""
    dropped = re.compile(r"PYTHON|PYTEST|PY_COLORS|FORCE_COLOR|MYPY|RUSTPAR|VIRTUAL_ENV|COVERAGE|COV_CORE")
    environment = {name: value for name, value in os.environ.items() if not dropped.match(name)}
    cargo_home = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")
    environment["PATH"] = os.pathsep.join([*PATH_PREFIX, os.environ.get("PATH", os.defpath), str(cargo_home / "bin")])
    environment["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    # Use one interpreter for all builds: PyO3 is recompiled whenever it finds a different one.
    environment["PYO3_PYTHON"] = str(PYTHON)
    return environment


def output_of(*command: str | Path) -> str | None:
    """Return the output of a quick command, or None if it is missing or fails (a pyenv shim can exist and fail)."""
    try:
        done = subprocess.run(command, env=child_environment(), capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a command and all processes in its session."""
    if sys.platform == "win32":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def say(line: str) -> None:
    """Print a line immediately, in order with the output of the commands."""
    print(line, flush=True)


@dataclass
class Step:
    """A command that runs.

    Attributes:
        output: Where it writes, if it runs beside others; its output is printed when it has ended.
        limit: Seconds after which it is killed.
    """

    name: str
    process: subprocess.Popen[bytes]
    output: IO[bytes] | None
    limit: float
    start: float = field(default_factory=time.monotonic)

    def wait(self) -> str:
        """Wait until the command has ended; return what went wrong, or an empty string."""
        try:
            status = self.process.wait(max(0.0, self.start + self.limit - time.monotonic()))
        except subprocess.TimeoutExpired:
            kill(self.process)
            return f"TIMED OUT after {self.limit:.0f} s"
        return f"FAILED (exit status {status})" if status else ""


@dataclass
class Steps:
    """Runs commands and records the ones that failed."""

    failed: list[str] = field(default_factory=list)
    running: list[Step] = field(default_factory=list)

    def start(self, name: str, *command: str | Path, limit: float, is_beside: bool = False, processes: int = 0) -> Step:
        """Start a command in the root of the repository; keep its output if it `is_beside` others.

        Its sessions run tests in so many `processes`; by default as the noxfile says.
        """
        output = tempfile.TemporaryFile() if is_beside else None  # noqa: SIM115 - closed by `finish`
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=child_environment() | ({"TEST_PROCESSES": str(processes)} if processes else {}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output and subprocess.STDOUT,
            start_new_session=True,
        )
        step = Step(name, process, output, limit)
        self.running.append(step)
        return step

    def finish(self, step: Step, *, is_last: bool = False) -> bool:
        """Wait for a command and print how long it took; return False if it failed.

        Print nothing after an `is_last` step that passed, so that the command's own last line stays the last.
        """
        problem = step.wait()
        took = time.monotonic() - step.start
        self.running.remove(step)
        if step.output is not None:
            step.output.seek(0)
            say(f"\n==> {step.name} (beside the steps above)\n{step.output.read().decode(errors='replace')}")
            step.output.close()
        if problem:
            self.failed.append(step.name)
        if problem or not is_last:
            say(f"    {problem or 'ok'}, {took:.1f} s")
        return not problem

    def run(self, name: str, *command: str | Path, limit: float, is_last: bool = False, processes: int = 0) -> bool:
        """Run a command; return False if it failed."""
        say(f"\n==> {name}")
        return self.finish(self.start(name, *command, limit=limit, processes=processes), is_last=is_last)

    def kill(self) -> None:
        """Kill the commands that still run."""
        for step in self.running:
            kill(step.process)

    def require(self, name: str, *command: str | Path, limit: float) -> None:
        """Run a command, and raise Stop if it fails."""
        if not self.run(name, *command, limit=limit):
            raise Stop(f"failed: {name}")

    def report(self) -> int:
        """Print the steps that failed, if any, and return the exit status."""
        if self.failed:
            say(f"\ndev.py: {len(self.failed)} failed: " + "; ".join(self.failed))
        return 1 if self.failed else 0


# Interpreters and virtual environments


def interpreter_candidates() -> Iterator[Path]:
    """Yield possible interpreters: this one, python3.N on PATH, pyenv's versions."""
    yield Path(sys.executable)
    for directory in os.get_exec_path():
        for path in sorted(Path(directory).glob("python3.*")):
            if re.fullmatch(r"python3\.\d+(\.exe)?", path.name):
                yield path
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob("versions/*/bin/python"))


# Excludes free-threaded builds, which cannot load abi3 wheels, and pre-releases.
PROBE = """
import ensurepip, sys, sysconfig, venv
if (sys.implementation.name == "cpython" and sys.version_info.releaselevel == "final"
        and not sysconfig.get_config_var("Py_GIL_DISABLED")):
    print(*sys.version_info[:2], sys.executable)
"""


def probe(interpreter: Path) -> tuple[Version, Path] | None:
    """Return version and real path of an interpreter, or None if it cannot create virtual environments."""
    found = re.fullmatch(r"(\d+) (\d+) (.+)\n", output_of(interpreter, "-c", PROBE) or "")
    return ((int(found[1]), int(found[2])), Path(found[3])) if found else None


def interpreters() -> dict[Version, Path]:
    """Return one CPython >= 3.10 for each minor version on this machine, oldest first."""
    found: dict[Version, Path] = {}
    for version, path in filter(None, map(probe, interpreter_candidates())):
        if version >= (3, 10):
            found.setdefault(version, path)
    return dict(sorted(found.items()))


def wanted_interpreters(names: list[str] | None) -> dict[Version, Path]:
    """Return the interpreters to test with: all of them, or those given by version or path."""
    every = interpreters()
    if not names:
        return every
    chosen: dict[Version, Path] = {}
    for name in names:
        by_version = {version: path for version, path in every.items() if name == "{}.{}".format(*version)}
        by_path = probe(Path(name)) if os.sep in name else None
        chosen |= dict([by_path]) if by_path else by_version
        if not by_path and not by_version:
            raise Stop(f"no working CPython {name} found")
    return dict(sorted(chosen.items()))


# Commands of this script


def require_toolchain(*, checks: bool) -> None:
    """Raise Stop if a required program is missing."""
    if output_of("cargo", "--version") is None:
        raise Stop("cargo is missing: install Rust from https://rustup.rs")
    for component in ["clippy", "fmt"] if checks else []:
        if output_of("cargo", component, "--version") is None:
            raise Stop(f"cargo {component} is missing: rustup component add clippy rustfmt")
    if os.name != "nt" and not any(map(shutil.which, ["cc", "gcc", "clang"])):
        raise Stop("a C compiler is missing: Rust links with cc (Debian, Ubuntu: apt install gcc)")


def prepare(steps: Steps) -> None:
    """Create .venv, if possible with the Python that runs this file, and install nox into it."""
    if output_of(PYTHON, "-c", "import pip") is None:
        this = probe(Path(sys.executable))
        base = this[1] if this else next(reversed(interpreters().values()), None)
        if base is None:
            raise Stop("this Python cannot make virtual environments (Debian, Ubuntu: apt install python3-venv)")
        steps.require("make .venv", base, "-m", "venv", "--clear", VENV, limit=INSTALL_LIMIT)
    installed = VENV / "installed.txt"
    if not installed.exists() or installed.read_text() != REQUIREMENTS.read_text():
        pip = (PYTHON, "-m", "pip", "install", "--quiet", "-r", REQUIREMENTS)
        steps.require("install nox into .venv", *pip, limit=INSTALL_LIMIT)
        installed.write_text(REQUIREMENTS.read_text())


def nox(*names: str, arguments: Iterable[str] = ()) -> list[str | Path]:
    """Return the command that runs sessions of noxfile.py."""
    rest = ("--", *arguments) if arguments else ()
    return [PYTHON, "-m", "nox", "--no-error-on-missing-interpreters", "--session", *names, *rest]


def session(steps: Steps, name: str, *arguments: str, limit: float, is_last: bool = False, processes: int = 0) -> bool:
    """Run a session of noxfile.py; return False if it failed."""
    return steps.run(name, *nox(name, arguments=arguments), limit=limit, is_last=is_last, processes=processes)


def test(steps: Steps, names: list[str] | None, arguments: list[str]) -> None:
    """Run everything. The Rust tests and the newest Python come last: their summaries end the output."""
    pythons = wanted_interpreters(names)
    PATH_PREFIX[:] = [str(path.parent) for path in pythons.values()]
    versions = ["{}.{}".format(*version) for version in pythons]
    say("dev.py: testing with Python " + ", ".join(versions))
    beside = [steps.start("lint", *nox("lint"), limit=COMPILE_LIMIT, is_beside=True)]
    is_built = session(steps, "wheel", "--profile", "checks", limit=COMPILE_LIMIT)
    # With crates that the wheel has compiled, so not beside it.
    beside.append(steps.start("rust", *nox("rust"), limit=COMPILE_LIMIT, is_beside=True))
    cores = 0
    if is_built and not arguments:  # The arguments are for the tests below.
        if max(pythons) >= PLUGINS_PYTHON:
            # They are few and long: beside the others, no core has to wait for the last of them.
            name = f"plugins-{versions[-1]}"
            beside.append(steps.start(name, *nox(name), limit=PYTEST_LIMIT, is_beside=True))
            cores = os.cpu_count() or 1
        session(steps, "docs", limit=INSTALL_LIMIT)
        session(steps, f"browser-{versions[-1]}", limit=PYTEST_LIMIT)
    if is_built:
        session(steps, f"oldest-{versions[0]}", *arguments, limit=PYTEST_LIMIT, processes=cores)
        # Everything runs with the newest versions; with others, the tests that depend on them.
        for version in versions[1:-1]:
            session(steps, f"version-{version}", *arguments, limit=PYTEST_LIMIT, processes=cores)
    for step in beside:
        steps.finish(step)
    if is_built:
        session(steps, f"tests-{versions[-1]}", *arguments, limit=PYTEST_LIMIT, is_last=True)


def plugins(steps: Steps, arguments: list[str]) -> None:
    """Compare plugins under pytest-xdist and rustpar, and write the table in docs/plugins.md."""
    newest = max(interpreters().items())
    PATH_PREFIX[:] = [str(newest[1].parent)]
    name = "plugins-{}.{}".format(*newest[0])
    if session(steps, "wheel", limit=COMPILE_LIMIT):
        session(steps, name, "--write-table", *arguments, limit=PYTEST_LIMIT)


def with_wheel(steps: Steps, name: str, arguments: list[str], limit: float) -> None:
    """Build the wheel, then run a session that needs it."""
    if session(steps, "wheel", limit=COMPILE_LIMIT):
        session(steps, name, *arguments, limit=limit, is_last=True)


def command_line() -> tuple[argparse.Namespace, list[str]]:
    """Parse the command line; return options, and the arguments for pytest, the demo or the benchmark."""
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("dev.py", description=__doc__, formatter_class=as_written)
    names = "demo|test|develop|check|plugins|docs|build|bench"
    commands = parser.add_subparsers(dest="command", required=True, metavar=names)
    tests = commands.add_parser("test", allow_abbrev=False)
    tests.add_argument("--python", action="append", metavar="X", help="only this version or path; repeatable")
    for name in ("demo", "plugins", "bench"):
        commands.add_parser(name, add_help=False, allow_abbrev=False)
    for name in ("develop", "check", "docs", "build"):
        commands.add_parser(name)
    options, rest = parser.parse_known_args()
    if rest and options.command in ("develop", "check", "docs", "build"):
        parser.error(f"{options.command} takes no arguments: {' '.join(rest)}")
    return options, rest


def main() -> int:
    """Run one subcommand and return the exit status."""
    options, rest = command_line()
    steps = Steps()
    # SIGTERM ends the commands in the same way as Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        require_toolchain(checks=options.command in ("test", "check"))
        prepare(steps)
        if options.command == "test":
            test(steps, options.python, rest)
        elif options.command == "plugins":
            plugins(steps, rest)
        elif options.command == "demo":
            with_wheel(steps, "demo", rest, PYTEST_LIMIT)
        elif options.command == "bench":
            with_wheel(steps, "bench", rest, BENCH_LIMIT)
        else:
            name = {"check": "lint", "build": "wheel"}.get(options.command, options.command)
            session(steps, name, limit=COMPILE_LIMIT)
    except Stop as stop:
        say(f"\ndev.py: {stop}")
        return 1
    except KeyboardInterrupt:
        say("\ndev.py: interrupted")
        return 130
    finally:
        steps.kill()
    return steps.report()


if __name__ == "__main__":
    sys.exit(main())
