"""The nox sessions for development, for CI and for ``python3 dev.py test``, which runs them one after another.

``nox --list`` lists them. ``dev.py`` needs nothing installed: it creates a virtual environment with nox, finds the
interpreters and sets a time limit for each session. Sessions with tests install the release wheel that the session
``wheel`` has built.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import nox

REQUIREMENTS = Path("tests", "requirements")
WHEELS = Path("target", "wheels")

PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]

# Tests that depend on the version of Python: bytecode, garbage collection, stack traces, exit functions, warnings about
# forks and threads, and the hook calls in C. They run on every version.
VERSION_DEPENDENT = (
    "tests/compat/test_warnings.py",
    "tests/controller/test_main_process_end.py",
    "tests/controller/test_memory_of_reports.py",
    "tests/fork_safety/test_resource_origins.py",
    "tests/fork_safety/test_test_data.py",
    "tests/process/test_crash_files.py::test_a_crash_report_has_the_stack_and_the_output",
    "tests/process/test_exit_functions.py::test_exit_functions_run_in_each_worker",
    "tests/process/test_garbage.py::test_a_heap_that_the_suite_has_frozen_stays_frozen",
    "tests/process/test_garbage.py::test_garbage_is_collected_at_the_end_of_a_session",
    "tests/process/test_garbage.py::test_garbage_of_the_collection_is_freed_before_the_fork",
    "tests/process/test_garbage.py::test_pools_are_not_filled_with_another_allocator",
    "tests/process/test_garbage.py::test_the_suite_sees_no_frozen_objects",
    "tests/process/test_state.py::test_the_main_thread_has_the_correct_native_id",
    "tests/process/test_state.py::test_the_state_of_a_worker_is_that_of_plain_pytest",
    "tests/warm/test_warm_modules.py::test_a_run_uses_the_modules_of_the_server",
    "tests/warm/test_warm_state.py::test_everything_is_as_in_a_new_process",
    "tests/worker/test_native_multicall.py",
    "tests/worker/test_native_multicall_in_workers.py",
)

# Tests that depend on the versions of pytest and pytest-xdist: configuration files, collection, hooks, schedulers,
# reports, output. With those above they run with the oldest versions. What is left runs with the newest: whether it is
# safe to fork, the processes, scheduling, the commands, the journal.
PYTEST_DEPENDENT = (
    "tests/collection/test_collection.py",
    "tests/collection/test_deselected.py",
    "tests/collection/test_fixtures.py",
    "tests/compat",
    "tests/config/test_configuration_files.py",
    "tests/controller/test_custom_schedulers.py",
    "tests/controller/test_listeners.py",
    "tests/controller/test_nodes_and_hooks.py",
    "tests/controller/test_outcomes.py",
    "tests/controller/test_reports.py",
    "tests/controller/test_stopping.py",
    "tests/forked",
    "tests/load/test_load_classes.py",
    "tests/load/test_load_users.py",
    "tests/once/test_life.py",
    "tests/terminal/test_output_isolation.py",
    "tests/terminal/test_reporter.py",
    "tests/watch/test_watch_checkpoints.py",
    "tests/watch/test_watch_runs.py",
    "tests/worker/test_next_item.py",
)

# pytest-xdist runs the tests, because rustpar itself could hide that it lost a test. They often wait for processes and
# limits: four of them kept two cores busy for 87 % of the time, five for 90 %.
PROCESSES = int(os.environ.get("TEST_PROCESSES") or (os.cpu_count() or 1) + 3)
PARALLEL = ("-p", "no:rustpar", "-n", str(PROCESSES))

# At most so many failed tests run again.
RERUN_LIMIT = 5

nox.needs_version = ">=2026.10"
# uv makes an environment in 2 s, where venv and pip take 15 s. As pip does, it has to compile what it installs, or the
# first tests would.
nox.options.default_venv_backend = "uv|venv"
os.environ["UV_COMPILE_BYTECODE"] = "1"
nox.options.download_python = "never"
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["lint", "wheel", "rust"]


def require(session: nox.Session, *files: str) -> None:
    """Install requirements files, given by their names without suffix."""
    session.install("--quiet", *(word for file in files for word in ("-r", str(REQUIREMENTS / f"{file}.txt"))))


def install_wheel(session: nox.Session) -> None:
    """Install the wheel in target/wheels."""
    wheels = list(WHEELS.glob("*.whl"))
    if len(wheels) != 1:
        session.error("there is no wheel in target/wheels: run the session `wheel` first")
    # Every wheel under test has the same version number, so pip must be told to replace an installed one.
    session.install("--quiet", "--force-reinstall", "--no-deps", str(wheels[0]))


def run_tests(session: nox.Session, *arguments: str, alone: tuple[str, ...] = ("-p", "no:rustpar")) -> None:
    """Run tests, then those that failed again with the arguments `alone`, as ``--rerun`` of CPython's test suite does.

    The tests start thousands of processes on machines that others use, too. A test that fails beside others and passes
    alone is told as flaky: it is a fault that must be found, but no reason to withhold everything else.
    """
    cache = Path(session.virtualenv.location, "pytest_cache").resolve()
    pytest = ("pytest", "-o", f"cache_dir={cache}")
    last_failed = cache / "v" / "cache" / "lastfailed"
    last_failed.unlink(missing_ok=True)
    try:
        session.run(*pytest, *arguments, *session.posargs)
    except nox.command.CommandFailed as error:
        # Status 1: all tests ran, and some failed. Many failures are not a matter of the company.
        have_all_run = error.return_code == 1 and last_failed.exists()
        failed = sorted(json.loads(last_failed.read_text())) if have_all_run else []
        if not 0 < len(failed) <= RERUN_LIMIT:
            raise
        session.log("running again, alone: " + ", ".join(failed))
        session.run(*pytest, *alone, *failed)
        session.warn("FLAKY, failed beside others and passed alone: " + ", ".join(failed))


@nox.session(tags=["lint"])
def lint(session: nox.Session) -> None:
    """Run the static checks of both languages."""
    require(session, "newest", "suite", "check")
    strict = ("--", "--deny", "warnings")
    session.run("cargo", "fmt", "--check", external=True)
    # All code: nothing depends on the absence of the feature.
    session.run("cargo", "clippy", "--quiet", "--all-targets", "--features=python,bench", *strict, external=True)
    session.run("ruff", "check", "--quiet")
    session.run("ruff", "format", "--check", "--quiet")
    session.run("mypy")


@nox.session
def wheel(session: nox.Session) -> None:
    """Build a wheel in target/wheels, and check the stubs of the native module against it.

    It is a release wheel; ``-- --profile checks`` builds one that is not optimized, and checks more when it runs.
    """
    require(session, "build", "newest", "check")
    for old in WHEELS.glob("*.whl"):
        old.unlink()
    # The wheel is only for this machine, so it needs no portable platform tag.
    profile = session.posargs or ["--release"]
    session.run("maturin", "build", *profile, "--quiet", "--out", str(WHEELS), "--compatibility", "linux")
    install_wheel(session)
    session.run("python", "-m", "mypy.stubtest", "rustpar._core")


@nox.session(venv_backend="none")
def develop(session: nox.Session) -> None:
    """Make an editable build in the environment that runs nox; changes in Python alone need no rebuild."""
    python = (sys.executable, "-m")
    files = (
        word for name in ("build", "newest", "suite", "check") for word in ("-r", str(REQUIREMENTS / f"{name}.txt"))
    )
    session.run(*python, "pip", "install", "--quiet", *files)
    session.run(*python, "maturin", "develop", "--quiet", "--profile", "develop")


@nox.session
def rust(session: nox.Session) -> None:
    """Run the Rust tests, which need no Python."""
    # Without debug information they compile in three quarters of the time; a panic names its line all the same.
    session.run("cargo", "test", "--profile", "checks", *session.posargs, external=True)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the whole suite with the newest pytest."""
    require(session, "newest", "suite")
    install_wheel(session)
    run_tests(session, *PARALLEL)


@nox.session(python=PYTHONS)
def oldest(session: nox.Session) -> None:
    """Run the tests that depend on pytest, with the oldest pytest and pytest-xdist; ``-- tests`` runs all."""
    require(session, "oldest", "suite")
    install_wheel(session)
    run_tests(session, *PARALLEL, *(() if session.posargs else (*VERSION_DEPENDENT, *PYTEST_DEPENDENT)))


@nox.session(python=PYTHONS)
def version(session: nox.Session) -> None:
    """Run the tests that depend on the version of Python, with the newest pytest."""
    require(session, "newest", "suite")
    install_wheel(session)
    # Here all runs are new processes, as those of users are; see tests/launcher.
    session.env["TEST_NEW_PROCESSES"] = "1"
    run_tests(session, *PARALLEL, *(() if session.posargs else VERSION_DEPENDENT))


@nox.session(python=PYTHONS[1:])
def plugins(session: nox.Session) -> None:
    """Compare popular plugins under pytest-xdist and rustpar; ``-- --write-table`` writes docs/plugins.md.

    The tests of load tests that need other packages run here, too.
    """
    require(session, "newest", "plugins")
    install_wheel(session)
    # The plugins are for the suites that these tests run in subprocesses, not for the tests themselves.
    # By file: the table of plugins is checked when all of them have been compared in one process.
    parallel = ("-p", "xdist", "-n", str(min(PROCESSES, 2)), "--dist", "loadfile")
    apart = ("--disable-plugin-autoload",)
    load = ("tests/load/test_http.py", "tests/load/test_otlp.py", "tests/load/test_load_event_loops.py")
    # Some plugins have to be imported by pytest.
    session.env["TEST_NEW_PROCESSES"] = "1"
    run_tests(session, *apart, *parallel, "tests/plugins", "tests/coverage", *load, alone=apart)


@nox.session(python=PYTHONS)
def browser(session: nox.Session) -> None:
    """Test the timeline page in Chromium, which must be installed on the system."""
    require(session, "newest", "browser")
    install_wheel(session)
    apart = ("--disable-plugin-autoload",)
    run_tests(session, *apart, "tests/browser", alone=apart)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation site in target/site; a broken link is an error."""
    require(session, "docs")
    session.run("mkdocs", "build", "--strict", "--quiet", *session.posargs)


@nox.session
def pictures(session: nox.Session) -> None:
    """Make the pictures in docs/pictures from a run with the wheel; needs Chromium on the system."""
    require(session, "newest", "browser", "pictures")
    install_wheel(session)
    session.run("python", "-m", "docs.pictures.make")


@nox.session
def demo(session: nox.Session) -> None:
    """Run the bundled example with plain pytest, pytest-xdist and the wheel."""
    require(session, "newest")
    install_wheel(session)
    session.run("python", "examples/demo.py", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Run the benchmarks of the wheel, pytest-xdist and plain pytest."""
    require(session, "newest", "bench")
    install_wheel(session)
    session.run("python", "benches/compare.py", *session.posargs)
