#!/usr/bin/env python3
"""Build, check, test and measure pytest-rustpar. Needs Python >= 3.10, Rust and a C compiler.

    python3 dev.py demo                               build a release wheel, install it, run examples/demo.py
    python3 dev.py test [--python X] [pytest args]    everything: checks, Rust tests, plugin tests
    python3 dev.py check                              the static checks alone
    python3 dev.py plugins [pytest args]              popular plugins side by side, and the table in docs/plugins.md
    python3 dev.py build                              a release wheel in target/wheels, installed into .venv
    python3 dev.py bench [args]                       benches/compare.py with that wheel

The virtual environments (.venv, and .venvs/ for the tests) are made when missing and brought up to date when
a requirements file has changed. Environment variables that would change what a test sees are not passed on,
and every command has a time limit: a test that hangs ends its step instead of holding up the run for ever.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 10):  # noqa: UP036 - this file is the one that older versions are told by
    sys.exit("dev.py: needs Python >= 3.10, this is {}.{}".format(*sys.version_info))

import argparse
import contextlib
import json
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
REQUIREMENTS = ROOT / "tests" / "requirements"
WHEELS = ROOT / "target" / "wheels"

# Seconds. Far above what a step takes on two cores, far below what a CI system grants the whole run.
TOOL_LIMIT = 300
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


def child_environment() -> dict[str, str]:
    """The environment of every command: no settings for Python and pytest, cargo on PATH."""
    dropped = re.compile(r"PYTHON|PYTEST|PY_COLORS|FORCE_COLOR|MYPY|RUSTPAR|VIRTUAL_ENV|COVERAGE|COV_CORE")
    environment = {name: value for name, value in os.environ.items() if not dropped.match(name)}
    cargo_home = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")
    environment["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), str(cargo_home / "bin")])
    environment["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    # One interpreter for every build, or PyO3 is compiled again whenever another one is found first.
    environment["PYO3_PYTHON"] = str(DEV.python)
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


@dataclass(frozen=True)
class Venv:
    """A virtual environment that knows which requirements have been installed into it."""

    path: Path

    @property
    def python(self) -> Path:
        """The interpreter in it."""
        return self.path / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @property
    def record(self) -> Path:
        """The file that holds the requirements as they were when they were installed."""
        return self.path / "installed.json"

    def install(self, steps: Steps, base: Path, *files: str, wheel: Path | None = None) -> None:
        """Make it if it is missing or broken, then install the requirements that changed, and the wheel."""
        where = self.path.relative_to(ROOT)
        if answers(self.python, "-c", "import pip") is None:
            steps.must(f"make {where}", base, "-m", "venv", "--clear", self.path, limit=INSTALL_LIMIT)
        pip = (self.python, "-m", "pip", "install", "--quiet")
        installed: dict[str, str] = json.loads(self.record.read_text()) if self.record.exists() else {}
        for file in files:
            source = REQUIREMENTS / file
            if installed.get(file) != source.read_text():
                steps.must(f"install {file} into {where}", *pip, "-r", source, limit=INSTALL_LIMIT)
                installed[file] = source.read_text()
                self.record.write_text(json.dumps(installed, indent=2))
        if wheel:
            # Every wheel under test has the same version number, so pip must be told to replace it.
            replace = ("--force-reinstall", "--no-deps", wheel)
            steps.must(f"install the wheel into {where}", *pip, *replace, limit=INSTALL_LIMIT)


# The plugin tests wait for processes most of the time. It is pytest-xdist that runs them two at a time: a plugin that
# loses a test must not be the one that says how many there were.
PARALLEL = ("-m", "pytest", "-p", "no:rustpar", "-n", "2")

# What a contributor works with: the tools, the newest pytest and the release wheel.
DEV = Venv(ROOT / ".venv")


def prepare(steps: Steps, *files: str, wheel: Path | None = None) -> None:
    """Bring .venv up to date; it is made with the Python that runs this file, if that one can."""
    this = probe(Path(sys.executable))
    base = this[1] if this else next(reversed(interpreters().values()), None)
    if base is None:
        raise Stop("this Python cannot make virtual environments (Debian, Ubuntu: apt install python3-venv)")
    DEV.install(steps, base, *files, wheel=wheel)


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


def check(steps: Steps) -> None:
    """The static checks of both languages."""
    prepare(steps, "newest.txt", "suite.txt", "check.txt")
    clippy = ("cargo", "clippy", "--quiet", "--all-targets")
    strict = ("--", "--deny", "warnings")
    python = (DEV.python, "-m")
    steps.run("cargo fmt", "cargo", "fmt", "--check", limit=TOOL_LIMIT)
    steps.run("cargo clippy", *clippy, *strict, limit=COMPILE_LIMIT)
    steps.run("cargo clippy, with Python", *clippy, "--features=python", *strict, limit=COMPILE_LIMIT)
    steps.run("ruff check", *python, "ruff", "check", "--quiet", limit=TOOL_LIMIT)
    steps.run("ruff format", *python, "ruff", "format", "--check", "--quiet", limit=TOOL_LIMIT)
    steps.run("mypy", *python, "mypy", limit=TOOL_LIMIT)


def build(steps: Steps) -> Path:
    """A release wheel, installed into .venv. One abi3 wheel serves every version of Python."""
    prepare(steps, "build.txt", "newest.txt", "suite.txt")
    for old in WHEELS.glob("*.whl"):
        old.unlink()
    maturin = (DEV.python, "-m", "maturin", "build", "--release", "--quiet", "--out", WHEELS)
    # A wheel for this machine needs no portable platform tag.
    steps.must("build the wheel", *maturin, "--compatibility", "linux", limit=COMPILE_LIMIT)
    (wheel,) = WHEELS.glob("*.whl")
    prepare(steps, wheel=wheel)
    return wheel


def plugin_tests(steps: Steps, wheel: Path, pythons: dict[Version, Path]) -> Iterator[tuple[str, Venv]]:
    """Where the plugin tests run: the oldest pytest on the oldest Python, then the newest on each."""
    oldest = next(iter(pythons))
    for version, kind in [(oldest, "oldest"), *((version, "newest") for version in pythons)]:
        number = "{}.{}".format(*version)
        venv = Venv(ROOT / ".venvs" / f"{number}-{kind}")
        name = f"pytest: Python {number}, {kind} pytest"
        try:
            venv.install(steps, pythons[version], f"{kind}.txt", "suite.txt", wheel=wheel)
        except Stop:
            continue  # The step that failed is on the list; the other environments can still say something.
        yield name, venv


def parts(environments: int) -> list[str | None]:
    """Which part of the plugin tests runs in each environment but the last; None for all of them.

    What differs between versions shows at the ends. In the first and the last environment every test runs, and once
    more in one of those between.
    """
    between = environments - 2
    return [None, *(f"{number}/{between}" for number in range(1, between + 1))][: max(0, environments - 1)]


def side_by_side(steps: Steps, wheel: Path, pythons: dict[Version, Path], *arguments: str) -> None:
    """Popular plugins under pytest-xdist and rustpar, with the newest Python."""
    version = max(pythons)
    if version < PLUGINS_PYTHON:
        say("\ndev.py: plugins side by side: left out, they need Python {}.{}".format(*PLUGINS_PYTHON))
        return
    venv = Venv(ROOT / ".venvs" / "{}.{}-plugins".format(*version))
    venv.install(steps, pythons[version], "newest.txt", "plugins.txt", wheel=wheel)
    # The plugins are for the suites that these tests run, not for the tests.
    pytest = (venv.python, "-m", "pytest", "--disable-plugin-autoload", "tests/plugins", "tests/coverage")
    steps.run("pytest: plugins side by side", *pytest, *arguments, limit=PYTEST_LIMIT)


def in_chromium(steps: Steps, wheel: Path, pythons: dict[Version, Path]) -> None:
    """The timeline page in a browser, with the newest Python. Where there is no Chromium, its tests say so and fail."""
    version = max(pythons)
    venv = Venv(ROOT / ".venvs" / "{}.{}-browser".format(*version))
    venv.install(steps, pythons[version], "newest.txt", "browser.txt", wheel=wheel)
    pytest = (venv.python, "-m", "pytest", "--disable-plugin-autoload", "tests/browser")
    steps.run("pytest: the timeline page in Chromium", *pytest, limit=PYTEST_LIMIT)


def test(steps: Steps, names: list[str] | None, arguments: list[str]) -> None:
    """Everything. The Rust tests and the newest Python come last: their closing lines end the output."""
    pythons = wanted_interpreters(names)
    say("dev.py: testing with Python " + ", ".join("{}.{}".format(*version) for version in pythons))
    check(steps)
    environments: list[tuple[str, Venv]] = []
    try:
        wheel = build(steps)
    except Stop:
        pass  # It is on the list of failures; the Rust tests can still say something.
    else:
        steps.run("stubtest", DEV.python, "-m", "mypy.stubtest", "rustpar._core", limit=TOOL_LIMIT)
        environments = list(plugin_tests(steps, wheel, pythons))
        if not arguments:  # They are meant for the tests below.
            with contextlib.suppress(Stop):
                side_by_side(steps, wheel, pythons)
            with contextlib.suppress(Stop):
                in_chromium(steps, wheel, pythons)
    for (name, venv), part in zip(environments[:-1], parts(len(environments)), strict=True):
        which = () if arguments or part is None else ("--part", part)
        named = f"{name}, part {part}" if which else name
        steps.run(named, venv.python, *PARALLEL, *which, *arguments, limit=PYTEST_LIMIT)
    steps.run("cargo test", "cargo", "test", limit=COMPILE_LIMIT)
    for name, venv in environments[-1:]:
        steps.run(name, venv.python, *PARALLEL, *arguments, limit=PYTEST_LIMIT, closing=True)


def plugins(steps: Steps, arguments: list[str]) -> None:
    """The plugins side by side, and the table that says what was found."""
    side_by_side(steps, build(steps), interpreters(), "--write-table", *arguments)


def demo(steps: Steps, arguments: list[str]) -> None:
    """The wheel as a user gets it, and the example run with it."""
    build(steps)
    steps.run("demo", DEV.python, "examples/demo.py", *arguments, limit=PYTEST_LIMIT, closing=True)


def bench(steps: Steps, arguments: list[str]) -> None:
    """The release wheel against pytest-xdist and plain pytest."""
    build(steps)
    prepare(steps, "bench.txt")
    steps.run("bench", DEV.python, "benches/compare.py", *arguments, limit=BENCH_LIMIT, closing=True)


def command_line() -> tuple[argparse.Namespace, list[str]]:
    """The command line, and what it holds for pytest, the demo or the benchmark."""
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("dev.py", description=__doc__, formatter_class=as_written)
    commands = parser.add_subparsers(dest="command", required=True, metavar="demo|test|check|plugins|build|bench")
    commands.add_parser("demo", add_help=False, allow_abbrev=False)
    tests = commands.add_parser("test", allow_abbrev=False)
    tests.add_argument("--python", action="append", metavar="X", help="only this version or path; repeatable")
    commands.add_parser("check")
    commands.add_parser("plugins", add_help=False, allow_abbrev=False)
    commands.add_parser("build")
    commands.add_parser("bench", add_help=False, allow_abbrev=False)
    options, rest = parser.parse_known_args()
    if rest and options.command in ("check", "build"):
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
        if options.command == "test":
            test(steps, options.python, rest)
        elif options.command == "check":
            check(steps)
        elif options.command == "build":
            say(f"\n{build(steps).relative_to(ROOT)}")
        elif options.command == "demo":
            demo(steps, rest)
        elif options.command == "plugins":
            plugins(steps, rest)
        else:
            bench(steps, rest)
    except Stop as stop:
        say(f"\ndev.py: {stop}")
        return 1
    except KeyboardInterrupt:
        say("\ndev.py: interrupted")
        return 130
    return steps.finish()


if __name__ == "__main__":
    sys.exit(main())
