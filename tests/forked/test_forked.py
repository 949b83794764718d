"""``--rustpar-forked``: each test in a process of its own."""

from __future__ import annotations

import signal
import xml.etree.ElementTree as ET
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.harness import RUN_MODES

if TYPE_CHECKING:
    from tests.harness import Suite

# Shared fixtures note where they are set up and torn down.
CONFTEST = """
import os
import pytest

def note(what):
    file = os.open(os.path.join(os.path.dirname(__file__), "events"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, f"{what} {os.getpid()}\\n".encode())
    os.close(file)

@pytest.fixture(scope="session")
def of_session():
    note("session-up")
    yield []
    note("session-down")

@pytest.fixture(scope="module")
def of_module(of_session):
    note("module-up")
    yield []
    note("module-down")

@pytest.fixture
def own(of_module):
    note("own-up")
    yield
    note("own-down")
"""

CHANGES = """
import os
import pytest
import conftest

STATE = []

@pytest.mark.parametrize("number", range(6))
def test_it(own, of_session, of_module, number):
    assert STATE == of_session == of_module == []
    assert "CHANGED" not in os.environ
    assert not hasattr(conftest, "changed")
    STATE.append(number), of_session.append(number), of_module.append(number)
    os.environ["CHANGED"] = "1"
    conftest.changed = True
    os.chdir("/")
"""


@pytest.mark.parametrize("mode", RUN_MODES)
def test_what_a_test_changes_cannot_affect_another(suite: Suite, mode: str) -> None:
    suite.conftest(CONFTEST)
    suite.write({"test_one.py": CHANGES, "test_two.py": CHANGES})
    without = suite.run_in(mode)
    assert without.counts()["failed"] >= 8
    (suite.path / "events").unlink()
    run = suite.run_in(mode, "--rustpar-forked")
    assert run.counts() == {"passed": 12}, run.text
    events = [line.split() for line in (suite.path / "events").read_text().splitlines()]
    happened = Counter(what for what, _ in events)
    # Shared fixtures are set up in the process that all tests of a worker are forked from.
    workers = {pid for what, pid in events if what == "session-up"}
    assert len(workers) == happened["session-up"] == happened["session-down"]
    assert {pid for what, pid in events if what.startswith("module")} <= workers
    assert happened["module-up"] == happened["module-down"]
    assert happened["own-up"] == happened["own-down"] == 12
    assert len({pid for what, pid in events if what == "own-up"} - workers) == 12


def test_the_mark_selects_tests(suite: Suite) -> None:
    suite.test(
        """
        import os
        import pytest

        PARENT = os.getpid()

        @pytest.mark.forked
        def test_forked():
            assert os.getppid() == PARENT

        class TestAll:
            pytestmark = pytest.mark.forked

            def test_it(self):
                assert os.getppid() == PARENT

        def test_other():
            assert os.getpid() == PARENT
        """
    )
    assert suite.run("--strict-markers", n=None).counts() == {"passed": 3}


OUTCOMES = """
import os, sys, unittest, warnings
import pytest

def test_passes():
    print("printed by a test that passes")

def test_fails():
    print("standard output")
    print("standard error", file=sys.stderr)
    assert [1, 2] == [1, 3]

@pytest.mark.skip(reason="not now")
def test_skipped(of_module):
    pass

def test_skips():
    pytest.skip("not here")

@pytest.mark.xfail(reason="known")
def test_expected():
    assert False

@pytest.mark.xfail(strict=True)
def test_unexpected():
    pass

@pytest.mark.xfail(run=False)
def test_not_run(of_module):
    os._exit(1)

def test_warns():
    warnings.warn("careful")

@pytest.fixture
def broken():
    raise RuntimeError("in the set-up")

def test_error(broken):
    pass

@pytest.fixture
def broken_teardown():
    yield
    raise RuntimeError("in the teardown")

def test_error_in_teardown(broken_teardown):
    pass

@pytest.fixture(scope="module")
def broken_module():
    raise RuntimeError("in the set-up of a shared fixture")

def test_shared_error(broken_module):
    pass

def test_shared_error_again(broken_module):
    pass

def test_properties(record_property):
    record_property("key", "value")

class TestUnit(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.value = 1

    def test_value(self):
        self.assertEqual(self.value, 1)

    @unittest.skip("no")
    def test_skipped(self):
        pass

    def test_subtests(self):
        for number in range(3):
            with self.subTest(number=number):
                self.assertNotEqual(number, 1)
"""


@pytest.mark.parametrize("mode", ["plain", "template"])
def test_outcomes_and_reports_are_the_same(suite: Suite, mode: str) -> None:
    suite.conftest(CONFTEST)
    suite.test(OUTCOMES)
    arguments = ("-rA", "--junitxml=report.xml")
    before = suite.run_in(mode, *arguments)
    cases = ET.parse(suite.path / "report.xml").getroot().findall(".//testcase")
    run = suite.run_in(mode, *arguments, "--rustpar-forked")
    assert run.ret == before.ret == 1
    assert run.outcomes == before.outcomes
    assert run.counts() == before.counts()
    forked_cases = ET.parse(suite.path / "report.xml").getroot().findall(".//testcase")

    def told(found: list[ET.Element]) -> set[tuple[object, ...]]:
        return {(case.get("name"), *sorted((child.tag, child.get("message")) for child in case)) for case in found}

    assert told(forked_cases) == told(cases)
    for text in ("printed by a test that passes", "standard output", "standard error", "UserWarning: careful"):
        assert run.text.count(text) == before.text.count(text), text


@pytest.mark.parametrize("mode", ["plain", "template", "early"])
def test_pytest_exit_ends_the_run(suite: Suite, mode: str) -> None:
    suite.test("import pytest\ndef test_it(): pytest.exit('enough', returncode=7)")
    run = suite.run_in(mode, "--rustpar-forked")
    assert run.ret == 7
    assert "enough" in run.text


@pytest.mark.parametrize("mode", ["plain", "template"])
def test_an_interrupt_tears_down_the_test_and_what_it_shares(suite: Suite, mode: str) -> None:
    suite.conftest(CONFTEST)
    suite.test(
        """
        import time

        def test_it(own):
            open("running.here", "w").close()
            time.sleep(60)
        """
    )
    arguments = ("-p", "rustpar", "--rustpar-forked")
    process = suite.start(*arguments, n="0" if mode == "plain" else "1")
    suite.wait_for("running")
    process.send_signal(signal.SIGINT)
    assert suite.wait_for_exit(process).ret == 2
    happened = [line.split()[0] for line in (suite.path / "events").read_text().splitlines()]
    assert happened == ["session-up", "module-up", "own-up", "own-down", "module-down", "session-down"]


def test_a_time_limit_ends_the_process_of_the_test(suite: Suite) -> None:
    suite.test(
        """
        import time
        import pytest

        @pytest.mark.parametrize("number", range(4))
        def test_it(number):
            if number == 1:
                time.sleep(300)
        """
    )
    run = suite.run("--rustpar-forked", "--rustpar-timeout=1s")
    assert run.counts() == {"passed": 3, "failed": 1}
    assert "Timeout: the test ran longer than 1" in run.text


@pytest.mark.parametrize("mode", ["plain", "template", "early"])
def test_failed_tests_are_tried_again(suite: Suite, mode: str) -> None:
    suite.test(
        """
        import os
        import pytest

        @pytest.mark.parametrize("number", range(4))
        def test_it(number):
            with open(f"tries-{number}", "a") as file:
                file.write("x")
            assert os.path.getsize(f"tries-{number}") > 1
        """
    )
    run = suite.run_in(mode, "--rustpar-forked", "--rustpar-retries=2")
    assert run.counts() == {"flaky": 4, "rerun": 4}


@pytest.mark.parametrize("mode", ["plain", "template"])
def test_the_options_for_failures_count_those_in_forks(suite: Suite, mode: str) -> None:
    suite.test("import pytest\n@pytest.mark.parametrize('n', range(50))\ndef test_it(n): assert n < 3")
    run = suite.run_in(mode, "--rustpar-forked", "--maxfail=2")
    # Each of two workers may have started another test before it learns of the second failure.
    assert run.counts()["failed"] in ((2,) if mode == "plain" else (2, 3, 4))
    again = suite.run_in(mode, "--rustpar-forked", "--lf")
    assert again.counts() == {"failed": run.counts()["failed"]}


def test_a_property_of_the_suite_is_recorded(suite: Suite) -> None:
    suite.test("def test_it(record_testsuite_property): record_testsuite_property('key', 'value')")
    for mode in ("plain", "template"):
        run = suite.run_in(mode, "--rustpar-forked", "--junitxml=report.xml")
        assert run.ret == 0
        properties = ET.parse(suite.path / "report.xml").getroot().findall(".//testsuite/properties/property")
        assert [(one.get("name"), one.get("value")) for one in properties] == [("key", "value")], mode


def test_exit_functions_of_a_test_run_when_its_process_ends(suite: Suite) -> None:
    suite.test(
        """
        import atexit
        import pytest

        atexit.register(lambda: open("module", "a").write("x"))

        @pytest.mark.parametrize("number", range(3))
        def test_it(number):
            atexit.register(lambda: open("test", "a").write("x"))
        """
    )
    assert suite.run("--rustpar-forked", n=None).counts() == {"passed": 3}
    assert (suite.path / "test").read_text() == "xxx"
    assert (suite.path / "module").read_text() == "x"


def test_random_numbers_of_tests_differ(suite: Suite) -> None:
    suite.test(
        """
        import pytest, random

        @pytest.mark.parametrize("number", range(3))
        def test_it(number):
            open(f"drawn-{random.getrandbits(64)}", "x").close()
        """
    )
    assert suite.run("--rustpar-forked", n=None).counts() == {"passed": 3}
