"""Changes during a run, by others and by the run itself; warm runs, and runs without a terminal."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from tests.changed.project import commit
from tests.harness import RUN_LIMIT
from tests.watch.watching import BROKEN, HIGH, PACKAGE, PROGRAM, piped, runtime_directory, watching

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import Suite

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pseudo-terminals and processes are looked at in /proc")

# A test that waits if there is a file outside of the project.
WAITS = """
    import os, pathlib, time
    def test_waits():
        while os.path.exists(os.environ["WAIT"]):
            time.sleep(0.01)
"""

WRITES = """
    import os, pathlib, sqlite3, subprocess, time
    out = pathlib.Path(__file__).with_name("out.json")
    def test_writes():
        new = out.with_name("new.json")
        new.write_text(str(time.time_ns()))
        new.replace(out)
        with open(out.with_name("snapshot.txt"), "a") as file:
            file.write("x")
        pathlib.Path(f"{time.time_ns()}.log").write_text("")
        database = sqlite3.connect(f"file:{out.with_name('data.db')}?mode=rwc", uri=True)
        database.executescript("create table if not exists runs (number); insert into runs values (1)")
        database.close()
        directory = out.with_name("new")
        directory.mkdir()
        (directory / "out.txt").write_text(str(time.time_ns()))
        directory.rename(out.with_name(str(time.time_ns())))
"""

# Processes, of which the run does not know what they write.
STARTS = """
    import subprocess, time
    def test_starts():
        subprocess.run(["sh", "-c", f"echo {time.time_ns()} > tests/out.json; touch {time.time_ns()}.log"], check=True)
"""


@pytest.fixture
def wait(suite: Suite) -> Path:
    """A file outside the project: a test waits as long as it exists."""
    return suite.path.parent / f"wait-{suite.path.name}"


def test_changes_during_a_run_start_the_next_one(suite: Suite, wait: Path) -> None:
    wait.touch()
    commit(suite, {**PACKAGE, "tests/test_waits.py": WAITS})
    with watching(suite, environment={"WAIT": str(wait)}) as watch:
        watch.wait_for("test_waits.py")
        watch.change(low=BROKEN)
        watch.write({"tests/test_new.py": "def test_new(): pass\n"})
        assert watch.runs == 1
        wait.unlink()
        watch.wait_for_run(2)
        assert watch.ran() == [*HIGH, "test_new"]
        watch.does_not_run()


def test_after_ctrl_c_changes_wait_for_a_key_or_the_next_change(suite: Suite, wait: Path) -> None:
    wait.touch()
    commit(suite, {**PACKAGE, "tests/test_waits.py": WAITS})
    with watching(suite, environment={"WAIT": str(wait)}) as watch:
        watch.wait_for("test_waits.py")
        watch.change(low=BROKEN)
        watch.terminal.type(b"\x03")
        watch.wait_for_run(1)
        watch.wait_for("not run yet: what depends on low.py")
        watch.terminal.type(b"c")
        watch.wait_for_run(2)
        assert watch.ran() == HIGH


def test_a_run_that_two_interrupts_have_ended_has_not_seen_the_changes(suite: Suite, wait: Path) -> None:
    # The second one arrives while pytest handles the first.
    second = "def pytest_keyboard_interrupt(): raise KeyboardInterrupt\n"
    commit(suite, {**PACKAGE, "conftest.py": second, "tests/test_waits.py": f"import low\n{dedent(WAITS)}"})
    with watching(suite, environment={"WAIT": str(wait)}) as watch:
        watch.wait_for_run(1)
        wait.touch()
        watch.change(low=BROKEN)
        watch.terminal.wait(lambda: watch.runs == 2 and "test_waits.py" in watch.last().partition("FAILED")[2])
        watch.terminal.type(b"\x03")
        watch.wait_for("rustpar watch: interrupted after")
        watch.wait_for("not run yet: what depends on low.py")


def test_a_run_that_stops_at_a_failure_has_not_seen_the_changes(suite: Suite) -> None:
    commit(suite, PACKAGE)
    with watching(suite, "-x") as watch:
        watch.wait_for_run(1)
        watch.change(low=BROKEN)
        watch.wait_for_run(2)
        assert watch.ran() == ["test_high"]
        watch.wait_for("the run was cut short")
        watch.change(low="VALUE = 2\n")
        watch.wait_for_run(3)
        assert watch.ran() == HIGH


@pytest.mark.parametrize(
    "arguments", [(), ("-n", "2"), ("-n", "2", "--rustpar-start=xdist")], ids=["plain", "n", "xdist"]
)
def test_what_the_tests_write_starts_no_run(suite: Suite, arguments: tuple[str, ...]) -> None:
    commit(suite, {**PACKAGE, "tests/test_writes.py": WRITES})
    with watching(
        suite, "--junitxml=junit.xml", "--rustpar-history=h.json", "--rustpar-journal=j", *arguments
    ) as watch:
        watch.wait_for_run(1)
        watch.write({"tests/test_new.py": "def test_new(): assert 0\n"})
        watch.wait_for_run(2)
        watch.wait_for("rustpar watch: 1 failed, 1 passed in")
        watch.terminal.type(b"a")
        watch.wait_for_run(3)
        watch.write({"tests/test_new.py": "def test_new(): pass\n"})
        watch.wait_for_run(4)
        watch.wait_for("rustpar watch: 2 passed in")


def test_what_processes_of_tests_write_starts_a_few_runs(suite: Suite) -> None:
    commit(suite, {**PACKAGE, "tests/test_starts.py": STARTS})
    with watching(suite) as watch:
        watch.wait_for("changed by every run, so it starts none: ")
        watch.wait_for("tests/out.json")
        # New files, and a file that first is new and then changes.
        assert watch.runs == 4
        # It starts runs for what others change.
        watch.write({"tests/test_new.py": "def test_new(): pass\n"})
        watch.terminal.wait(lambda: watch.runs == 5 and "waiting" in watch.last())
        assert "test_new" in watch.ran()


def test_runs_are_forks_of_the_warm_server(suite: Suite) -> None:
    commit(suite, PACKAGE)
    with watching(suite) as watch:
        watch.wait_for_run(1)
        assert "cold start (no server is running)" in watch.last()
        for value in range(50):
            watch.change(low=f"VALUE = {value % 9 + 2}\n")
            watch.wait_for_run(value + 2)
            assert watch.ran() == HIGH
            if "cold start" not in watch.last():
                break
        else:
            pytest.fail("no run was warm")
        watch.change(low=BROKEN)
        watch.wait_for_run(value + 3)
        watch.wait_for("1 failed, 1 passed in")


def test_without_a_terminal_it_runs_until_a_signal(suite: Suite) -> None:
    commit(suite, PACKAGE)
    for number in (signal.SIGTERM, signal.SIGINT):
        with piped(suite) as watch:
            watch.wait_for_run(1)
            (suite.path / "low.py").write_text(f"VALUE = {number + 10}\n")
            watch.wait_for_run(2)
            assert "1 failed, 1 passed in" in watch.text
            assert "\x1b" not in watch.text
            watch.process.send_signal(number)
            assert watch.process.wait(RUN_LIMIT) == -number
            assert "Traceback" not in watch.text


def test_a_usage_error_is_mended_while_it_waits(suite: Suite) -> None:
    commit(suite, {**PACKAGE, "pytest.ini": "[pytest]\naddopts = --unknown\n"})
    with watching(suite) as watch:
        watch.terminal.wait(lambda: "pytest does not accept the arguments or the configuration" in watch.text)
        watch.write({"pytest.ini": PACKAGE["pytest.ini"]})
        watch.wait_for_run(1)
        assert watch.ran() == [*HIGH, "test_other"]


def test_a_removed_project_is_an_error_of_one_line(suite: Suite) -> None:
    project = suite.path / "project"
    commit(suite.part("project"), PACKAGE)
    with watching(suite.part("project")) as watch:
        watch.wait_for_run(1)
        shutil.rmtree(project)
        assert watch.terminal.wait_for_exit() == 2
        assert f"rustpar watch: the project's directory {project} was removed" in watch.text
        assert watch.terminal.is_restored()


def test_the_help_names_the_keys(suite: Suite) -> None:
    command = [sys.executable, *PROGRAM, "-n", "2", "--help"]
    done = subprocess.run(command, cwd=suite.path, capture_output=True, text=True, timeout=RUN_LIMIT, check=True)
    assert "q, Ctrl-C  quit" in done.stdout


def test_an_exceeded_limit_of_the_kernel_is_an_error_that_says_what_to_do(suite: Suite) -> None:
    suite.write({**PACKAGE, **{f"d{number}/a.py": "" for number in range(20)}})
    limit = 'echo 5 > /proc/sys/user/max_inotify_watches && exec "$@"'
    command = ["unshare", "--user", "--map-root-user", "sh", "-c", limit, "sh", sys.executable, *PROGRAM]
    with runtime_directory() as variables:
        done = subprocess.run(
            command,
            cwd=suite.path,
            env=os.environ | variables,
            capture_output=True,
            text=True,
            timeout=RUN_LIMIT,
            check=False,
        )
    if "unshare" in done.stderr or "sh:" in done.stderr:
        pytest.skip("this needs namespaces of users")
    assert done.returncode == 2
    assert done.stderr.startswith("rustpar watch: the limit on watched directories is reached (5 of them): raise it")
    assert len(done.stderr.splitlines()) == 1
