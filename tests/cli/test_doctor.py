"""`rustpar doctor`, and the hint after new failures: finding tests that fail because workers share undetected state."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.harness import RUN_LIMIT

if TYPE_CHECKING:
    from tests.harness import Suite

# A name derived from the clock, which cannot be monitored: with a template, all workers have the same name.
NAMED_BY_THE_CLOCK = """
    import time
    import pytest
    from support import meet
    NAME = f"own-{time.time_ns()}"
    def claim(name):
        open(name, "x").close()
    def test_one():
        meet("one", "two")
        claim(NAME)
    def test_two():
        meet("two", "one")
        claim(NAME)
    def test_three(): pass
"""
DOUBT = "failed that did not in the last run"


NAMES = ["plain pytest", "pytest-xdist", "rustpar", "rustpar, again", "rustpar, early"]


def doctor(suite: Suite, *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rustpar.cli", "doctor", *args]
    return subprocess.run(command, cwd=suite.path, capture_output=True, text=True, timeout=RUN_LIMIT)


def remove_places(suite: Suite) -> None:
    for path in suite.path.glob("*.here"):
        path.unlink()


def test_a_new_failure_with_a_template_prints_a_hint(suite: Suite) -> None:
    suite.test(NAMED_BY_THE_CLOCK)
    assert suite.run("--rustpar-start=early").counts() == {"passed": 3}
    remove_places(suite)
    run = suite.run()
    assert run.counts()["failed"] >= 1
    line = run.line(DOUBT)
    assert "--rustpar-start=early" in line
    assert "test order, parallel execution or state shared by forked workers" in line
    assert run.lines.index(line) > run.lines.index(run.line("short test summary info"))
    assert "-n0" in line


def test_a_test_that_failed_before_prints_no_hint(suite: Suite) -> None:
    suite.test("def test_one(): assert 0\ndef test_two(): pass\n")
    assert DOUBT not in suite.run().text
    assert DOUBT not in suite.run().text


# Failures that pytest's cache does not know, each of which is one.
NOT_IN_THE_CACHE = {
    "test_subtest.py": """
        import unittest
        class TestIt(unittest.TestCase):
            def test_parts(self):
                with self.subTest(i=1): self.assertEqual(1, 2)
    """,
    "test_teardown_that_skips.py": """
        import pytest
        @pytest.fixture
        def skips():
            yield
            pytest.skip("behind the test")
        def test_call(skips): assert 0
    """,
    "test_node_id_twice.py": """
        import os
        import time
        def test_twice():
            try:
                open(f"{os.getppid()}.begun", "x").close()
            except FileExistsError:
                time.sleep(0.5)
            else:
                assert 0
    """,
}


def test_a_failure_missing_from_the_cache_prints_a_hint_only_when_it_is_new(suite: Suite) -> None:
    suite.conftest(
        """
        def pytest_collection_modifyitems(items):
            items += [item for item in items if item.name == "test_twice"]
        """
    )
    suite.write({"test_other.py": "def test_one(): pass\ndef test_two(): pass\n"})
    suite.run(n=None)
    suite.write(NOT_IN_THE_CACHE)
    assert suite.run().line(DOUBT).startswith(f"rustpar: {len(NOT_IN_THE_CACHE)} tests failed that did not")
    run = suite.run()
    assert run.counts()["failed"]
    assert DOUBT not in run.text


def test_a_file_with_an_earlier_collection_error_prints_no_hint(suite: Suite) -> None:
    suite.write({"test_it.py": "import nowhere\n", "test_other.py": "def test_one(): pass\ndef test_two(): pass\n"})
    for _ in range(2):
        run = suite.run("--continue-on-collection-errors")
        assert run.counts()["errors"] == 1
    assert DOUBT not in run.text


def test_with_early_workers_the_hint_names_order_but_not_sharing(suite: Suite) -> None:
    suite.test("def test_one(): pass\ndef test_two(): pass\n")
    suite.run()
    suite.test("def test_one(): assert 0\ndef test_two(): pass\n")
    line = suite.run("--rustpar-start=early").line(DOUBT)
    assert "order" in line
    assert "-n0" in line
    assert "--rustpar-start" not in line
    assert suite.run("--cache-clear").counts() == {"passed": 1, "failed": 1}


def test_the_doctor_finds_tests_that_differ_with_a_template_and_needs_no_cache(suite: Suite) -> None:
    suite.test(
        """
        import os
        import time
        import pytest
        NAME = f"own-{time.time_ns()}"
        # Long enough for the other worker to come for its test, on a busy machine, too.
        PAUSE = 1.5 if "PYTEST_XDIST_WORKER" in os.environ else 0
        @pytest.fixture(scope="session")
        def claim(): open(NAME, "x").close()
        def test_one(claim): time.sleep(PAUSE)
        def test_two(claim): time.sleep(PAUSE)
        """
    )
    done = doctor(suite, "-n2", "-p", "no:cacheprovider")
    assert done.returncode == 1
    told = done.stdout.splitlines()
    where = told.index("test_it.py::test_one") if "test_it.py::test_one" in told else told.index("test_it.py::test_two")
    found = {line[4:18].strip(): line.split()[-1] for line in told[where + 1 : where + 6]}
    assert list(found) == NAMES
    # Which of the two tests fails is random.
    assert {found[name] for name in NAMES if name not in ("rustpar", "rustpar, again")} == {"passed"}
    assert "error" in (found["rustpar"], found["rustpar, again"])
    assert "state shared by workers is the cause" in done.stdout
    assert "auto chooses template" in done.stdout


def test_the_doctor_prints_the_decision_of_auto_and_its_reason_and_does_not_change_the_cache(suite: Suite) -> None:
    suite.test("import os\nNAME = os.environ.get('PYTEST_XDIST_WORKER')\ndef test_one(): pass\ndef test_two(): pass\n")
    suite.run()
    kept = sorted(str(path) for path in (suite.path / ".pytest_cache").rglob("*"))
    done = doctor(suite)
    assert sorted(str(path) for path in (suite.path / ".pytest_cache").rglob("*")) == kept
    assert done.returncode == 0
    assert "All 2 tests have the same outcome in all 5 runs." in done.stdout
    assert re.search(r"rustpar is [\d.]+ times as fast as plain pytest, and [\d.]+ times as fast as", done.stdout)
    assert [line[:14].strip() for line in done.stdout.splitlines()[1:6]] == NAMES
    assert "auto chooses early here:\n    test_it.py:2 reads PYTEST_XDIST_WORKER" in done.stdout


def test_the_doctor_shows_why_a_run_did_not_finish(suite: Suite) -> None:
    done = doctor(suite, "--no-such-option")
    assert done.returncode == 2
    assert "unrecognized arguments: --no-such-option" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_doctor_stops_a_run_that_hangs_and_names_its_test(suite: Suite) -> None:
    suite.test(
        """
        import os
        import time
        def test_one(): pass
        def test_two():
            # In a worker alone.
            while "PYTEST_XDIST_WORKER" in os.environ:
                time.sleep(0.1)
        """
    )
    done = doctor(suite, "--limit", "4s", "-n1")
    assert done.returncode == 1
    assert "The run 'pytest-xdist' was stopped after 4.00 s." in done.stdout
    assert "test_it.py::test_two" in done.stdout
    assert "did not end" in done.stdout
    assert "1 of 1 differing tests belong to a run that was stopped because it did not end" in done.stdout


def test_the_doctor_rejects_an_invalid_limit(suite: Suite) -> None:
    done = doctor(suite, "--limit", "soon")
    assert done.returncode == 2
    assert "invalid duration 'soon'" in done.stderr


def test_the_doctor_distinguishes_causes(suite: Suite) -> None:
    suite.test(
        """
        import os
        import pathlib
        import sys

        def is_first():
            path = pathlib.Path("been_here")
            first = not path.exists()
            path.write_text("")
            return first

        def history_knows():
            args = [argument for argument in sys.argv if argument.endswith("history.json")]
            return bool(args) and "template" in args[0] and pathlib.Path(args[0].partition("=")[2]).exists()

        def test_company(): assert "PYTEST_XDIST_WORKER" not in os.environ
        def test_order(): assert not history_knows()
        def test_flaky(): assert is_first()
        def test_always(): pass
        """
    )
    done = doctor(suite, "-n2")
    assert done.returncode == 1
    for words in (
        "differ under pytest-xdist in the same way",
        "differ between the first run and the second",
        "differ between two runs of plain pytest",
    ):
        assert f"1 of 3 differing tests {words}" in done.stdout, done.stdout


def test_a_pytest_run_inside_a_test_is_not_the_last_run(suite: Suite) -> None:
    suite.test(
        """
        import pathlib, pytest

        def test_inner(tmp_path):
            (tmp_path / "test_b.py").write_text("def test(): pass")
            assert pytest.main(["-q", f"--rootdir={pathlib.Path.cwd()}", str(tmp_path)]) == 0

        def test_bad(): assert 0
        """
    )
    run = suite.run("-p", "cacheprovider")
    assert run.counts() == {"passed": 1, "failed": 1}
    assert "did not in the last run" not in run.text
