"""The end of the main process: what would happen if the interpreter were taken apart, happens."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.harness import RUN_LIMIT

if TYPE_CHECKING:
    from tests.harness import Suite

TESTS = "def test_one(): pass\ndef test_two(): pass\n"

# What has an effect when a process ends. Workers have a variable that the main process has not.
ENDINGS = """
import atexit, os, pathlib, tempfile, threading, weakref

# Globals may be cleared before it is called.
def note(text, os=os, path=pathlib.Path(__file__)):
    if "PYTEST_XDIST_WORKER" not in os.environ:
        path.with_name(text).touch()

class Owner:
    def __del__(self, note=note):
        note("finalized")

class Cycle:
    pass

atexit.register(note, "exit-function")
OWNER = Owner()
DIRECTORY = tempfile.TemporaryDirectory(dir=os.path.dirname(__file__))
CYCLE = Cycle()
weakref.finalize(CYCLE, note, "finalizer")

def pytest_unconfigure():
    if "PYTEST_XDIST_WORKER" not in os.environ:
        threading.Thread(target=lambda: (threading.Event().wait(0.2), note("thread"))).start()
"""


def program(suite: Suite, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the suite's directory."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=suite.path, capture_output=True, text=True, timeout=RUN_LIMIT, check=False)


def test_exit_functions_finalizers_and_threads_are_waited_for(suite: Suite) -> None:
    suite.test(TESTS)
    suite.conftest(ENDINGS)
    run = program(suite, "-m", "pytest", "-n2")
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    names = {path.name for path in suite.path.iterdir()}
    assert {"exit-function", "finalized", "finalizer", "thread"} <= names
    assert not [name for name in names if name.startswith("tmp")]


# What is finalized only when the interpreter is taken apart, and says so.
NOTICED = {
    "object": "class Late:\n    def __del__(self, write=os.write): write(2, b'late')\nkeep(Late())",
    "memory": """
import io
class Late(io.StringIO):
    def __del__(self, write=os.write):
        write(2, b"late")
keep(Late())
""",
    "file": "file = open('late.txt', 'w')\nfile.write('late')\nkeep(file)",
    "generator": """
def suspended(write=os.write):
    try:
        yield
    finally:
        write(2, b"late")
started = suspended()
next(started)
keep(started)
""",
}

# Without any of them: the end of an object that nothing is told of but a weak reference.
UNNOTICED = """
class Late:
    pass
late = Late()
# The last one is freed first.
keep((weakref.ref(late, lambda _reference, write=os.write: write(2, b"late")), late))
del late
"""

KEEP = """
import os, sys, threading, types, weakref
def keep(value):
    if "PYTEST_XDIST_WORKER" not in os.environ:
        # Not one of the project's own modules.
        sys.modules["foreign"] = types.ModuleType("foreign")
        sys.modules["foreign"].value = value
"""


@pytest.mark.parametrize("kind", NOTICED)
def test_what_has_to_be_finalized_is_finalized(suite: Suite, kind: str) -> None:
    suite.test(TESTS)
    suite.conftest(KEEP + NOTICED[kind])
    run = program(suite, "-m", "pytest", "-n2")
    assert run.returncode == 0
    assert "late" in (suite.path / "late.txt").read_text() if kind == "file" else "late" in run.stderr


@pytest.mark.parametrize(
    "option", [(), ("-X", "dev"), ("-W", "ignore::SyntaxWarning")], ids=lambda option: "".join(option)
)
def test_the_interpreter_is_not_taken_apart_unless_it_is_watched(suite: Suite, option: tuple[str, ...]) -> None:
    suite.test(TESTS)
    suite.conftest(KEEP + UNNOTICED)
    run = program(suite, *option, "-m", "pytest", "-n2")
    assert run.returncode == 0
    assert ("late" in run.stderr) == bool(option)


@pytest.mark.parametrize(
    ("conftest", "status"),
    [
        ("def pytest_sessionfinish(session): session.exitstatus = 7", 7),
        (
            "import pytest\n@pytest.hookimpl(wrapper=True, tryfirst=True)\n"
            "def pytest_cmdline_main():\n    yield\n    return 9",
            9,
        ),
        ("def pytest_unconfigure(config):\n    if not hasattr(config, 'workerinput'): raise SystemExit(11)", 11),
        ("def pytest_unconfigure(config):\n    if not hasattr(config, 'workerinput'): raise ValueError", 1),
        ("import atexit, os\nif 'PYTEST_XDIST_WORKER' not in os.environ: atexit.register(print, 'the last word')", 0),
    ],
    ids=["session", "wrapper", "exit-in-unconfigure", "error-in-unconfigure", "output"],
)
def test_the_exit_status_and_the_output_are_those_of_plain_pytest(suite: Suite, conftest: str, status: int) -> None:
    suite.test(TESTS)
    suite.conftest(conftest)
    run = program(suite, "-m", "pytest", "-n2")
    assert run.returncode == status, run.stderr
    assert "2 passed" in run.stdout
    assert run.stdout.count("the last word") == ("the last word" in conftest)


def test_a_program_that_calls_pytest_goes_on(suite: Suite) -> None:
    suite.test(TESTS)
    calling = "import pytest; status = pytest.main(['-n2']); print('went on with', int(status)); raise SystemExit(5)"
    run = program(suite, "-c", calling)
    assert run.returncode == 5
    assert "went on with 0" in run.stdout


def test_a_closed_output_is_reported_as_by_plain_pytest(suite: Suite) -> None:
    suite.test(TESTS)
    statuses = []
    for arguments in (["-p", "no:rustpar"], ["-n2"]):
        command = [sys.executable, "-m", "pytest", *arguments]
        process = subprocess.Popen(command, cwd=suite.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.close()
        statuses.append(process.wait(RUN_LIMIT))
        assert process.stderr is not None
        process.stderr.close()
    assert statuses[0] == statuses[1]
