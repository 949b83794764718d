"""What somebody gets told whose tests fail because workers share what nobody has seen."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Suite

# A name from the clock, which cannot be watched: with a template, all workers have the same.
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
SHARED = "forked from one template"


def doctor(suite: Suite, *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rustpar.cli", "doctor", *args]
    return subprocess.run(command, cwd=suite.path, capture_output=True, text=True, timeout=120)


def remove_places(suite: Suite) -> None:
    for path in suite.path.glob("*.here"):
        path.unlink()


def test_a_test_that_passed_before_and_fails_with_a_template_raises_a_doubt(suite: Suite) -> None:
    suite.test(NAMED_BY_THE_CLOCK)
    assert suite.run("--rustpar-start=early").counts() == {"passed": 3}
    remove_places(suite)
    run = suite.run()
    assert run.counts()["failed"] >= 1
    line = run.line(DOUBT)
    assert "--rustpar-start=early" in line
    assert SHARED in line
    assert "which tests ran before" in line
    assert run.lines.index(line) > run.lines.index(run.line("short test summary info"))
    assert "-n0" in line


def test_a_test_that_failed_before_raises_none(suite: Suite) -> None:
    suite.test("def test_one(): assert 0\ndef test_two(): pass\n")
    assert DOUBT not in suite.run().text
    assert DOUBT not in suite.run().text


@pytest.mark.parametrize(
    "fails",
    [
        """
        import unittest
        class TestIt(unittest.TestCase):
            def test_parts(self):
                with self.subTest(i=1): self.assertEqual(1, 2)
        """,
        """
        import pytest
        @pytest.fixture
        def skips():
            yield
            pytest.skip("behind the test")
        def test_call(skips): assert 0
        """,
        """
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
    ],
    ids=["subtest", "teardown that skips", "node id twice"],
)
def test_a_failure_that_pytest_forgets_raises_a_doubt_only_when_it_is_news(suite: Suite, fails: str) -> None:
    suite.conftest(
        """
        def pytest_collection_modifyitems(items):
            items += [item for item in items if item.name == "test_twice"]
        """
    )
    suite.write({"test_other.py": "def test_one(): pass\ndef test_two(): pass\n"})
    suite.run(n=None)
    suite.test(fails)
    assert DOUBT in suite.run().text
    run = suite.run()
    assert run.counts()["failed"]
    assert DOUBT not in run.text


def test_a_file_that_could_not_be_collected_before_raises_none(suite: Suite) -> None:
    suite.write({"test_it.py": "import nowhere\n", "test_other.py": "def test_one(): pass\ndef test_two(): pass\n"})
    for _ in range(2):
        run = suite.run("--continue-on-collection-errors")
        assert run.counts()["errors"] == 1
    assert DOUBT not in run.text


def test_early_workers_share_nothing_but_may_run_tests_behind_others(suite: Suite) -> None:
    suite.test("def test_one(): pass\ndef test_two(): pass\n")
    suite.run()
    suite.test("def test_one(): assert 0\ndef test_two(): pass\n")
    line = suite.run("--rustpar-start=early").line(DOUBT)
    for words in ("-n0", "rustpar doctor", "which tests ran before"):
        assert words in line
    for words in (SHARED, "early"):
        assert words not in line
    assert suite.run("--cache-clear").counts() == {"passed": 1, "failed": 1}


def test_where_the_longest_tests_begin_first_the_order_of_the_collection_is_a_way_to_find_out(suite: Suite) -> None:
    suite.test("def test_one(): pass\ndef test_two(): pass\n")
    suite.run()
    suite.test("def test_one(): assert 0\ndef test_two(): pass\n")
    assert "--rustpar-plan=collection" in suite.run("--rustpar-plan=duration").line(DOUBT)


def test_the_doctor_finds_tests_that_differ_with_a_template(suite: Suite) -> None:
    suite.test(
        """
        import time
        import pytest
        NAME = f"own-{time.time_ns()}"
        @pytest.fixture(scope="session")
        def claim(): open(NAME, "x").close()
        def test_one(claim): time.sleep(0.3)
        def test_two(claim): time.sleep(0.3)
        """
    )
    done = doctor(suite, "-n2")
    assert done.returncode == 1
    assert "plain pytest: passed, template: error, early: passed" in done.stdout
    assert "what workers share is the cause" in done.stdout
    assert "auto decides for template" in done.stdout


def test_the_doctor_says_what_auto_decides_and_why(suite: Suite) -> None:
    suite.test("import os\nNAME = os.environ.get('PYTEST_XDIST_WORKER')\ndef test_one(): pass\ndef test_two(): pass\n")
    done = doctor(suite)
    assert done.returncode == 0
    assert "All 2 tests have the same outcome in all three." in done.stdout
    assert "auto decides for early here:\n    test_it.py:2 reads PYTEST_XDIST_WORKER" in done.stdout


def test_the_doctor_shows_why_a_run_came_to_no_end(suite: Suite) -> None:
    done = doctor(suite, "--no-such-option")
    assert done.returncode == 2
    assert "unrecognized arguments: --no-such-option" in done.stderr
    assert "Traceback" not in done.stderr
