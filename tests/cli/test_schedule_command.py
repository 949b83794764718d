"""The command `rustpar schedule`, which shows how tests would be distributed without running them."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from rustpar import _core
from tests.harness import RUN_LIMIT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.harness import Suite

FOUR = "def test_one(): pass\ndef test_two(): pass\ndef test_three(): pass\ndef test_four(): pass\n"


def schedule(suite: Suite, *args: str) -> subprocess.CompletedProcess[str]:
    """Run `rustpar schedule`."""
    run = [sys.executable, "-m", "rustpar.cli", "schedule", *args]
    return subprocess.run(run, cwd=suite.path, capture_output=True, text=True, timeout=RUN_LIMIT)


def plan(suite: Suite, *args: str) -> str:
    """Run `rustpar schedule` successfully and return its output."""
    done = schedule(suite, *args)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout


def write_history(suite: Suite, seconds: Mapping[str, float]) -> None:
    """Write a history with these durations of tests in `test_it.py`."""
    recorder = _core.Recorder(_core.Journal())
    for name, took in seconds.items():
        for when in ("setup", "call", "teardown"):
            duration = took if when == "call" else 0.0
            location = ("test_it.py", 0, name)
            report = pytest.TestReport(f"test_it.py::{name}", location, {}, "passed", None, when, duration=duration)
            # Reported by a worker, whose durations are not checked; those of this process must agree with its clock.
            report.worker_id = "gw0"  # type: ignore[attr-defined]
            recorder.report(report)
    path = suite.path / ".pytest_cache/d/rustpar/history.json"
    path.parent.mkdir(parents=True)
    assert recorder.save(path) is None


# Value of each unit in seconds; tests are counted.
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "test": 1.0, "tests": 1.0, "": 1.0}


def amounts(text: str) -> list[float]:
    """Return the durations in seconds, and the counts, in a text."""
    return [float(number) * UNITS[unit] for number, unit in re.findall(r"([\d.]+)(?: (us|ms|s|tests?)\b)?", text)]


def rows(output: str) -> dict[str, list[float]]:
    """Return the numbers in each row of the table, by its first word."""
    found = re.findall(r"^(gw\d+|total) +(.*)$", output, re.MULTILINE)
    return {name: amounts(rest) for name, rest in found}


def figures(output: str) -> tuple[float, float]:
    """Return the expected duration and the lower bound."""
    match = re.search(r"^expected: (.*); lower bound (.*) \(", output, re.MULTILINE)
    assert match is not None, output
    ((expected,), (least,)) = map(amounts, match.groups())
    return expected, least


def test_all_tests_are_planned_and_none_runs(suite: Suite) -> None:
    suite.test(
        """
        import time
        import pytest
        from support import note

        @pytest.fixture(scope="module")
        def shared(): time.sleep(0.2)

        @pytest.mark.parametrize("n", range(12))
        def test_it(n, shared):
            note("ran")
            time.sleep(0.02)
        """
    )
    assert suite.run().ret == 0
    noted = len(suite.notes())
    output = plan(suite, "-n3")
    assert len(suite.notes()) == noted == 12
    assert output.startswith("12 tests, 3 workers, --dist load, durations of 12 tests known\n")
    table = rows(output)
    total = table.pop("total")
    for column in range(3):
        assert sum(row[column] for row in table.values()) == pytest.approx(total[column], abs=0.002 * len(table))
    expected, least = figures(output)
    assert total[0] == 12
    assert 0.2 <= total[2] < total[1]
    assert expected == max(row[3] for row in table.values())
    # The lower bound includes the fixture once; in the plan, several workers may set it up.
    assert (total[1] - total[2]) / 3 - 0.002 <= least <= expected


def test_the_longest_test_is_named_if_it_limits_the_run(suite: Suite) -> None:
    suite.test(FOUR)
    write_history(suite, {"test_one": 1.0, "test_two": 2.0, "test_three": 9.0, "test_four": 3.0})
    output = plan(suite, "-n", "2")
    assert figures(output) == (9.0, 9.0)
    assert "test_it.py::test_three alone takes 9.00 s; an even split over 2 workers would take 7.50 s" in output


def test_serial_tests_and_resources_are_named_if_they_limit_the_run(suite: Suite) -> None:
    suite.test(
        """
        import pytest
        @pytest.mark.serial
        def test_one(): pass
        @pytest.mark.resource("db")
        def test_two(): pass
        @pytest.mark.resource("db")
        def test_three(): pass
        def test_four(): pass
        """
    )
    write_history(suite, {"test_one": 6.0, "test_two": 2.0, "test_three": 3.0, "test_four": 1.0})
    assert "nothing else runs during 1 serial test: 6.00 s" in plan(suite, "-n3", "-k", "one or four")
    assert "resource db has 1 place, and is in use for 5.00 s" in plan(suite, "-n3", "-k", "not one")


def test_tests_are_counted_if_no_durations_are_known(suite: Suite) -> None:
    suite.test(FOUR)
    output = plan(suite, "-n2")
    assert output.startswith("4 tests, 2 workers, --dist load, no durations known: run the tests once")
    assert rows(output) == {"gw0": [2], "gw1": [2], "total": [4]}
    assert figures(output) == (2, 2)
    assert not re.search(r"\d s\b", output)


def test_new_tests_are_expected_to_take_the_median_of_the_others(suite: Suite) -> None:
    suite.test(FOUR)
    write_history(suite, {"test_one": 1.0, "test_two": 2.0, "test_three": 3.0})
    output = plan(suite, "-n2")
    assert output.startswith("4 tests, 2 workers, --dist load, durations of 3 of 4 tests known\n")
    assert rows(output)["total"][1] == 8.0


def test_groups_stay_together(suite: Suite) -> None:
    suite.test(
        """
        class TestA:
            def test_one(self): pass
            def test_two(self): pass
            def test_three(self): pass
        def test_four(): pass
        """
    )
    output = plan(suite, "-n3", "--dist", "loadscope")
    assert "3 workers, --dist loadscope" in output
    assert sorted(row[0] for name, row in rows(output).items() if name != "total") == [0, 1, 3]
    assert "test_it.py::TestA (3 tests) alone stays on one worker" in output


def test_options_in_the_configuration_file_count(suite: Suite) -> None:
    suite.write({"pytest.ini": "[pytest]\naddopts = -n3 --dist=loadfile -k 'not four'\n"})
    suite.test(FOUR)
    assert plan(suite).startswith("3 tests, 3 workers, --dist loadfile, ")


def test_without_n_there_is_one_worker_per_cpu(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_XDIST_AUTO_NUM_WORKERS", "4")
    suite.test(FOUR)
    assert plan(suite).startswith("4 tests, 4 workers, --dist load, ")


def test_a_scheduler_of_another_plugin_causes_a_warning(suite: Suite) -> None:
    suite.test(FOUR)
    suite.conftest("def pytest_xdist_make_scheduler(config, log): return None")
    assert re.search(r"^warning: .*conftest.py may provide its own scheduler", plan(suite, "-n2"), re.MULTILINE)


def test_an_unreadable_history_is_reported(suite: Suite) -> None:
    suite.test(FOUR)
    (suite.path / "history.json").write_text("{")
    output = plan(suite, "-n2", "--rustpar-history=history.json")
    assert "no durations known" in output
    assert re.search(r"^warning: .*history.json", output, re.MULTILINE)


@pytest.mark.parametrize(
    ("text", "arguments", "words"),
    [
        ("import no_such_module\n", ["-n2"], "No module named 'no_such_module'"),
        (FOUR, ["--no-such-option"], "unrecognized arguments: --no-such-option"),
        (FOUR, ["-n-1"], "the number of workers cannot be negative"),
        (FOUR, ["-n0"], "-n 0 means no workers; give -n another number"),
        (FOUR, ["-k", "nothing"], "no tests were collected"),
    ],
)
def test_errors_are_shown_with_exit_status_2(suite: Suite, text: str, arguments: list[str], words: str) -> None:
    suite.test(text)
    done = schedule(suite, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "rustpar/" not in done.stderr


def test_the_cost_of_keeping_the_collection_order_is_printed(suite: Suite) -> None:
    tests = {f"test_{n}": 1.0 for n in range(4)}
    suite.test("".join(f"def {name}(): pass\n" for name in tests))
    write_history(suite, tests)
    assert "--rustpar-plan=duration would save nothing" in plan(suite, "-n2")
    assert "rustpar-plan" not in plan(suite, "-n2", "--rustpar-plan=duration")
    assert "rustpar-plan" not in plan(suite, "-n2", "--dist=worksteal")


def test_without_known_durations_no_other_plan_is_mentioned(suite: Suite) -> None:
    suite.test(FOUR)
    assert "rustpar-plan" not in plan(suite, "-n2")


def test_a_plan_uses_the_requested_order(suite: Suite) -> None:
    tests = {f"test_{n}": 1.0 for n in range(6)} | {"test_long": 3.0}
    suite.test("".join(f"def {name}(): pass\n" for name in tests))
    write_history(suite, tests)
    for asked in ("collection", "duration"):
        expected, least = figures(plan(suite, "-n3", f"--rustpar-plan={asked}"))
        assert expected == least == 3.0
