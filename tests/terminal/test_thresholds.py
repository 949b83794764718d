"""Thresholds: expressions, their evaluation, and the exit status."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.journals import journals

if TYPE_CHECKING:
    from tests.harness import Run, Suite

TESTS = """
    import pytest

    @pytest.mark.unit
    def test_one(): pass

    @pytest.mark.unit
    class TestOthers:
        def test_two(self): pass
        def test_three(self): pass

    def test_four(): pass
"""
MARKERS = "[pytest]\nmarkers = unit: fast\n    none: nobody\n"

# Tests of the first process run twice, as with pytest-rerunfailures.
RERUNS = """
    import pytest
    from _pytest.runner import runtestprotocol

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(item, nextitem):
        for attempt in range(2):
            item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
            for report in runtestprotocol(item, nextitem=nextitem, log=False):
                if report.failed and attempt == 0:
                    report.outcome = "rerun"
                item.ihook.pytest_runtest_logreport(report=report)
            item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
            if attempt == 0:
                item._initrequest()
        return True
"""


@pytest.fixture
def tests(suite: Suite) -> Suite:
    """Four tests, three of which are marked."""
    suite.test(TESTS)
    suite.write({"pytest.ini": MARKERS})
    return suite


def shown(run: Run) -> list[str]:
    """Return the lines of the section, without alignment."""
    return [" ".join(line.split()) for line in run.section("thresholds")]


def last_event(suite: Suite) -> dict[str, Any]:
    (journal,) = journals(suite)
    event: dict[str, Any] = json.loads(journal.read_text().splitlines()[-1])
    return event


def test_a_broken_threshold_is_named_and_fails_the_run(tests: Suite, run_mode: str) -> None:
    kept = "max<1000s, p(95)<1000s, min>=0us, count==4, slow_count==0, slow_rate<1%"
    ended = tests.run_in(run_mode, f"--rustpar-thresholds={kept}, count<4, failed_rate<1%")
    assert ended.counts() == {"passed": 4}
    assert (ended.ret, shown(ended)) == (1, ["broken count<4 4"])
    assert (last_event(tests)["e"], last_event(tests)["exit"]) == ("end", 1)


@pytest.mark.parametrize("run_mode", ["plain", "template"])
def test_a_run_within_its_thresholds_prints_nothing(tests: Suite, run_mode: str) -> None:
    ended = tests.run_in(run_mode, "--rustpar-thresholds=p(95)<1000s, min>=0us, count==4, slow_count==0, slow_rate<1%")
    assert (ended.ret, shown(ended)) == (0, [])


def test_a_marker_restricts_a_threshold_in_every_run_mode(tests: Suite, run_mode: str) -> None:
    given = "--rustpar-thresholds=unit: count==3, none: count==0, none: max<1us, count==4, unit: count>3"
    ended = tests.run_in(run_mode, given, "-v")
    assert ended.ret == 1
    assert shown(ended) == [
        "kept unit: count==3 3",
        "kept none: count==0 0",
        "kept none: max<1us no tests",
        "kept count==4 4",
        "broken unit: count>3 3",
    ]


# They do not depend on it: one that hands out single tests, and one that hands out groups.
@pytest.mark.parametrize("dist", ["worksteal", "loadfile"])
def test_every_dist_mode_counts_a_test_once(tests: Suite, dist: str) -> None:
    assert tests.run("--dist", dist, "--rustpar-thresholds=count==4, unit: count==3").ret == 0


def test_with_each_a_test_counts_in_every_worker(tests: Suite) -> None:
    assert tests.run("--dist=each", "--rustpar-thresholds=count==8, unit: count==6").ret == 0


def test_thresholds_of_a_shard_apply_to_its_own_tests(tests: Suite) -> None:
    parts = [tests.run(f"--rustpar-shard={part}/2", "--rustpar-thresholds=count<1", n=None) for part in (1, 2)]
    assert sum(int(shown(part)[0].split()[-1]) for part in parts) == 4


@pytest.mark.parametrize("run_mode", ["plain", "template", "xdist"])
def test_the_last_attempt_of_a_repeated_test_counts(suite: Suite, run_mode: str) -> None:
    suite.conftest(RERUNS)
    suite.test(
        """
        import os
        def test_it():
            known = os.path.exists("began")
            open("began", "w").close()
            assert known
        """
    )
    ended = suite.run_in(run_mode, "--rustpar-thresholds=count==1, failed_count==0")
    assert (ended.ret, shown(ended)) == (0, [])


def test_failures_and_crashes_are_counted_and_skipped_tests_are_not(suite: Suite) -> None:
    suite.test(
        """
        import os
        import pytest
        def test_passes(): pass
        def test_fails(): assert 0
        def test_crashes(): os._exit(3)
        def test_skipped(): pytest.skip("not today")
        @pytest.fixture
        def broken(): raise ValueError
        def test_error(broken): pass
        """
    )
    ended = suite.run("--rustpar-thresholds=count==4, failed_count==3, failed_rate<75%", n="2")
    assert (ended.ret, shown(ended)) == (1, ["broken failed_rate<75% 75.00 %"])


@pytest.mark.parametrize("run_mode", ["plain", "template", "xdist"])
def test_a_test_whose_subtest_fails_has_failed(suite: Suite, run_mode: str) -> None:
    suite.test(
        """
        import unittest
        class Case(unittest.TestCase):
            def test_parts(self):
                for number in range(3):
                    with self.subTest(number=number):
                        assert number != 1
            def test_whole(self): pass
        """
    )
    ended = suite.run_in(run_mode, "--rustpar-thresholds=count==2, failed_count==0")
    assert shown(ended) == ["broken failed_count==0 1"]


@pytest.mark.parametrize("run_mode", ["plain", "template"])
def test_thresholds_need_no_cache(tests: Suite, run_mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tests.path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    ended = tests.run_in(run_mode, "-p", "no:cacheprovider", "--rustpar-thresholds=unit: count<3")
    assert (ended.ret, shown(ended)) == (1, ["broken unit: count<3 3"])
    assert not list(scratch.glob("rustpar-*"))


def test_a_journal_that_cannot_be_written_fails_the_run(tests: Suite) -> None:
    ended = tests.run("--rustpar-journal=no/such/directory", "--rustpar-thresholds=count==4", n=None)
    assert (ended.ret, shown(ended)) == (1, ["could not check the thresholds: the run's journal is incomplete"])


def test_thresholds_are_not_evaluated_without_tests(suite: Suite) -> None:
    suite.test("")
    ended = suite.run("--rustpar-thresholds=count>0", n=None)
    assert (ended.ret, shown(ended)) == (5, [])


def test_thresholds_are_not_evaluated_if_every_test_was_skipped(suite: Suite) -> None:
    suite.test("import pytest\ndef test_it(): pytest.skip('not today')\n")
    assert suite.run("--rustpar-thresholds=count>0").ret == 0


def test_a_more_serious_exit_status_is_kept(suite: Suite) -> None:
    suite.test("def test_it(): raise KeyboardInterrupt\n")
    assert suite.run("--rustpar-thresholds=count>9", n=None).ret == 2


def test_the_command_line_overrides_the_ini_file(tests: Suite) -> None:
    tests.write({"pytest.ini": f"{MARKERS}rustpar_thresholds =\n    count<4, unit: count<3,\n    max<1000s\n"})
    assert shown(tests.run(n=None)) == ["broken count<4 4", "broken unit: count<3 3"]
    assert tests.run("--rustpar-thresholds=", n=None).ret == 0
    assert tests.run("--rustpar-thresholds=count==4", n=None).ret == 0


@pytest.mark.parametrize("n", [None, "2"])
def test_a_syntax_error_is_marked_before_a_test_runs(tests: Suite, n: str | None) -> None:
    ended = tests.run("--rustpar-thresholds=max<1s, p(95)<500", n=n)
    assert ended.ret == 4
    lines = ended.text.splitlines()
    (place,) = [index for index, line in enumerate(lines) if "--rustpar-thresholds: " in line]
    assert lines[place].endswith("the unit is missing; durations are in us, ms, s, m or h, as in 500ms")
    assert lines[place + 1] == "  max<1s, p(95)<500"
    assert lines[place + 2].index("^") == len(lines[place + 1])
    assert not ended.reports


def test_a_syntax_error_in_the_ini_file_is_marked(tests: Suite) -> None:
    tests.write({"pytest.ini": f"{MARKERS}rustpar_thresholds =\n    max<1s\n    p95<1s\n"})
    ended = tests.run(n=None)
    assert ended.ret == 4
    assert "rustpar_thresholds: unknown figure p95; use one of p(95), avg," in ended.text
    assert "\n  p95<1s\n  ^\n" in ended.text


@pytest.mark.parametrize("run_mode", ["plain", "template"])
def test_an_unknown_marker_is_rejected_with_strict_markers(tests: Suite, run_mode: str) -> None:
    ended = tests.run_in(run_mode, "--strict-markers", "--rustpar-thresholds=unti: max<1us")
    assert ended.ret == 4
    assert "--rustpar-thresholds: 'unti' not found in `markers` configuration option" in ended.text
