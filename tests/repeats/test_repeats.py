"""``--rustpar-repeat``: every test again and again, on all workers."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Suite

STARTS = ("template", "early")

TESTS = """
import unittest
import pytest

@pytest.fixture(scope="module")
def shared():
    return []

@pytest.fixture
def own():
    return []

@pytest.mark.parametrize("number", range(3))
def test_it(own, shared, number):
    assert own == []
    own.append(number)

class TestClass:
    value = 0

    def test_instance(self):
        self.value += 1
        assert self.value == 1

class TestUnit(unittest.TestCase):
    def setUp(self):
        self.values = []

    def test_unit(self):
        self.values.append(1)
        self.assertEqual(self.values, [1])

@pytest.mark.skip
def test_skipped():
    pass
"""


@pytest.mark.parametrize(
    ("start", "dist"),
    [("template", "load"), ("early", "load"), ("template", "worksteal"), ("early", "loadscope"), ("template", "each")],
)
def test_every_test_runs_so_often(suite: Suite, start: str, dist: str) -> None:
    suite.test(TESTS)
    run = suite.run(f"--rustpar-start={start}", f"--dist={dist}", "--rustpar-repeat=20")
    times = 40 if dist == "each" else 20
    assert run.ret == 0
    assert run.counts() == {"passed": 5 * times, "skipped": times}
    assert set(run.runs.values()) == {times}
    section = run.section("repeated tests")
    assert len(section) == 6
    assert all(f": {times} runs" in line for line in section)
    assert any(line.endswith(tuple("0123456789s")) and "median" in line for line in section)


def test_a_single_test_is_repeated_on_all_workers(suite: Suite) -> None:
    suite.test("import time\ndef test_it(): time.sleep(0.01)")
    run = suite.run("--rustpar-repeat=60", n="3")
    assert run.counts() == {"passed": 60}
    assert run.workers["test_it.py::test_it"] == {"gw0", "gw1", "gw2"}


def test_tests_are_repeated_for_so_long(suite: Suite) -> None:
    suite.test("import pytest, time\n@pytest.mark.parametrize('n', range(3))\ndef test_it(n): time.sleep(0.001)")
    # The time begins when the tests have been collected.
    suite.conftest("import time\ntime.sleep(1)")
    run = suite.run("--rustpar-repeat=1s")
    assert run.ret == 0
    assert run.counts()["passed"] > 20


FAILS_IN_THE_TENTH = """
COUNT = []

def test_it():
    COUNT.append(1)
    assert len(COUNT) != 10, "the tenth"

def test_other():
    pass
"""


def test_failures_are_counted_and_can_be_run_again(suite: Suite) -> None:
    suite.test(FAILS_IN_THE_TENTH)
    run = suite.run("--rustpar-repeat=50", "test_it.py::test_it")
    assert run.ret == 1
    failed = run.counts()["failed"]
    assert run.counts() == {"passed": 50 - failed, "failed": failed}
    section = run.section("repeated tests")
    assert re.match(rf"test_it.py::test_it: 50 runs, {failed} failed \(\d.00 %\); median .*, p95 .*, max ", section[0])
    assert re.match(r"    first in run \d+ \(gw\d\): AssertionError: the tenth", section[1])
    command = section[2].removeprefix("    run again: pytest ").split()
    assert command == ["test_it.py::test_it", "-n1", "--rustpar-repeat=10", "--rustpar-repeat-until=failure"]
    again = suite.run(*command, n=None)
    assert again.counts() == {"passed": 9, "failed": 1}


def test_the_first_failure_may_end_the_run(suite: Suite) -> None:
    suite.test(FAILS_IN_THE_TENTH)
    run = suite.run("--rustpar-repeat=10m", "--rustpar-repeat-until=failure", "-k", "test_it")
    assert run.ret == 2
    # The other worker may have failed at the same time.
    assert run.counts()["failed"] <= 2
    assert re.search("stopping after [12] failures", run.text)


@pytest.mark.parametrize("start", STARTS)
def test_a_crash_is_one_failure(suite: Suite, start: str) -> None:
    suite.test(
        """
        import os
        import pytest

        @pytest.mark.parametrize("number", range(4))
        def test_it(number):
            if number == 2 and not os.path.exists("crashed"):
                open("crashed", "w").close()
                os.kill(os.getpid(), 11)
        """
    )
    run = suite.run(f"--rustpar-start={start}", "--rustpar-repeat=25")
    assert run.counts() == {"passed": 99, "failed": 1}
    assert any("test_it[2]: 25 runs, 1 failed (4.00 %)" in line for line in run.section("repeated tests"))


def test_constraints_hold_in_all_rounds(suite: Suite) -> None:
    suite.test(
        """
        import os
        import pytest

        def alone():
            file = os.open("lock", os.O_CREAT | os.O_EXCL)
            os.close(file)
            os.unlink("lock")

        @pytest.mark.parametrize("number", range(3))
        @pytest.mark.resource("lock")
        def test_it(number):
            alone()

        @pytest.mark.serial
        def test_serial():
            alone()

        def test_other():
            pass
        """
    )
    run = suite.run("--rustpar-repeat=20", n="3")
    assert run.counts() == {"passed": 100}


def test_failed_tests_are_not_tried_again(suite: Suite) -> None:
    suite.test("import pytest\n@pytest.mark.flaky(reruns=3)\ndef test_it(): assert False")
    run = suite.run("--rustpar-repeat=5", "--rustpar-retries=2")
    assert run.counts() == {"failed": 5}


def test_shared_fixtures_are_set_up_once_per_worker(suite: Suite) -> None:
    suite.test(
        """
        import os
        import pytest

        @pytest.fixture(scope="session")
        def shared():
            with open("events", "a") as file:
                print(os.environ["PYTEST_XDIST_WORKER"], file=file)

        def test_it(shared):
            pass
        """
    )
    assert suite.run("--rustpar-repeat=30").counts() == {"passed": 30}
    assert set(Counter((suite.path / "events").read_text().split()).values()) == {1}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rustpar-repeat=5"], "--rustpar-repeat needs workers: add -n auto"),
        (["-n0", "--rustpar-repeat=5"], "--rustpar-repeat needs workers: add -n auto"),
        (["-n2", "--rustpar-repeat=0"], "invalid number of repetitions '0': expected a number, as in 200, or a time"),
        (["-n2", "--rustpar-repeat=often"], "invalid number of repetitions 'often'"),
        (["-n2", "--rustpar-repeat=5", "--rustpar-start=xdist"], "--rustpar-repeat does not work here: requested by"),
    ],
)
def test_what_is_impossible_is_refused(suite: Suite, arguments: list[str], message: str) -> None:
    suite.test("def test_it(): pass")
    run = suite.run(*arguments, n=None)
    assert run.ret == 4
    assert message in run.text
    assert "Traceback" not in run.text


def test_a_scheduler_written_in_python_is_refused(suite: Suite) -> None:
    suite.test("def test_it(): pass")
    suite.use_xdist_scheduler("Load")
    run = suite.run("--rustpar-repeat=5")
    assert run.ret == 4
    assert "--rustpar-repeat does not work with LoadScheduling, a scheduler written in Python" in run.text
