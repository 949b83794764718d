"""The command `rustpar bisect`, which finds the fewest tests that make one fail."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.harness import RUN_LIMIT
from tests.journals import journals
from tests.reportfiles import error_of, words

if TYPE_CHECKING:
    from tests.harness import Suite

# Failures with one cause each, among tests that do nothing. `FIRST` is set in the run that is to be explained.
SUITE = """
    import os
    import time
    import pytest

    HERE = os.path.dirname(os.path.abspath(__file__))
    seen = []

    class Store:
        rows = []

    @pytest.mark.parametrize("x", range(10))
    def test_nothing(x): pass

    def test_fills(): seen.append("fills")
    def test_fills_more(): seen.append("more")

    @pytest.mark.parametrize("name", ["a b", "[x]::'y'", "é"])
    def test_named(name):
        if name != "a b":
            seen.append(name)

    class TestStore:
        def test_stores(self): Store.rows.append(1)
        def test_sets_a_variable(self): os.environ["LEFT_BEHIND"] = "1"

    @pytest.mark.parametrize("x", range(10))
    def test_nothing_else(x): pass

    def test_after_one(): assert "fills" not in seen
    def test_after_two(): assert not {"fills", "more"} <= set(seen)
    def test_after_a_name(): assert "[x]::'y'" not in seen

    class TestLater:
        def test_is_empty(self): assert not Store.rows

        @pytest.fixture
        def variables(self):
            assert "LEFT_BEHIND" not in os.environ

        def test_with_a_fixture(self, variables): pass

    def test_alone(): raise KeyError("always")
    def test_only_first(): assert "FIRST" not in os.environ
    def test_otherwise():
        assert "FIRST" not in os.environ, "at first"
        raise ValueError("later")
"""


def bisect(suite: Suite, *args: str) -> tuple[int, str, str]:
    """Run `rustpar bisect`; return its exit status, its output up to the result, and the result."""
    done = subprocess.run(words("bisect", *args), cwd=suite.path, capture_output=True, text=True, timeout=RUN_LIMIT)
    assert not done.stderr, done.stderr + done.stdout
    progress, _, result = done.stdout.partition("\n\n")
    return done.returncode, progress, result


def reproduced(suite: Suite, result: str) -> subprocess.CompletedProcess[str]:
    """Run the command that a result shows."""
    _, _, shown = result.partition("To reproduce it:\n")
    program, *arguments = shlex.split(shown)
    assert program in ("pytest", "rustpar")
    start = [sys.executable, "-m", "pytest"] if program == "pytest" else words()
    return subprocess.run([*start, *arguments], cwd=suite.path, capture_output=True, text=True, timeout=RUN_LIMIT)


def test_the_cause_of_a_failure_after_other_tests_is_found(suite: Suite) -> None:
    suite.test(SUITE)
    suite.run_with({"FIRST": "1"}, n=None)
    it = "test_it.py::"
    causes = {
        "test_after_one": ("fails after another test (order)", ["test_fills"]),
        "test_after_two": ("fails after these tests, which are all needed (order)", ["test_fills", "test_fills_more"]),
        "test_after_a_name": ("fails after another test (order)", ["test_named[[x]::'y']"]),
        "TestLater::test_is_empty": ("fails after another test (order)", ["TestStore::test_stores"]),
        "test_with_a_fixture": ("fails after another test (order)", ["TestStore::test_sets_a_variable"]),
        "test_alone": ("fails alone (the test alone)", []),
    }
    for name, (cause, before) in causes.items():
        status, progress, result = bisect(suite, name)
        assert status == 0
        test, _, found = result.splitlines()[0].partition(" ")
        assert test.endswith(name)
        assert found == cause, progress + result
        assert [line for line in result.splitlines() if line.startswith("  after ")] == [
            f"  after {it}{other}" for other in before
        ]
        assert "\n  pytest -n0 " in result, result
        # The others are shown in the same way; these are one with a name that needs quotes, and an error.
        if name not in ("test_after_a_name", "test_with_a_fixture"):
            continue
        done = reproduced(suite, result)
        assert (done.returncode, f"FAILED {test}" in done.stdout or f"ERROR {test}" in done.stdout) == (1, True)


def test_a_failure_that_does_not_occur_again_is_described(suite: Suite) -> None:
    suite.test(SUITE)
    suite.run_with({"FIRST": "1"}, n=None)
    status, _, result = bisect(suite, "test_only_first")
    assert status == 1
    assert result.splitlines()[:4] == [
        "test_it.py::test_only_first could not be made to fail:",
        "  alone: 1 time",
        "  after all that ran before it in its process: 1 time",
        "  with everything as in the run: 5 times",
    ]
    status, _, result = bisect(suite, "test_otherwise")
    assert (status, "It failed in another way: ValueError: later\n" in result) == (1, True)
    assert error_of(suite, "bisect", "test_named[a").endswith(
        "test_named[a b] did not fail; name a run in which it did: `rustpar runs` lists them"
    )
    assert "matches 3 tests: " in error_of(suite, "bisect", "test_after_*")


# In the run that is to be explained, tests that must meet wait for each other.
COMPANY = """
    import os
    import signal
    import socket
    import time
    import pytest
    from support import HERE, meet

    def together(me, other):
        if "FIRST" in os.environ:
            meet(me, other)

    @pytest.mark.parametrize("x", range(20))
    def test_nothing(x): pass

    @pytest.mark.xdist_group("holder")
    def test_holds_the_lock():
        together("holder", "taker")
        with open(os.path.join(HERE, "lock"), "x"):
            time.sleep(0.2)
        os.unlink(os.path.join(HERE, "lock"))

    @pytest.mark.xdist_group("taker")
    def test_takes_the_lock():
        together("taker", "holder")
        end = time.monotonic() + 0.1
        while time.monotonic() < end:
            assert not os.path.exists(os.path.join(HERE, "lock"))

    @pytest.mark.xdist_group("crash")
    def test_breaks(): os.environ["BROKEN"] = "1"

    @pytest.mark.xdist_group("crash")
    def test_crashes(): assert "BROKEN" not in os.environ or os.abort()

    @pytest.mark.xdist_group("hang")
    def test_blocks(): os.environ["BLOCKED"] = "1"

    @pytest.mark.xdist_group("hang")
    @pytest.mark.timeout(0.5)
    def test_hangs():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while "BLOCKED" in os.environ:
            time.sleep(0.01)
"""


def test_company_crashes_and_hangs_are_explained(suite: Suite) -> None:
    suite.test(COMPANY)
    suite.run_with({"FIRST": "1"}, "--dist=loadgroup")
    status, _, result = bisect(suite, "test_takes_the_lock")
    assert status == 0
    assert result.splitlines()[:2] == [
        "test_it.py::test_takes_the_lock fails beside another test (company)",
        "  beside test_it.py::test_holds_the_lock",
    ]
    done = reproduced(suite, result)
    assert (done.returncode, "AssertionError" in done.stdout) == (1, True), done.stdout + done.stderr
    for name, cause in (("test_crashes", "test_breaks"), ("test_hangs", "test_blocks")):
        status, progress, result = bisect(suite, name)
        assert status == 0
        assert result.splitlines()[:2] == [
            f"test_it.py::{name} fails after another test (order)",
            f"  after test_it.py::{cause}",
        ], progress


def test_a_failure_that_occurs_now_and_then_is_a_matter_of_timing(suite: Suite) -> None:
    suite.test(
        """
        import os
        def test_before(): pass
        def test_flaky():
            path = os.path.join(os.path.dirname(__file__), "times")
            with open(path, "a+") as file:
                file.write("x")
                times = file.tell()
            assert times % 2 == 0
        """
    )
    suite.run(n=None)
    Path(suite.path, "times").unlink()
    status, _, result = bisect(suite, "test_flaky")
    assert status == 0
    assert result.splitlines()[0] == "test_it.py::test_flaky fails alone, but not always (timing)"
    assert "It failed 2 of 3 times." in result


def test_the_cause_is_found_among_400_tests(suite: Suite, tmp_path: Path) -> None:
    for number in range(20):
        tests = "".join(f"def test_{index}(): pass\n" for index in range(20))
        suite.write({f"tests/test_{number:02}.py": "import pytest, state, support\n" + tests})
    mark = '@pytest.mark.xdist_group("{}")\ndef test_{}(): {}\n'
    special = {
        2: mark.format("order", "sets", "state.values.append(1)"),
        3: mark.format("a", "holds", "state.hold()"),
        16: mark.format("b", "needs", "state.need()"),
        17: mark.format("order", "reads", "assert not state.values"),
    }
    for number, text in special.items():
        with (suite.path / f"tests/test_{number:02}.py").open("a") as file:
            file.write(text)
    suite.write(
        {
            "state.py": """
            import os, time
            from support import HERE, meet
            values, lock = [], os.path.join(HERE, "lock")

            def hold():
                if "FIRST" in os.environ: meet("a", "b")
                open(lock, "w").close()
                time.sleep(0.2)
                os.unlink(lock)

            def need():
                if "FIRST" in os.environ: meet("b", "a")
                end = time.monotonic() + 0.1
                while time.monotonic() < end: assert not os.path.exists(lock)
            """,
            "pytest.ini": "[pytest]\npythonpath = .\n",
        }
    )
    suite.run_with({"FIRST": "1"}, "--dist=loadgroup", "tests")
    # On another machine, from a directory of the project.
    (journal,) = journals(suite)
    shutil.move(journal, tmp_path / "ci.jsonl")
    shutil.rmtree(suite.path / ".pytest_cache")
    for test, cause in (
        ("test_reads", "after tests/test_02.py::test_sets"),
        ("test_needs", "beside tests/test_03.py::test_holds"),
    ):
        done = subprocess.run(
            words("bisect", test, str(tmp_path / "ci.jsonl")),
            cwd=suite.path / "tests",
            capture_output=True,
            text=True,
            timeout=RUN_LIMIT,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"\n  {cause}\n" in done.stdout, done.stdout


@pytest.mark.parametrize("reason", ["conftest", "limit"])
def test_trials_that_cannot_be_run_are_explained(suite: Suite, reason: str) -> None:
    suite.test("import time\ndef test_fails(): assert 0\ndef test_sleeps(): time.sleep(2); assert 0\n")
    suite.run(n=None)
    if reason == "conftest":
        suite.conftest("raise RuntimeError('broken')")
        done = subprocess.run(
            words("bisect", "test_fails"), cwd=suite.path, capture_output=True, text=True, timeout=RUN_LIMIT
        )
        assert done.returncode == 2
        assert done.stderr.startswith("rustpar bisect: pytest ended instead of running trials:\n")
        assert "RuntimeError: broken" in done.stderr
    else:
        status, progress, result = bisect(suite, "test_sleeps", "--limit=1s")
        assert (status, "the time limit is reached" in progress) == (1, True)
        assert result.startswith("test_it.py::test_sleeps could not be made to fail:\n  alone: 0 times\n")
