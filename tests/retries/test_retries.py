"""Failed tests are tried again, and are told as flaky if they pass."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.harness import RUN_MODES
from tests.suite_modules import REMEMBER

if TYPE_CHECKING:
    from tests.harness import Run, Suite

# A helper for the suites: the number of the call with this name, in all processes.
COUNTER = """
    import itertools
    import pathlib

    def nth(name):
        for number in itertools.count(1):
            try:
                (pathlib.Path(__file__).parent / f"count.{name}.{number}").touch(exist_ok=False)
            except FileExistsError:
                continue
            return number
"""

# A test of each shape that fails once.
SHAPES = """
    import unittest
    import pytest
    from counter import nth

    def test_function():
        assert nth("function") > 1, "first line"

    def test_steady():
        pass

    def test_bad():
        raise ConnectionError("refused")

    @pytest.fixture(scope="session")
    def server():
        if nth("server") == 1:
            raise OSError("port in use")
        return 1

    def test_session_fixture(server):
        assert server == 1

    class TestCase(unittest.TestCase):
        def test_method(self):
            self.assertGreater(nth("method"), 1)

        def test_subtests(self):
            number = nth("subtests")
            for i in range(3):
                with self.subTest(i=i):
                    assert number > 1 or i != 1

    @pytest.mark.parametrize("failures", [1, 2])
    def test_parameters(failures):
        assert nth(f"parameters-{failures}") > failures

    @pytest.fixture
    def broken_teardown(request):
        yield
        # Code in a teardown is still told that its test has failed.
        assert request.node.report.failed == (nth("failed") == 1)
        assert nth("teardown") > 1

    def test_teardown_of_a_failed_test(broken_teardown):
        assert nth("call") > 1

    @pytest.mark.xfail
    def test_expected_failure():
        assert nth("expected") > 5

    @pytest.mark.serial
    def test_serial():
        assert nth("serial") > 1
"""


def outcomes(run: Run) -> dict[str, list[str]]:
    """The outcomes of the phases that count, for each test by its last name."""
    found: dict[str, list[str]] = {}
    for node_id, phases in run.outcomes.items():
        counted = [outcome for when, outcome, _ in phases if when == "call" or outcome != "passed"]
        found[node_id.rpartition("::")[2]] = counted
    return found


def flaky_lines(run: Run) -> Counter[str]:
    """How each test that was tried again has ended."""
    section = run.section("retried tests")
    return Counter(line.split()[0] for line in section if line and not line.startswith(" "))


@pytest.mark.parametrize("mode", RUN_MODES)
def test_a_test_that_passes_when_tried_again_is_flaky(suite: Suite, mode: str) -> None:
    suite.write({"counter.py": COUNTER})
    suite.conftest(REMEMBER)
    suite.test(SHAPES)
    run = suite.run_in(mode, "--rustpar-retries=2", "--junitxml=report.xml", "-rR")
    assert run.ret == 1
    counts = run.counts()
    # Seven tests fail once, and one twice; one fails in all three attempts.
    assert (counts["flaky"], counts["rerun"], counts["failed"], counts["passed"]) == (8, 11, 1, 1), run.text
    assert "error" not in counts
    assert flaky_lines(run) == {"FLAKY": 8, "FAILED": 1}
    assert "    attempt 1: AssertionError: first line" in [
        line.replace(" (gw0)", "").replace(" (gw1)", "") for line in run.lines
    ]
    assert sum(line.startswith("RERUN test_it.py") for line in run.lines) == 11
    assert outcomes(run)["test_bad"] == ["rerun", "rerun", "failed"]
    cases = ET.parse(suite.path / "report.xml").getroot().findall(".//testcase")
    assert len(cases) == 11
    tags = {case.get("name"): Counter(child.tag for child in case) for case in cases}
    assert tags["test_bad"] == {"failure": 1, "rerunFailure": 2}
    assert tags["test_parameters[2]"] == {"flakyFailure": 2}
    assert tags["test_teardown_of_a_failed_test"] == {"flakyFailure": 1}


def test_a_retry_runs_on_another_worker_and_after_a_delay_other_tests_run(suite: Suite) -> None:
    suite.write({"counter.py": COUNTER})
    suite.test(
        """
        import os
        import pytest
        from counter import nth

        def test_first():
            worker = os.environ["PYTEST_XDIST_WORKER"]
            if nth("first") == 1:
                open("worker", "w").write(worker)
                assert False
            assert open("worker").read() != worker

        @pytest.mark.parametrize("number", range(20))
        def test_other(number):
            pass
        """
    )
    run = suite.run("--rustpar-retries=1", "--rustpar-retry-delay=300ms", "--rustpar-flaky=fail")
    assert run.counts() == {"passed": 20, "rerun": 1, "flaky": 1}
    assert run.ret == 1
    assert "rustpar: the run fails, because of 1 flaky test (--rustpar-flaky=fail)" in run.lines


@pytest.mark.parametrize("mark", ["serial", "late", "resource('disk')"])
@pytest.mark.parametrize("others", [0, 20])
def test_a_retry_of_a_test_with_constraints_runs_on_another_worker(suite: Suite, mark: str, others: int) -> None:
    suite.write({"counter.py": COUNTER})
    suite.test(
        f"""
        import os
        import pytest
        from counter import nth

        @pytest.mark.{mark}
        def test_first():
            with open("workers", "a") as file:
                print(os.environ["PYTEST_XDIST_WORKER"], file=file)
            assert nth("first") > 1

        @pytest.mark.parametrize("number", range({others}))
        def test_other(number):
            pass
        """
    )
    run = suite.run(
        "--rustpar-retries=1", "--rustpar-retry-delay=200ms", "-o", "rustpar_order=*, late", "-o", "markers=late"
    )
    skipped = {} if others else {"skipped": 1}
    assert run.counts() == {"rerun": 1, "flaky": 1} | ({"passed": others} if others else skipped)
    first, second = (suite.path / "workers").read_text().split()
    assert first != second


@pytest.mark.parametrize("mode", ["plain", "template"])
def test_retries_may_come_after_all_other_tests(suite: Suite, mode: str) -> None:
    suite.write({"counter.py": COUNTER})
    suite.test(
        """
        import pytest
        from counter import nth

        @pytest.mark.parametrize("number", range(30))
        def test_it(number):
            order = nth("all")
            assert number != 3 or order > 30
        """
    )
    run = suite.run_in(mode, "--rustpar-retries=1", "--rustpar-retry-when=last")
    assert run.ret == 0
    assert run.counts() == {"passed": 29, "rerun": 1, "flaky": 1}


def test_a_crash_and_a_time_limit_are_retried_but_not_in_a_teardown_after_a_pass(suite: Suite) -> None:
    suite.write({"counter.py": COUNTER})
    suite.test(
        """
        import os
        import time
        import pytest
        from counter import nth

        def test_crash():
            if nth("crash") == 1:
                os._exit(3)

        def test_hang():
            if nth("hang") == 1:
                time.sleep(600)

        def test_always():
            os._exit(3)

        @pytest.fixture
        def deadly():
            yield
            os._exit(3)

        def test_passed(deadly):
            pass

        def test_failed(deadly):
            assert nth("failed") > 1

        def test_assertion():
            assert nth("assertion") > 1
        """
    )
    kinds = "--rustpar-retry-on=crash,timeout"
    run = suite.run("--rustpar-retries=1", "--rustpar-timeout=3s", kinds, "--max-worker-restart=20")
    assert outcomes(run)["test_crash"] == ["rerun", "passed"]
    assert outcomes(run)["test_hang"] == ["rerun", "passed"]
    assert outcomes(run)["test_always"] == ["rerun", "failed"]
    assert outcomes(run)["test_passed"] == ["passed", "failed"]
    assert outcomes(run)["test_assertion"] == ["failed"]
    # A crash in the teardown of an attempt that has failed belongs to it, whoever tries the test again.
    for dist in ("load", "loadfile"):
        for file in suite.path.glob("count.failed.*"):
            file.unlink()
        run = suite.run("--rustpar-retries=1", "-k", "test_failed", "--dist", dist)
        assert run.counts() == {"deselected": 5, "rerun": 1, "flaky": 1, "failed": 1}, run.text


def test_the_marker_sets_the_rule_of_a_test(suite: Suite) -> None:
    suite.write({"counter.py": COUNTER})
    suite.test(
        """
        import pytest
        from counter import nth

        @pytest.mark.flaky(reruns=2, reruns_delay=0.01)
        def test_twice():
            assert nth("twice") > 2

        @pytest.mark.flaky
        def test_bare():
            assert nth("bare") > 1

        @pytest.mark.flaky(3, only_rerun=["Value", KeyError])
        def test_only():
            if nth("only") == 1:
                raise KeyError("x")
            raise TypeError("x")

        @pytest.mark.flaky(reruns=3, rerun_except="assert")
        def test_except():
            assert nth("except") > 1

        @pytest.mark.flaky(reruns=1, condition="nth('condition') > 100")
        def test_condition():
            assert False

        @pytest.mark.flaky(runs=3)
        def test_misspelled():
            assert False
        """
    )
    for n in (None, "2"):
        for file in suite.path.glob("count.*"):
            file.unlink()
        run = suite.run(n=n)
        found = outcomes(run)
        assert found["test_twice"] == ["rerun", "rerun", "passed"]
        assert found["test_bare"] == ["rerun", "passed"]
        assert found["test_only"] == ["rerun", "failed"]
        assert found["test_except"] == ["failed"]
        assert found["test_condition"] == ["failed"]
        assert found["test_misspelled"] == ["failed"]
        assert "test_misspelled: invalid flaky mark: expected for example" in run.text


def test_kinds_of_failures_are_classes_their_bases_and_groups_of_them(suite: Suite) -> None:
    suite.test(
        """
        import sys
        import pytest

        def test_base():
            raise ConnectionRefusedError

        def test_dotted():
            import json
            json.loads("{")

        def test_other():
            raise KeyError

        @pytest.mark.skipif(sys.version_info < (3, 11), reason="no groups")
        @pytest.mark.parametrize("other", [False, True])
        def test_group(other):
            raise ExceptionGroup("group", [ConnectionResetError(), KeyError() if other else BrokenPipeError()])
        """
    )
    run = suite.run("--rustpar-retries=1", "--rustpar-retry-on=ConnectionError, json.decoder.JSONDecodeError", n=None)
    found = outcomes(run)
    assert found["test_base"] == found["test_dotted"] == ["rerun", "failed"]
    assert found["test_other"] == ["failed"]
    if found["test_group[False]"] != ["skipped"]:
        assert found["test_group[False]"] == ["rerun", "failed"]
        assert found["test_group[True]"] == ["failed"]


def test_a_retry_does_not_count_as_a_failure_and_a_stopped_run_has_none(suite: Suite) -> None:
    suite.write({"counter.py": COUNTER})
    suite.test(
        """
        import pytest
        from counter import nth

        @pytest.mark.parametrize("number", range(5))
        def test_it(number):
            assert nth(number) > 1

        @pytest.mark.flaky(reruns=0)
        def test_never():
            assert False

        @pytest.mark.parametrize("number", range(300))
        def test_later(number):
            pass
        """
    )
    run = suite.run("--rustpar-retries=1", "-x", n="1")
    assert "failed" in run.counts()
    assert run.counts()["failed"] == 1
    assert run.ret in (1, 2)
    assert "test_never" in " ".join(line for line in run.lines if line.startswith("FAILED"))
    # The failure of the last run is known to the next, and those that have passed at last are not.
    run = suite.run("--lf", n=None)
    assert set(outcomes(run)) == {"test_never"}


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--rustpar-retries=-1", "invalid number of retries '-1': expected a number from 0 to 1000"),
        ("--rustpar-retry-delay=1s*0", "invalid factor '0' of a delay"),
        ("--rustpar-retry-on=a b", "invalid kind of failure 'a b'"),
    ],
)
def test_an_invalid_option_is_explained(suite: Suite, option: str, message: str) -> None:
    suite.test("def test_it(): pass")
    run = suite.run("--rustpar-retries=1", option, n=None)
    assert run.ret == 4
    assert message in run.text


def test_each_worker_tries_again_on_its_own_with_each(suite: Suite) -> None:
    suite.write({"counter.py": COUNTER})
    suite.test(
        """
        import os
        from counter import nth

        def test_it():
            assert nth(os.environ["PYTEST_XDIST_WORKER"]) > 1
        """
    )
    run = suite.run("--rustpar-retries=1", "--dist", "each")
    assert run.counts() == {"rerun": 2, "flaky": 2}
