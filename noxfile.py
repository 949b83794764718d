"""The sessions of this project: what people run, what CI runs, and what ``python3 dev.py test`` runs in a row.

``nox --list`` names them. ``dev.py`` needs nothing installed: it makes a virtual environment with nox, finds the
interpreters and gives each session a time limit. Sessions with tests use the wheel that the session ``wheel`` has
built, as a user would get it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nox

REQUIREMENTS = Path("tests", "requirements")
WHEELS = Path("target", "wheels")

PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]

# What differs between versions of Python: how it collects garbage, compiles conftests, writes stacks, calls exit
# functions, warns of forks and of threads. These run on every version, all others on the oldest and the newest.
VERSION_DEPENDENT = (
    "tests/compat/test_warnings.py",
    "tests/fork_safety/test_native_threads.py",
    "tests/fork_safety/test_test_data.py",
    "tests/process/test_crash_files.py",
    "tests/process/test_garbage.py",
    "tests/process/test_shutdown.py",
    "tests/process/test_state.py",
    "tests/worker",
)

# The tests wait for processes much of the time. It is pytest-xdist that runs them side by side: a plugin that loses a
# test must not be the one that says how many there were.
PARALLEL = ("-p", "no:rustpar", "-n", "2")

nox.needs_version = ">=2026.10"
nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["lint", "wheel", "rust"]


def require(session: nox.Session, *files: str) -> None:
    """Install requirements, each file by its name."""
    session.install("--quiet", *(word for file in files for word in ("-r", str(REQUIREMENTS / f"{file}.txt"))))


def install_wheel(session: nox.Session) -> None:
    """Install the wheel that was built last."""
    wheels = list(WHEELS.glob("*.whl"))
    if len(wheels) != 1:
        session.error("there is no wheel in target/wheels: run the session `wheel` first")
    # Every wheel under test has the same version number, so pip must be told to replace it.
    session.install("--quiet", "--force-reinstall", "--no-deps", str(wheels[0]))


@nox.session(tags=["lint"])
def lint(session: nox.Session) -> None:
    """The static checks of both languages."""
    require(session, "newest", "suite", "check")
    strict = ("--", "--deny", "warnings")
    session.run("cargo", "fmt", "--check", external=True)
    session.run("cargo", "clippy", "--quiet", "--all-targets", *strict, external=True)
    session.run("cargo", "clippy", "--quiet", "--all-targets", "--features=python", *strict, external=True)
    session.run("ruff", "check", "--quiet")
    session.run("ruff", "format", "--check", "--quiet")
    session.run("mypy")


@nox.session
def wheel(session: nox.Session) -> None:
    """A release wheel in target/wheels, and the types of the native module beside it."""
    require(session, "build", "newest", "check")
    for old in WHEELS.glob("*.whl"):
        old.unlink()
    # A wheel for this machine needs no portable platform tag.
    session.run("maturin", "build", "--release", "--quiet", "--out", str(WHEELS), "--compatibility", "linux")
    install_wheel(session)
    session.run("python", "-m", "mypy.stubtest", "rustpar._core")


@nox.session(venv_backend="none")
def develop(session: nox.Session) -> None:
    """An editable build into the environment that nox runs in: a change of Python alone needs no further one."""
    python = (sys.executable, "-m")
    files = (
        word for name in ("build", "newest", "suite", "check") for word in ("-r", str(REQUIREMENTS / f"{name}.txt"))
    )
    session.run(*python, "pip", "install", "--quiet", *files)
    session.run(*python, "maturin", "develop", "--quiet", "--profile", "develop")


@nox.session
def rust(session: nox.Session) -> None:
    """The tests of the engine; they need no Python."""
    session.run("cargo", "test", *session.posargs, external=True)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The whole suite, with the newest pytest."""
    require(session, "newest", "suite")
    install_wheel(session)
    session.run("pytest", *PARALLEL, *session.posargs)


@nox.session(python=PYTHONS)
def oldest(session: nox.Session) -> None:
    """The whole suite, with the oldest pytest and pytest-xdist."""
    require(session, "oldest", "suite")
    install_wheel(session)
    session.run("pytest", *PARALLEL, *session.posargs)


@nox.session(python=PYTHONS)
def version(session: nox.Session) -> None:
    """What differs between versions of Python, with the newest pytest."""
    require(session, "newest", "suite")
    install_wheel(session)
    session.run("pytest", *PARALLEL, *(session.posargs or VERSION_DEPENDENT))


@nox.session(python=PYTHONS[1:])
def plugins(session: nox.Session) -> None:
    """Popular plugins under pytest-xdist and rustpar; ``-- --write-table`` writes the table in docs/plugins.md."""
    require(session, "newest", "plugins")
    install_wheel(session)
    # The plugins are for the suites that these tests run, not for the tests.
    session.run("pytest", "--disable-plugin-autoload", "tests/plugins", "tests/coverage", *session.posargs)


@nox.session(python=PYTHONS)
def browser(session: nox.Session) -> None:
    """The timeline page in Chromium, which the system brings."""
    require(session, "newest", "browser")
    install_wheel(session)
    session.run("pytest", "--disable-plugin-autoload", "tests/browser", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation as a site, in target/site; a link that leads nowhere is an error."""
    require(session, "docs")
    session.run("mkdocs", "build", "--strict", "--quiet", *session.posargs)


@nox.session
def pictures(session: nox.Session) -> None:
    """The pictures in docs/pictures, from a run with the wheel; Chromium is the system's."""
    require(session, "newest", "browser", "pictures")
    install_wheel(session)
    session.run("python", "-m", "docs.pictures.make")


@nox.session
def demo(session: nox.Session) -> None:
    """The bundled example with plain pytest, pytest-xdist and the wheel."""
    require(session, "newest")
    install_wheel(session)
    session.run("python", "examples/demo.py", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """The wheel against pytest-xdist and plain pytest."""
    require(session, "newest", "bench")
    install_wheel(session)
    session.run("python", "benches/compare.py", *session.posargs)
