"""The end of the main process: whatever decides its exit status, or has an effect then, does so as without rustpar."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.harness import RUN_LIMIT

if TYPE_CHECKING:
    from tests.harness import Suite

# Of a conftest; workers have a variable that the main process has not.
IN_MAIN = "import os\nIS_MAIN = 'PYTEST_XDIST_WORKER' not in os.environ\n"


def run_program(suite: Suite, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the suite's directory."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=suite.path, capture_output=True, text=True, timeout=RUN_LIMIT, check=False)


@pytest.mark.parametrize("failing", [False, True], ids=["passed", "failed"])
@pytest.mark.parametrize(
    "program",
    [
        "import pytest, sys\nstatus = pytest.main()\nsys.exit(40 + status)",
        "import runpy, sys\ntry:\n    runpy.run_module('pytest', run_name='__main__', alter_sys=True)\n"
        "except SystemExit as end:\n    sys.exit(40 + end.code)",
    ],
    ids=["main", "runpy"],
)
def test_a_program_that_calls_pytest_decides_the_exit_status(suite: Suite, program: str, failing: bool) -> None:
    suite.test(f"def test_one(): assert {not failing}\ndef test_two(): pass\n")
    # The name must not make a difference.
    (suite.path / "bin").mkdir()
    (suite.path / "bin" / "pytest").write_text(program)
    run = run_program(suite, "bin/pytest", "-n2")
    assert run.returncode == 40 + failing, run.stdout + run.stderr


AT_THE_END = {
    "an exit function": """
import atexit, pathlib
@atexit.register
def last():
    if IS_MAIN:
        pathlib.Path("told").write_text("told")
""",
    "a file that an exit function leaves open": """
import atexit
@atexit.register
def last():
    if IS_MAIN:
        global out
        out = open("told", "w")
        out.write("told")
""",
    "an object of a frozen heap": """
import gc
class Late:
    def __del__(self, open=open):
        with open("told", "w") as out:
            out.write("told")
if IS_MAIN:
    late = Late()
    gc.collect()
    gc.freeze()
""",
}


@pytest.mark.parametrize("text", AT_THE_END.values(), ids=AT_THE_END)
def test_what_happens_at_the_end_of_an_interpreter_happens(suite: Suite, text: str) -> None:
    suite.test("def test_one(): pass\ndef test_two(): pass\n")
    suite.conftest(IN_MAIN + text)
    run = run_program(suite, "-m", "pytest", "-n2")
    assert (run.returncode, run.stderr) == (0, "")
    assert (suite.path / "told").read_text() == "told"
