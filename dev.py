#!/usr/bin/env python3
"""Build, check, test and measure pytest-rustpar. Needs Python >= 3.10, Rust and a C compiler.

    python3 dev.py demo                               build a release wheel, and run examples/demo.py with it
    python3 dev.py test [--python X] [pytest args]    everything: checks, Rust tests, plugin tests
    python3 dev.py develop                            an editable build in .venv, for work on the code
    python3 dev.py check                              the static checks alone
    python3 dev.py plugins [pytest args]              popular plugins side by side, and the table in docs/plugins.md
    python3 dev.py docs                               the documentation as a site, in target/site
    python3 dev.py build                              a release wheel in target/wheels
    python3 dev.py bench [args]                       benches/compare.py with that wheel

What each of them does is a session in noxfile.py. This makes the virtual environment .venv, with nox in it, and runs
the sessions. Environment variables that would change what a test sees are not passed on, and every session has a time
limit: a test that hangs ends its session instead of holding up the run for ever.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 10):  # noqa: UP036 - this file is the one that older versions are told by
    sys.exit("dev.py: needs Python >= 3.10, this is {}.{}".format(*sys.version_info))

import argparse
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent
REQUIREMENTS = ROOT / "tests" / "requirements" / "dev.txt"
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

# Seconds. Far above what a session takes on two cores, far below what a CI system grants the whole run.
INSTALL_LIMIT = 600
COMPILE_LIMIT = 1200
PYTEST_LIMIT = 1800
BENCH_LIMIT = 7200

Version = tuple[int, int]

# The oldest Python that the versions in tests/requirements/plugins.txt support.
PLUGINS_PYTHON: Version = (3, 11)


class Stop(Exception):
    """Nothing further can be done; the message is the one line to show."""


# Commands

# Directories of interpreters, where nox looks for them by name: pyenv's shims can be there and fail.
SEARCHED_FIRST: list[str] = []


def child_environment() -> dict[str, str]:
    """The environment of every command: no settings for Python and pytest, cargo on PATH."""
    dropped = re.compile(r"PYTHON|PYTEST|PY_COLORS|FORCE_COLOR|MYPY|RUSTPAR|VIRTUAL_ENV|COVERAGE|COV_CORE")
    environment = {name: value for name, value in os.environ.items() if not dropped.match(name)}
    cargo_home = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")
    environment["PATH"] = os.pathsep.join(
        [*SEARCHED_FIRST, os.environ.get("PATH", os.defpath), str(cargo_home / "bin")]
    )
    environment["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    # One interpreter for every build, or PyO3 is compiled again whenever another one is found first.
    environment["PYO3_PYTHON"] = str(PYTHON)
    return environment


def answers(*command: str | Path) -> str | None:
    """What a quick command prints; None if it is missing or fails (a pyenv shim can exist and fail)."""
    try:
        done = subprocess.run(command, env=child_environment(), capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a command and everything it started in its session."""
    if sys.platform == "win32":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def say(line: str) -> None:
    """Print a line of dev.py's own, in order with what the commands print."""
    print(line, flush=True)


@dataclass
class Steps:
    """Runs commands one after another, and remembers which of them failed."""

    failed: list[str] = field(default_factory=list)

    def run(self, name: str, *command: str | Path, limit: float, closing: bool = False) -> bool:
        """Run a command from the root of the repository and say how long it took; False if it failed.

        After a `closing` step that passed nothing is said: the command's own last line stays the last.
        """
        say(f"\n==> {name}")
        start = time.monotonic()
        process = subprocess.Popen(
            command, cwd=ROOT, env=child_environment(), stdin=subprocess.DEVNULL, start_new_session=True
        )
        try:
            status = process.wait(limit)
            problem = f"FAILED (exit status {status})" if status else ""
        except subprocess.TimeoutExpired:
            end(process)
            problem = f"ENDED at its limit of {limit:.0f} s"
        except BaseException:
            end(process)
            raise
        if problem:
            self.failed.append(name)
        if problem or not closing:
            say(f"    {problem or 'ok'}, {time.monotonic() - start:.1f} s")
        return not problem

    def must(self, name: str, *command: str | Path, limit: float) -> None:
        """Run a command that the rest of the work needs."""
        if not self.run(name, *command, limit=limit):
            raise Stop(f"failed: {name}")

    def finish(self) -> int:
        """Name the steps that failed, if any; the exit status."""
        if self.failed:
            say(f"\ndev.py: {len(self.failed)} failed: " + "; ".join(self.failed))
        return 1 if self.failed else 0


# Interpreters and virtual environments


def interpreter_candidates() -> Iterator[Path]:
    """Where a CPython may be: this one, python3.N on PATH, pyenv's versions."""
    yield Path(sys.executable)
    for directory in os.get_exec_path():
        for path in sorted(Path(directory).glob("python3.*")):
            if re.fullmatch(r"python3\.\d+(\.exe)?", path.name):
                yield path
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob("versions/*/bin/python"))


# abi3 wheels do not load in free-threaded builds; a pre-release says little about the plugin.
PROBE = """
import ensurepip, sys, sysconfig, venv
if (sys.implementation.name == "cpython" and sys.version_info.releaselevel == "final"
        and not sysconfig.get_config_var("Py_GIL_DISABLED")):
    print(*sys.version_info[:2], sys.executable)
"""


def probe(interpreter: Path) -> tuple[Version, Path] | None:
    """Version and true path of an interpreter that works and can make virtual environments."""
    found = re.fullmatch(r"(\d+) (\d+) (.+)\n", answers(interpreter, "-c", PROBE) or "")
    return ((int(found[1]), int(found[2])), Path(found[3])) if found else None


def interpreters() -> dict[Version, Path]:
    """One CPython >= 3.10 for each minor version on this machine, oldest first."""
    found: dict[Version, Path] = {}
    for version, path in filter(None, map(probe, interpreter_candidates())):
        if version >= (3, 10):
            found.setdefault(version, path)
    return dict(sorted(found.items()))


def wanted_interpreters(names: list[str] | None) -> dict[Version, Path]:
    """The interpreters to test with: all of them, or those named by version or by path."""
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


# The work


def require_toolchain(*, checks: bool) -> None:
    """Stop with one line if a program that the work needs is missing."""
    if answers("cargo", "--version") is None:
        raise Stop("cargo is missing: install Rust from https://rustup.rs")
    for component in ["clippy", "fmt"] if checks else []:
        if answers("cargo", component, "--version") is None:
            raise Stop(f"cargo {component} is missing: rustup component add clippy rustfmt")
    if os.name != "nt" and not any(map(shutil.which, ["cc", "gcc", "clang"])):
        raise Stop("a C compiler is missing: Rust links with cc (Debian, Ubuntu: apt install gcc)")


def prepare(steps: Steps) -> None:
    """Make .venv, with the Python that runs this file if that one can, and nox in it."""
    if answers(PYTHON, "-c", "import pip") is None:
        this = probe(Path(sys.executable))
        base = this[1] if this else next(reversed(interpreters().values()), None)
        if base is None:
            raise Stop("this Python cannot make virtual environments (Debian, Ubuntu: apt install python3-venv)")
        steps.must("make .venv", base, "-m", "venv", "--clear", VENV, limit=INSTALL_LIMIT)
    installed = VENV / "installed.txt"
    if not installed.exists() or installed.read_text() != REQUIREMENTS.read_text():
        pip = (PYTHON, "-m", "pip", "install", "--quiet", "-r", REQUIREMENTS)
        steps.must("install nox into .venv", *pip, limit=INSTALL_LIMIT)
        installed.write_text(REQUIREMENTS.read_text())


def session(steps: Steps, name: str, *arguments: str, limit: float, closing: bool = False) -> bool:
    """Run a session of noxfile.py; False if it failed."""
    nox = (PYTHON, "-m", "nox", "--no-error-on-missing-interpreters", "--session", name)
    rest = ("--", *arguments) if arguments else ()
    return steps.run(name, *nox, *rest, limit=limit, closing=closing)


def test(steps: Steps, names: list[str] | None, arguments: list[str]) -> None:
    """Everything. The Rust tests and the newest Python come last: their closing lines end the output."""
    pythons = wanted_interpreters(names)
    SEARCHED_FIRST[:] = [str(path.parent) for path in pythons.values()]
    versions = ["{}.{}".format(*version) for version in pythons]
    say("dev.py: testing with Python " + ", ".join(versions))
    session(steps, "lint", limit=COMPILE_LIMIT)
    is_built = session(steps, "wheel", limit=COMPILE_LIMIT)
    if is_built and not arguments:  # These are meant for the tests below.
        session(steps, "docs", limit=INSTALL_LIMIT)
        if max(pythons) >= PLUGINS_PYTHON:
            session(steps, f"plugins-{versions[-1]}", limit=PYTEST_LIMIT)
        session(steps, f"browser-{versions[-1]}", limit=PYTEST_LIMIT)
    if is_built:
        session(steps, f"oldest-{versions[0]}", *arguments, limit=PYTEST_LIMIT)
        # What differs between versions shows in a part of the tests; all others run at both ends.
        for version in versions[1:-1]:
            session(steps, f"version-{version}", *arguments, limit=PYTEST_LIMIT)
    session(steps, "rust", limit=COMPILE_LIMIT)
    if is_built:
        session(steps, f"tests-{versions[-1]}", *arguments, limit=PYTEST_LIMIT, closing=True)


def plugins(steps: Steps, arguments: list[str]) -> None:
    """The plugins side by side, and the table that says what was found."""
    newest = max(interpreters().items())
    SEARCHED_FIRST[:] = [str(newest[1].parent)]
    name = "plugins-{}.{}".format(*newest[0])
    if session(steps, "wheel", limit=COMPILE_LIMIT):
        session(steps, name, "--write-table", *arguments, limit=PYTEST_LIMIT)


def with_wheel(steps: Steps, name: str, arguments: list[str], limit: float) -> None:
    """A session that needs the wheel, and nothing else."""
    if session(steps, "wheel", limit=COMPILE_LIMIT):
        session(steps, name, *arguments, limit=limit, closing=True)


def command_line() -> tuple[argparse.Namespace, list[str]]:
    """The command line, and what it holds for pytest, the demo or the benchmark."""
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
    """Run one subcommand; the exit status."""
    options, rest = command_line()
    steps = Steps()
    # A terminated run ends its commands as an interrupted one does.
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
    return steps.finish()


if __name__ == "__main__":
    sys.exit(main())
