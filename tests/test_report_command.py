"""The command that tells what came of a run, and the formats that it writes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.journals import events, journals
from tests.reportfiles import (
    EVERY_OUTCOME,
    check_junit,
    command,
    ctrf,
    junit_suites,
    micros,
    phases,
    refused,
    told,
    trace,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import Suite


def cases(path: Path) -> Counter[tuple[str, str, tuple[str, ...]]]:
    """Class names, names and what is in them, of all cases in a file of JUnit's XML."""
    found = [case for suite in junit_suites(path) for case in suite.iter("testcase")]
    return Counter((case.get("classname"), case.get("name"), tuple(child.tag for child in case)) for case in found)


def without_output(cases: Counter[tuple[str, str, tuple[str, ...]]]) -> Counter[tuple[str, str, tuple[str, ...]]]:
    """The same, but for what was captured, which pytest leaves out unless it is told to."""
    return Counter(
        (classname, name, tuple(tag for tag in tags if not tag.startswith("system-")))
        for classname, name, tags in cases.elements()
    )


def attributes(path: Path, *names: str) -> list[Any]:
    """Attributes of the only suite in a file of JUnit's XML."""
    (suite,) = junit_suites(path)
    return [suite.get(name) for name in names]


@pytest.mark.parametrize("n", [None, "2"])
def test_junit_has_the_cases_and_counts_of_pytests_own_file(suite: Suite, n: str | None) -> None:
    suite.test(EVERY_OUTCOME)
    suite.write({"pkg/test_dotted.py": "def test_it(): pass\n", "test_broken.py": "import nothing_like_it\n"})
    suite.write({"test_left_out.py": "import pytest\npytest.importorskip('nothing_like_it')\n"})
    arguments = ("--continue-on-collection-errors", "--junitxml=own.xml")
    assert suite.run(*arguments, n=n).ret == 1
    told(suite, "report", "--junit=ours.xml")
    own, ours = suite.path / "own.xml", suite.path / "ours.xml"
    assert without_output(cases(ours)) == cases(own)
    counted = ("tests", "errors", "failures", "skipped", "name", "hostname")
    assert attributes(ours, *counted) == attributes(own, *counted)
    check_junit(ours)


@pytest.mark.parametrize("n", [None, "2"])
def test_subtests_are_in_junit_as_in_pytests_own_file(suite: Suite, n: str | None) -> None:
    if not hasattr(pytest, "Subtests"):
        pytest.skip("this pytest has no subtests of its own")
    suite.test(
        """
        import unittest
        import pytest

        class Case(unittest.TestCase):
            def test_parts(self):
                for number in range(3):
                    with self.subTest(number=number):
                        if number == 2:
                            self.skipTest("too many")
                        assert number == 0

        def test_others(subtests):
            with subtests.test("fails"): assert 0
            with subtests.test("passes"): pass
            with subtests.test("is skipped"): pytest.skip("why not")
        """
    )
    run = suite.run("--junitxml=own.xml", n=n)
    told(suite, "report", "--junit=ours.xml")
    own, ours = suite.path / "own.xml", suite.path / "ours.xml"
    assert without_output(cases(ours)) == cases(own)
    assert attributes(ours, "failures", "skipped") == attributes(own, "failures", "skipped")
    assert run.counts() == {"passed": 1, "failed": 3}
    assert "\n1 passed, 3 failed in" in told(suite, "report")


def troubles(path: Path) -> Counter[tuple[str, ...]]:
    """Each failure, error and skip in a file of JUnit's XML: its test, its kind, its message and its text."""
    found = []
    for suite in junit_suites(path):
        for case in suite.iter("testcase"):
            for trouble in case.iter("failure", "error", "skipped"):
                found.append((case.get("name"), trouble.tag, trouble.get("message"), trouble.text or ""))
    return Counter(found)


@pytest.mark.parametrize("n", [None, "2"])
def test_junit_has_the_messages_and_texts_of_pytests_own_file(suite: Suite, n: str | None) -> None:
    suite.test(
        """
        import pytest
        import unittest

        def test_lines(): assert {"one": 1, "two": [1, 2]} == {"one": 2, "two": [1, 2]}
        def test_surrogate(): assert False, "lone \\ud800 here"
        def test_without_traceback(): pytest.fail("first\\nsecond", pytrace=False)

        @pytest.fixture
        def early(): raise ValueError("early\\nand more")

        @pytest.fixture
        def late():
            yield
            raise ValueError("late\\nand more")

        def test_early(early): pass
        def test_late(late): pass
        def test_both(late): assert 0

        @pytest.mark.xfail(strict=True, reason="known")
        def test_strict(): pass

        @pytest.mark.xfail(reason="lone \\udcff")
        def test_xfails(): assert 0

        class TestUnit(unittest.TestCase):
            def test_subtests(self):
                for number in range(3):
                    with self.subTest(number=number):
                        self.assertEqual(number, 1)
        """
    )
    suite.run("--junitxml=own.xml", n=n)
    told(suite, "report", "--junit=ours.xml")
    own, ours = suite.path / "own.xml", suite.path / "ours.xml"
    assert troubles(ours) == troubles(own)
    assert attributes(ours, "errors", "failures", "skipped") == attributes(own, "errors", "failures", "skipped")


def test_brackets_in_a_directory_are_no_parameters(suite: Suite) -> None:
    suite.write({"app/[id]/test_b.py": "def test_it(): pass\nclass TestIt:\n    def test_it(self): pass\n"})
    suite.run()
    told(suite, "report", "--junit=out.xml", "--ctrf=out.json")
    assert cases(suite.path / "out.xml") == {
        ("app.[id].test_b", "test_it", ()): 1,
        ("app.[id].test_b.TestIt", "test_it", ()): 1,
    }
    tests = ctrf(suite.path / "out.json")["tests"]
    assert {(test["filePath"], test["name"]) for test in tests} == {("app/[id]/test_b.py", "test_it")}
    assert sorted(test["suite"] for test in tests) == [["app/[id]/test_b.py"], ["app/[id]/test_b.py", "TestIt"]]


def test_junit_shows_characters_that_xml_cannot_carry_as_pytest_does(suite: Suite) -> None:
    suite.test(EVERY_OUTCOME)
    suite.run("-k", "test_fails")
    told(suite, "report", "--junit=out.xml")
    (found,) = junit_suites(suite.path / "out.xml")
    assert any("printed #x1B[31m & <x> #x00" in out.text for out in found.iter("system-out"))


def test_junit_has_properties_of_tests_and_of_the_suite(suite: Suite) -> None:
    suite.test(
        """
        def test_it(record_property, record_testsuite_property):
            record_property("key", 'a "value"\\n<of> two lines')
            record_testsuite_property("arch", "PPC")
        """
    )
    suite.run("--junitxml=own.xml", "-W", "ignore")
    told(suite, "report", "--junit=ours.xml")
    found = []
    for name in ("own.xml", "ours.xml"):
        (element,) = junit_suites(suite.path / name)
        properties = [(p.getparent().getparent().tag, p.get("name"), p.get("value")) for p in element.iter("property")]
        found.append(properties)
    assert found[0] == found[1]
    assert len(found[0]) == 2


def test_a_crash_is_one_error_in_junit_and_an_instant_in_the_trace(suite: Suite) -> None:
    suite.test("import os\ndef test_bad(): os._exit(3)\ndef test_good(): pass\n")
    suite.run("--junitxml=own.xml")
    told(suite, "report", "--junit=ours.xml", "--trace=trace.json", "--ctrf=ctrf.json")
    own, ours = suite.path / "own.xml", suite.path / "ours.xml"
    assert cases(ours) == cases(own)
    assert attributes(ours, "tests", "errors") == attributes(own, "tests", "errors") == ["2", "1"]
    (instant,) = [event for event in trace(suite.path / "trace.json") if event["ph"] == "i"]
    assert instant["args"] == {"status": 3, "test": "test_it.py::test_bad"}
    statuses = {test["name"]: test["rawStatus"] for test in ctrf(suite.path / "ctrf.json")["tests"]}
    assert statuses == {"test_bad": "crashed", "test_good": "passed"}


def test_a_test_that_fails_and_is_skipped_late_is_one_case_in_junit(suite: Suite) -> None:
    suite.test(
        """
        import pytest

        @pytest.fixture
        def leaves():
            yield
            pytest.skip("no more")

        def test_it(leaves): assert 0
        """
    )
    suite.run("--junitxml=own.xml")
    told(suite, "report", "--junit=ours.xml")
    own, ours = cases(suite.path / "own.xml"), cases(suite.path / "ours.xml")
    assert without_output(ours) == own == {("test_it", "test_it", ("failure", "skipped")): 1}


def test_ctrf_is_valid_and_has_every_outcome(suite: Suite) -> None:
    suite.test(EVERY_OUTCOME)
    suite.run()
    told(suite, "report", "--ctrf=out.json")
    tests = ctrf(suite.path / "out.json")["tests"]
    statuses = {test["name"]: (test["status"], test["rawStatus"]) for test in tests}
    assert statuses["test_fails"] == ("failed", "failed")
    assert statuses["test_skips"] == ("skipped", "skipped")
    assert statuses["test_xfails"] == ("other", "xfailed")
    assert statuses["test_xpasses"] == ("passed", "xpassed")
    assert statuses["test_errs"] == ("failed", "error")
    (inner,) = [test for test in tests if test["name"] == "test_it[e::f]"]
    assert inner["suite"] == ["test_it.py", "TestClass", "TestInner"]
    assert inner["filePath"] == "test_it.py"
    assert inner["threadId"] in ("gw0", "gw1")


def test_the_sums_of_durations_are_those_of_the_journal(suite: Suite) -> None:
    suite.test(EVERY_OUTCOME)
    suite.run()
    told(suite, "report", "--junit=out.xml", "--ctrf=out.ctrf", "--trace=out.trace")
    (journal,) = journals(suite)
    (junit,) = junit_suites(suite.path / "out.xml")
    tests = ctrf(suite.path / "out.ctrf")["tests"]
    measured = [test["extra"][phase] or 0 for test in tests for phase in ("setup", "call", "teardown")]
    assert sum(measured) == micros(journal)
    # Both formats round, each test on its own.
    rounding = 500 * (len(tests) + 1)
    assert sum(test["duration"] for test in tests) * 1000 == pytest.approx(micros(journal), abs=rounding)
    in_junit = sum(float(case.get("time")) for case in junit.iter("testcase"))
    assert in_junit * 1_000_000 == pytest.approx(micros(journal), abs=rounding)
    blocks = [event for event in trace(suite.path / "out.trace") if event["ph"] == "X"]
    in_trace = [block["dur"] for block in blocks if block["name"] in ("setup", "call", "teardown")]
    assert Counter(in_trace) == Counter(phase["us"] for phase in phases(journal))


def test_the_trace_has_a_lane_for_each_worker_and_phases_in_tests(suite: Suite) -> None:
    suite.test(
        """
        from support import meet
        def test_one(): meet("one", "two")
        def test_two(): meet("two", "one")
        """
    )
    run = suite.run("--rustpar-trace=trace.json")
    assert run.line("rustpar: trace: trace.json")
    found = trace(suite.path / "trace.json")
    lanes = {event["args"]["name"]: event["tid"] for event in found if event["name"] == "thread_name"}
    assert set(lanes) == {"gw0", "gw1"}
    for worker, tid in lanes.items():
        names = [event["name"] for event in found if event["ph"] == "X" and event["tid"] == tid]
        (where,) = [node_id for node_id, workers in run.workers.items() if workers == {worker}]
        assert names == [where, "setup", "call", "teardown"]
    finished = [event["args"]["finished"] for event in found if event["name"].startswith("tests finished")]
    assert finished[-1] == 2


def test_a_trace_that_cannot_be_written_is_told(suite: Suite) -> None:
    suite.test("def test_it(): pass\n")
    run = suite.run("--rustpar-trace=nowhere/trace.json")
    assert run.ret == 0
    assert "nowhere" in run.line("no trace is written")


def test_annotations_are_escaped_and_stand_at_the_failing_line(suite: Suite) -> None:
    suite.test(EVERY_OUTCOME)
    suite.run("-k", "test_fails and not late")
    summary = suite.path / "summary.md"
    summary.write_text("before\n")
    (line,) = told(suite, "report", "--github", GITHUB_STEP_SUMMARY=str(summary)).splitlines()
    (detail,) = [event for event in events(journals(suite)[-1]) if event["e"] == "detail"]
    place = f"file=test_it.py,line={detail['line']}"
    assert line == (f"::error {place},title=test_it.py%3A%3Atest_fails failed::AssertionError: 100%25: one, two")
    text = summary.read_text()
    assert text.startswith("before\n### pytest: 1 failed in ")
    assert "<code>test_it.py::test_fails: failed</code>" in text
    assert "&lt;x&gt;" in text


@pytest.mark.parametrize("n", [None, "2"])
def test_annotations_stand_in_the_files_of_the_project(suite: Suite, n: str | None) -> None:
    suite.write(
        {
            "lib/helper.py": "def fails():\n    raise ValueError('in a helper')\n",
            "site-packages/installed.py": "def fails():\n    raise ValueError('in a package')\n",
            "test_name.py": "\n\nnowhere\n",
            "test_import.py": "import nowhere\n",
            "test_dies.py": "import os\n\ndef test_dies(): os._exit(1)\n",
            "words.txt": "A test.\n\n>>> 1 + 1\n3\n",
        }
    )
    suite.test(
        """
        import json, sys, unittest, unittest.mock
        import pytest
        sys.path += ["lib", "site-packages"]

        class TestUnit(unittest.TestCase):
            def test_equal(self):
                self.assertEqual(1, 2)

        def test_mock():
            unittest.mock.Mock().assert_called()

        def test_json():
            json.loads("{")

        def test_helper():
            import helper
            helper.fails()

        def test_package():
            import installed
            installed.fails()

        @pytest.mark.xfail(strict=True)
        def test_strict(): pass

        def test_no_fixture(nope): pass

        def test_without_traceback():
            pytest.fail("why", pytrace=False)
        """
    )
    ignored = ["--ignore=test_dies.py"] if n is None else []
    suite.run("--doctest-glob=*.txt", "--continue-on-collection-errors", *ignored, n=n)
    found = re.findall(
        r"^::error (?:file=(.*?),)?(?:line=(\d+),)?title=(\S+)", told(suite, "report", "--github"), re.MULTILINE
    )
    places = {title.rpartition("%3A")[2]: (file, line) for file, line, title in found}
    if n is not None:
        assert places.pop("test_dies") == ("test_dies.py", "")
    # pytest counts lines of a file that is no module from 0.
    assert places.pop("words.txt")[0] == "words.txt"
    assert places == {
        "test_name.py": ("test_name.py", "3"),
        "test_import.py": ("test_import.py", ""),
        "test_equal": ("test_it.py", "8"),
        "test_mock": ("test_it.py", "11"),
        "test_json": ("test_it.py", "14"),
        "test_helper": ("lib/helper.py", "2"),
        "test_package": ("test_it.py", "22"),
        "test_strict": ("test_it.py", "24"),
        "test_no_fixture": ("test_it.py", "27"),
        "test_without_traceback": ("test_it.py", "30"),
    }


def test_without_a_summary_file_there_are_annotations_alone(suite: Suite) -> None:
    suite.test("def test_it(): pass\n")
    suite.run()
    assert told(suite, "report", "--github", GITHUB_STEP_SUMMARY="") == ""


def test_the_summary_shows_failures_with_what_ran_beside_them(suite: Suite) -> None:
    suite.test(
        """
        from support import meet

        def test_fails():
            meet("failing", "there")
            print("a printed word")
            meet("failed", "beside")
            assert 0

        def test_beside():
            meet("there", "failing")
            meet("beside", "failed")
        """
    )
    run = suite.run()
    text = told(suite, "report")
    (worker,) = run.workers["test_it.py::test_beside"]
    assert f"beside it: test_it.py::test_beside ({worker})" in text
    assert ">           assert 0" in text or ">       assert 0" in text
    assert "a printed word" in text
    assert "1 passed, 1 failed in " in text
    assert "exit status 1" in text


def test_a_crash_is_beside_what_failed_before_it(suite: Suite) -> None:
    suite.test(
        """
        import os
        from support import meet

        def test_hog():
            meet("hog", "victim")
            meet("hog_goes", "victim_gone")
            os._exit(1)

        def test_victim():
            meet("victim", "hog")
            try:
                assert 0
            finally:
                meet("victim_gone", "hog_goes")
        """
    )
    run = suite.run()
    (worker,) = run.workers["test_it.py::test_hog"]
    assert f"beside it: test_it.py::test_hog ({worker})" in told(suite, "report")


def test_a_run_that_was_killed_is_told_up_to_where_it_came(suite: Suite) -> None:
    suite.test("def test_one(): pass\ndef test_two(): pass\n")
    suite.run(n=None)
    (journal,) = journals(suite)
    lines = journal.read_bytes().splitlines(keepends=True)
    (first,) = [place for place, line in enumerate(lines) if b'"teardown","t":0' in line]
    journal.write_bytes(b"".join(lines[: first + 1]) + lines[first + 1][:9])
    text = told(suite, "report")
    assert "did not run to an end: 1\n  test_it.py::test_two" in text
    assert "it was cut" in text
    told(suite, "report", "--junit=out.xml")
    assert attributes(suite.path / "out.xml", "tests") == ["1"]


def test_a_run_is_named_by_its_file_or_the_begin_of_its_id(suite: Suite) -> None:
    suite.test("def test_it(): pass\n")
    suite.run("--testrunuid=first")
    suite.test("def test_other(): pass\n")
    suite.run("--testrunuid=second")
    assert "test_it.py::test_it" in told(suite, "report", "fir")
    assert "test_it.py::test_it" in told(suite, "report", str(journals(suite)[0]))
    assert "test_it.py::test_other" in told(suite, "report")
    assert refused(suite, "report", "third") == (
        "rustpar report: 0 of the kept runs have an id that begins with 'third'; `rustpar runs` lists them"
    )


def test_what_cannot_be_reported_is_one_line(suite: Suite) -> None:
    assert "there is no journal" in refused(suite, "report")
    suite.write({"notes.txt": "no journal", "empty.jsonl": ""})
    assert "notes.txt is no journal of a run" in refused(suite, "report", "notes.txt")
    assert "cut before it said" in refused(suite, "report", "empty.jsonl")
    assert "there is no file ./gone" in refused(suite, "report", "./gone")


def test_a_document_can_go_to_standard_output(suite: Suite) -> None:
    suite.test("def test_it(): pass\n")
    suite.run()
    assert json.loads(told(suite, "report", "--ctrf=-"))["reportFormat"] == "CTRF"
    assert command(suite, "report", "--junit=missing/out.xml").returncode == 2


@pytest.mark.parametrize("n", [None, "2"])
def test_a_run_is_told_with_percentiles_the_bound_and_thresholds(suite: Suite, n: str | None) -> None:
    suite.test(EVERY_OUTCOME)
    suite.run("--rustpar-thresholds=max<1us, max<1000s", n=n)
    lines = told(suite, "report").splitlines()
    durations = lines.index("durations")
    assert lines[durations + 1].split() == ["count", "p50", "p95", "p99", "max"]
    assert [line.split()[0] for line in lines[durations + 2 : durations + 6]] == ["tests", "set-up", "call", "teardown"]
    assert any(line.startswith("  what decides it: ") for line in lines) == (n is not None)
    thresholds = lines.index("thresholds")
    assert [line.split()[:2] for line in lines[thresholds + 1 : thresholds + 3]] == [
        ["broken", "max<1us"],
        ["kept", "max<1000s"],
    ]


@pytest.mark.parametrize("n", [None, "2"])
def test_properties_of_the_suite_need_no_junit_of_pytest(suite: Suite, n: str | None) -> None:
    suite.test(
        """
        import pytest

        @pytest.fixture(scope="session", autouse=True)
        def about(record_testsuite_property):
            record_testsuite_property("arch", "PPC")
            record_testsuite_property("cpus", 2)

        def test_one(): pass
        def test_two(): pass
        """
    )
    assert suite.run(n=n).ret == 0
    told(suite, "report", "--junit=out.xml")
    (element,) = junit_suites(suite.path / "out.xml")
    found = [(p.getparent().getparent().tag, p.get("name"), p.get("value")) for p in element.iter("property")]
    assert found == [("testsuite", "arch", "PPC"), ("testsuite", "cpus", "2")]


def test_what_an_encoding_lacks_is_escaped(suite: Suite) -> None:
    suite.test("def test_it(): assert 0, '\u2603 is \xe9'\n")
    suite.run(n=None)
    done = command_in_latin_1(suite, "report")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\\u2603 is \xe9" in done.stdout


def command_in_latin_1(suite: Suite, *args: str) -> subprocess.CompletedProcess[bytes]:
    """Run `rustpar` where standard output has that encoding."""
    variables = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    run = [sys.executable, "-m", "rustpar.cli", *args]
    return subprocess.run(run, cwd=suite.path, env=variables, capture_output=True, timeout=60)


def test_output_that_cannot_be_written_is_told_in_one_line(suite: Suite) -> None:
    suite.test("def test_it(): pass\n")
    suite.run(n=None)
    for asked in (["report"], ["report", "--junit=-"], ["runs"]):
        with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
            run = [sys.executable, "-m", "rustpar.cli", *asked]
            done = subprocess.run(run, cwd=suite.path, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
        (line,) = done.stderr.splitlines()
        assert (done.returncode, line) == (2, f"rustpar {asked[0]}: [Errno 28] No space left on device")


def test_a_name_of_a_file_that_is_not_there_is_no_id(suite: Suite) -> None:
    assert refused(suite, "report", "all.jsonl") == "rustpar report: there is no file all.jsonl"
    assert refused(suite, "report", "no/all") == "rustpar report: there is no file no/all"
    assert "there is no journal in .pytest_cache" in refused(suite, "report", "all")
