"""With ``--dist each``, the replacement of a worker tries the test again in which that has crashed."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.journals import events, journals
from tests.reportfiles import output_of
from tests.retries.test_retries import COUNTER, flaky_lines

if TYPE_CHECKING:
    from tests.harness import Run, Suite

# Tests that are named by letters. Each ends the workers that CRASHES names for it.
TESTS = """
    import os
    import pytest

    CRASHES = {crashes!r}

    @pytest.mark.parametrize("name", {names!r})
    def test_it(name):
        worker = os.environ["PYTEST_XDIST_WORKER"]
        with open("ran", "a") as file:
            file.write(f"{{worker}} {{name}}\\n")
        if worker in CRASHES.get(name, ()):
            os._exit(3)
"""


def run_each(suite: Suite, crashes: dict[str, list[str]], *options: str, marks: str = "") -> Run:
    """Run tests a to d on two workers; `crashes` says which workers end in which test."""
    suite.test(TESTS.format(crashes=crashes, names=list("abcd")).replace("    @pytest", f"    {marks}\n    @pytest"))
    (suite.path / "ran").unlink(missing_ok=True)
    return suite.run("--dist=each", "--junitxml=report.xml", *options)


def ran(suite: Suite) -> dict[str, str]:
    """The names of the tests that each worker has started, in order."""
    found: dict[str, str] = {}
    for line in (suite.path / "ran").read_text().splitlines():
        worker, name = line.split()
        found[worker] = found.get(worker, "") + name
    return found


@pytest.mark.parametrize(
    ("crashed", "started"),
    [
        ("a", {"gw0": "a", "gw1": "abcd", "gw2": "abcd"}),
        ("b", {"gw0": "ab", "gw1": "abcd", "gw2": "bcd"}),
        ("d", {"gw0": "abcd", "gw1": "abcd", "gw2": "d"}),
    ],
)
@pytest.mark.parametrize("marks", ["", "@pytest.mark.serial", "@pytest.mark.resource('disk')"])
def test_the_replacement_tries_the_test_again_and_goes_on_with_the_others(
    suite: Suite, crashed: str, started: dict[str, str], marks: str
) -> None:
    run = run_each(suite, {crashed: ["gw0"]}, "--rustpar-retries=1", marks=marks)
    assert run.ret == 0, run.text
    assert run.counts() == {"passed": 7, "rerun": 1, "flaky": 1}
    assert ran(suite) == started
    assert f"FLAKY test_it.py::test_it[{crashed}]: passed in attempt 2" in run.lines


def test_workers_that_crash_in_the_same_test_have_a_retry_each(suite: Suite) -> None:
    run = run_each(suite, {"b": ["gw0", "gw1"]}, "--rustpar-retries=1")
    assert run.ret == 0, run.text
    assert run.counts() == {"passed": 6, "rerun": 2, "flaky": 2}
    assert flaky_lines(run) == {"FLAKY": 2}
    assert sorted(ran(suite).values()) == ["ab", "ab", "bcd", "bcd"]


def test_one_worker_may_fail_a_test_for_good_that_passes_in_the_other(suite: Suite) -> None:
    # Replacements are numbered in the order of the losses, so that of the first worker is gw2.
    crashes = {"b": ["gw0", "gw2"], "d": ["gw1"]}
    suite.conftest(
        """
        import os
        import time

        def pytest_runtest_setup(item):
            worker = os.environ["PYTEST_XDIST_WORKER"]
            # The other worker crashes only when the first has failed for good.
            while worker == "gw1" and "[d]" in item.name and not os.path.exists("failed"):
                time.sleep(0.01)
            if worker == "gw3":
                open("failed", "w").close()
        """
    )
    run = run_each(suite, crashes, "--rustpar-retries=1")
    assert run.ret == 1
    # gw0, gw2 and gw3 are one worker to the user; it fails b.
    assert run.counts() == {"passed": 6, "rerun": 2, "failed": 1, "flaky": 1}, run.text
    assert flaky_lines(run) == {"FAILED": 1, "FLAKY": 1}
    cases = ET.parse(suite.path / "report.xml").getroot().findall(".//testcase")
    tags = Counter((case.get("name"), *sorted(child.tag for child in case)) for case in cases)
    assert len(cases) == 8
    assert tags[("test_it[b]", "error", "rerunFailure")] == 1
    assert tags[("test_it[b]",)] == 1
    assert tags[("test_it[d]", "flakyFailure")] == 1


def test_a_test_is_tried_again_as_often_as_the_limit_allows(suite: Suite) -> None:
    always = {"c": [f"gw{number}" for number in range(20)]}
    run = run_each(suite, always, "--rustpar-retries=2")
    assert run.ret == 1
    assert run.counts() == {"passed": 6, "rerun": 4, "failed": 2}, run.text
    assert Counter("".join(ran(suite).values())) == {"a": 2, "b": 2, "c": 6, "d": 2}


def test_nothing_is_tried_again_by_a_worker_that_is_not_replaced(suite: Suite) -> None:
    run = run_each(suite, {"b": ["gw0"]}, "--rustpar-retries=1", "--max-worker-restart=0")
    assert run.ret == 1
    assert run.counts() == {"passed": 5, "failed": 1}, run.text
    run = run_each(suite, {"b": ["gw0", "gw2"]}, "--rustpar-retries=5", "--max-worker-restart=1")
    assert run.counts() == {"passed": 5, "rerun": 1, "failed": 1}, run.text


@pytest.mark.parametrize(("kinds", "outcomes"), [("crash", {"rerun": 1, "flaky": 1}), ("OSError", {"failed": 1})])
def test_the_kinds_of_failures_to_retry_apply(suite: Suite, kinds: str, outcomes: dict[str, int]) -> None:
    run = run_each(suite, {"b": ["gw1"]}, "--rustpar-retries=1", f"--rustpar-retry-on={kinds}")
    assert run.counts() == {"passed": 7, **outcomes}, run.text


@pytest.mark.parametrize(("retries", "outcomes"), [(2, {"rerun": 2, "flaky": 1}), (1, {"rerun": 1, "failed": 1})])
@pytest.mark.parametrize("dist", ["each", "loadfile"])
def test_a_crash_in_a_retry_by_the_same_worker_is_one_more_attempt(
    suite: Suite, dist: str, retries: int, outcomes: dict[str, int]
) -> None:
    suite.write({"counter.py": COUNTER})
    suite.test(
        """
        import os
        import pytest
        from counter import nth

        @pytest.fixture
        def attempt():
            number = nth("attempt")
            if number == 2:
                os._exit(3)
            return number

        def test_it(attempt):
            assert attempt > 1
        """
    )
    run = suite.run(f"--dist={dist}", f"--rustpar-retries={retries}", n="1")
    assert run.counts() == outcomes, run.text


def test_a_time_limit_is_retried_by_the_replacement(suite: Suite) -> None:
    suite.test(
        """
        import os
        import time

        def test_first():
            if os.environ["PYTEST_XDIST_WORKER"] == "gw0":
                time.sleep(600)

        def test_second():
            pass
        """
    )
    options = ("--dist=each", "--rustpar-retries=1", "--rustpar-timeout=2s")
    run = suite.run(*options, "--rustpar-retry-on=timeout", "--rustpar-retry-delay=100ms")
    assert run.counts() == {"passed": 3, "rerun": 1, "flaky": 1}, run.text


def test_the_journal_tells_whose_replacement_a_worker_is(suite: Suite) -> None:
    run = run_each(suite, {"b": ["gw0", "gw1"], "c": ["gw2"]}, "--rustpar-retries=1")
    assert run.ret == 0, run.text
    came = [event for event in events(journals(suite)[-1]) if event["e"] == "worker"]
    firsts = {event["w"]: event.get("first") for event in came}
    assert (firsts[0], firsts[1]) == (None, None)
    assert {firsts[2], firsts[3]} == {0, 1}
    assert firsts[4] == firsts[2]
    output_of(suite, "report", "--junit=from-journal.xml")
    cases = ET.parse(suite.path / "from-journal.xml").getroot().findall(".//testcase")
    tags = Counter(child.tag for case in cases for child in case)
    assert (len(cases), tags) == (8, {"flakyFailure": 3})
