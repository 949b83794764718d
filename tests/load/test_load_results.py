"""What a load test is told to be: passed, failed, aborted, stopped, skipped, lost, and with which figures."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from tests.load.waiting import waiting

if TYPE_CHECKING:
    from tests.harness import Suite


def result_of(suite: Suite) -> dict[str, Any]:
    """Return the last result in the journal."""
    lines = (suite.path / "journal").read_text().splitlines()
    results: list[dict[str, Any]] = [json.loads(line) for line in lines if '"loadresult"' in line]
    return results[-1]


def test_only_marked_tests_run_and_their_figures_are_shown(suite: Suite) -> None:
    suite.test(
        """
        import pytest

        def test_other():
            assert 0

        @pytest.mark.load(users=4, iterations=100, thresholds="p(95)<10s, error_rate<1%, pay: max<10s, checks>99%")
        def test_it(load):
            with load.step("pay"):
                pass
            assert load.check("right", 1) is True
            load.counter("orders").add(2)
            load.gauge("queue").add(3)
            load.trend("size").add(1.5)
            load.rate("hits").add(load.iteration % 2 == 0, page="home")
        """
    )
    run = suite.run("--rustpar-load", "--rustpar-journal=journal", "--junitxml=junit.xml")
    assert run.ret == 0
    assert run.counts() == {"passed": 1, "deselected": 1}, run.text
    result = result_of(suite)
    metrics = {metric["name"]: metric for metric in result["metrics"]}
    assert result["iterations"] == metrics["iteration"]["count"] == metrics["pay"]["count"] == 100
    assert metrics["right"] | {"part": 100} == metrics["right"]
    assert (metrics["orders"]["value"], metrics["queue"]["value"]) == (200, 3)
    assert metrics["size"]["values"]["med"] == pytest.approx(1.5, rel=0.01)
    assert metrics["hits"]["count"] == metrics["hits{page:home}"]["count"] == 100
    assert [threshold["broken"] for threshold in result["thresholds"]] == [False] * 4
    section = "\n".join(run.section("load tests"))
    for part in ("4 users, 100 iterations", "pay ", "check right: 100.00 % (100 of 100)", "counter orders: 200"):
        assert part in section
    (case,) = ET.parse(suite.path / "junit.xml").iter("testcase")
    assert case.get("name") == "test_it"


def test_in_an_ordinary_run_it_is_an_ordinary_test(suite: Suite) -> None:
    suite.test(
        """
        import pytest

        @pytest.mark.load(users=4, iterations=100)
        def test_it(load):
            with load.step("pay", card="visa"):
                pass
            assert not load.check("right", 0)
            load.counter("orders").add(2)
            load.rate("hits").add(True)
            load.stop()
            assert (load.user, load.iteration, load.users) == (0, 0, 1.0)

        @pytest.mark.load(users=4, iterations=100)
        def test_failing(load):
            load.trend("size").add(7)
            assert 0
        """
    )
    for run_mode in ("plain", "template", "xdist"):
        run = suite.run_in(run_mode)
        assert run.counts() == {"passed": 1, "failed": 1}, run.text
        assert "trend size: 7" in run.out
        assert "orders" not in run.out


@pytest.mark.parametrize(
    ("mark", "body", "expected"),
    [
        ("users=2, duration='0.3s', thresholds='p(50)<1ms'", "pass", "p(50)<1ms is exceeded"),
        ("users=2, iterations=10, thresholds='none: count>0'", "pass", "nothing was measured under this name"),
        ("users=2, iterations=50", "assert load.iteration != 3", "iterations failed"),
        (
            "users=2, iterations=50, thresholds='error_rate<1%'",
            "assert load.iteration != 3",
            "error_rate<1% is exceeded",
        ),
        ("users=2, iterations=50, thresholds='checks>99%'", "load.check('x', load.iteration > 3)", "checks>99% is"),
        ("users=1, duration='60s', abort='error_rate>50% for 1s'", "assert 0", "aborted: error_rate>50% for 1s"),
    ],
)
def test_a_load_test_fails_for_a_reason(suite: Suite, mark: str, body: str, expected: str) -> None:
    suite.test(waiting(mark, body))
    run = suite.run("--rustpar-load")
    assert run.ret == 1
    assert run.counts() == {"failed": 1}, run.text
    assert expected in run.out


def test_the_first_failures_are_shown_once_each_with_their_users(suite: Suite) -> None:
    suite.test(waiting("users=2, iterations=60, thresholds='error_rate<100%'", "user = load.user; assert user == 5"))
    run = suite.run("--rustpar-load")
    assert run.counts() == {"failed": 1}, run.text
    assert run.out.count("_ failed: user 0, iteration ") == run.out.count("_ failed: user 1, iteration ") == 1
    assert "more alike" in run.out
    assert "error_rate<100% is exceeded: 100.00 %" in run.out


def test_a_load_test_that_allows_errors_passes_with_them(suite: Suite) -> None:
    suite.test(waiting("users=2, iterations=60, thresholds='error_rate<50%'", "assert load.iteration != 3"))
    assert suite.run("--rustpar-load").counts() == {"passed": 1}


def test_busy_processes_are_not_judged(suite: Suite) -> None:
    # As every second on a machine with other work may be spared, the limit is what is tested.
    suite.test(
        """
        import pytest, time

        @pytest.mark.load(rate=200, duration="3s", users=50, thresholds="p(95)<10s")
        async def test_it():
            # It blocks the event loop: whatever else is due starts late.
            time.sleep(0.02)
        """
    )
    run = suite.run("--rustpar-load", n="1")
    assert run.ret == 1
    assert "generator saturated, so the thresholds are not judged" in run.out
    assert "threshold p(95)<10s: not judged" in run.out


def test_the_history_keeps_the_durations_of_ordinary_runs(suite: Suite) -> None:
    suite.test(waiting("users=2, duration='0.5s'"))
    suite.run("--rustpar-history=history")
    before = (suite.path / "history").read_text()
    assert suite.run("--rustpar-history=history", "--rustpar-load").counts() == {"passed": 1}
    assert (suite.path / "history").read_text() == before


def test_each_second_is_an_event_of_the_journal(suite: Suite) -> None:
    suite.test(
        """
        import asyncio
        import pytest

        @pytest.mark.load(stages=[("1s", 4), ("2s", 4)])
        async def test_it(load):
            with load.step("wait"):
                await asyncio.sleep(0.01)
        """
    )
    run = suite.run("--rustpar-load", "--rustpar-journal=journal")
    assert run.counts() == {"passed": 1}, run.text
    events = [json.loads(line) for line in (suite.path / "journal").read_text().splitlines()]
    seconds = [event for event in events if event["e"] == "loadsecond"]
    assert [event["s"] for event in seconds if "step" not in event] == [1, 2, 3]
    assert [event["s"] for event in seconds if event.get("step") == "wait"] == [1, 2, 3]
    levels = [event["load"] for event in seconds if "step" not in event]
    assert [level["target"] for level in levels] == [4, 4, 4]
    assert levels[1]["users"] == 4
    result = result_of(suite)
    assert sum(event["n"] for event in seconds if "step" not in event) == result["iterations"]
    assert sum(level["started"] for level in levels) == result["started"] >= result["iterations"]


def test_output_logs_and_warnings_of_many_iterations_are_bounded(suite: Suite) -> None:
    suite.test(
        """
        import logging, sys, warnings
        import pytest

        @pytest.mark.load(users=2, duration="2500ms")
        def test_it(load):
            print("x" * 1000)
            logging.getLogger().error("y" * 1000)
            warnings.warn("again")
            assert load.iteration
        """
    )
    run = suite.run("--rustpar-load", n="1")
    assert run.counts() == {"failed": 1, "warnings": 1}, {key: value for key, value in run.counts().items()}
    assert len(run.out) < 1_000_000
    assert "only the first 64 KiB are kept" in run.out


def test_a_load_test_that_is_expected_to_fail(suite: Suite) -> None:
    suite.test(
        """
        import pytest

        @pytest.mark.xfail
        @pytest.mark.load(users=2, iterations=10)
        def test_fails():
            assert 0

        @pytest.mark.xfail(strict=True)
        @pytest.mark.load(users=2, iterations=10, thresholds="p(50)<1us")
        def test_strict():
            sum(range(10000))

        @pytest.mark.xfail
        @pytest.mark.load(users=2, iterations=10)
        def test_passes():
            pass

        @pytest.mark.xfail(strict=True)
        @pytest.mark.load(users=2, iterations=10)
        def test_passes_strictly():
            pass

        @pytest.mark.skip
        @pytest.mark.load(users=2, iterations=10)
        def test_skipped():
            pass
        """
    )
    run = suite.run("--rustpar-load")
    assert run.counts() == {"xfailed": 2, "xpassed": 1, "failed": 1, "skipped": 1}, run.text


def test_a_test_that_exits_has_failed_and_values_without_sense_are_refused(suite: Suite) -> None:
    suite.test(
        """
        import pytest

        @pytest.mark.load(users=2, iterations=10)
        def test_exit():
            raise SystemExit(3)

        @pytest.mark.load(users=2, iterations=10)
        def test_values(load):
            for value in (float("nan"), float("inf"), -1.0):
                with pytest.raises(ValueError, match="invalid value"):
                    load.trend("size").add(value)
            load.counter("change").add(-1)
            load.step("two\\nlines").__enter__().__exit__(None, None, None)
        """
    )
    run = suite.run("--rustpar-load")
    assert run.counts() == {"failed": 1, "passed": 1}, run.text
    assert "10 of 10 iterations failed" in run.out
    assert "  two lines  " in run.out
