"""The command `rustpar report` and the formats that it writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.harness import RUN_LIMIT
from tests.journals import journals
from tests.reportfiles import EVERY_OUTCOME, command, ctrf, error_of, junit_suites, micros, output_of, phases, trace

if TYPE_CHECKING:
    from tests.harness import Suite


def test_ctrf_is_valid_and_has_every_outcome_and_the_sums_of_durations_are_those_of_the_journal(suite: Suite) -> None:
    suite.test(EVERY_OUTCOME)
    suite.run()
    output_of(suite, "report", "--junit=out.xml", "--ctrf=out.ctrf", "--trace=out.trace")
    tests = ctrf(suite.path / "out.ctrf")["tests"]
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
    (journal,) = journals(suite)
    (junit,) = junit_suites(suite.path / "out.xml")
    measured = [test["extra"][phase] or 0 for test in tests for phase in ("setup", "call", "teardown")]
    assert sum(measured) == micros(journal)
    # Both formats round each test separately.
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


def test_a_trace_that_cannot_be_written_is_reported(suite: Suite) -> None:
    suite.test("def test_it(): pass\n")
    run = suite.run("--rustpar-trace=nowhere/trace.json")
    assert run.ret == 0
    assert "nowhere" in run.line("could not write the trace")


def test_a_killed_run_is_reported_up_to_its_last_event(suite: Suite) -> None:
    suite.test("def test_one(): pass\ndef test_two(): pass\n")
    suite.run(n=None)
    (journal,) = journals(suite)
    lines = journal.read_bytes().splitlines(keepends=True)
    (first,) = [place for place, line in enumerate(lines) if b'"teardown","t":0' in line]
    journal.write_bytes(b"".join(lines[: first + 1]) + lines[first + 1][:9])
    text = output_of(suite, "report")
    assert "did not finish: 1\n  test_it.py::test_two" in text
    assert "incomplete: the end is not in the journal" in text
    output_of(suite, "report", "--junit=out.xml")
    (junit,) = junit_suites(suite.path / "out.xml")
    assert junit.get("tests") == "1"


def test_a_run_is_selected_by_its_file_or_a_prefix_of_its_id(suite: Suite) -> None:
    suite.test("def test_it(): pass\n")
    suite.run("--testrunuid=first")
    suite.test("def test_other(): pass\n")
    suite.run("--testrunuid=second")
    assert "test_it.py::test_it" in output_of(suite, "report", "fir")
    assert "test_it.py::test_it" in output_of(suite, "report", str(journals(suite)[0]))
    assert "test_it.py::test_other" in output_of(suite, "report")
    assert error_of(suite, "report", "third") == (
        "rustpar report: 0 of the kept runs have an id that begins with 'third'; `rustpar runs` lists them"
    )


def test_errors_of_report_are_one_line(suite: Suite) -> None:
    assert "there is no journal" in error_of(suite, "report")
    suite.write({"notes.txt": "no journal", "empty.jsonl": ""})
    assert "notes.txt is not the journal of a run" in error_of(suite, "report", "notes.txt")
    assert "cut off in its first line" in error_of(suite, "report", "empty.jsonl")
    assert "there is no file ./gone" in error_of(suite, "report", "./gone")


def test_a_report_can_be_written_to_standard_output(suite: Suite) -> None:
    suite.test("def test_it(): pass\n")
    suite.run()
    assert json.loads(output_of(suite, "report", "--ctrf=-"))["reportFormat"] == "CTRF"
    assert command(suite, "report", "--junit=missing/out.xml").returncode == 2


@pytest.mark.parametrize("n", [None, "2"])
def test_the_report_shows_percentiles_the_lower_bound_and_thresholds(suite: Suite, n: str | None) -> None:
    suite.test(EVERY_OUTCOME)
    suite.run("--rustpar-thresholds=max<1us, max<1000s", n=n)
    lines = output_of(suite, "report").splitlines()
    durations = lines.index("durations")
    assert lines[durations + 1].split() == ["count", "p50", "p95", "p99", "max"]
    assert [line.split()[0] for line in lines[durations + 2 : durations + 6]] == ["tests", "set-up", "call", "teardown"]
    assert any(line.startswith("  limited by: ") for line in lines) == (n is not None)
    thresholds = lines.index("thresholds")
    assert [line.split()[:2] for line in lines[thresholds + 1 : thresholds + 3]] == [
        ["broken", "max<1us"],
        ["kept", "max<1000s"],
    ]


@pytest.mark.parametrize("n", [None, "2"])
def test_suite_properties_are_reported_without_junitxml(suite: Suite, n: str | None) -> None:
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
    output_of(suite, "report", "--junit=out.xml")
    (element,) = junit_suites(suite.path / "out.xml")
    found = [(p.getparent().getparent().tag, p.get("name"), p.get("value")) for p in element.iter("property")]
    assert found == [("testsuite", "arch", "PPC"), ("testsuite", "cpus", "2")]


def test_characters_missing_from_the_encoding_are_escaped(suite: Suite) -> None:
    suite.test("def test_it(): assert 0, '\u2603 is \xe9'\n")
    suite.run(n=None)
    done = command_in_latin_1(suite, "report")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\\u2603 is \xe9" in done.stdout


def command_in_latin_1(suite: Suite, *args: str) -> subprocess.CompletedProcess[bytes]:
    """Run `rustpar` with the encoding Latin-1 for standard output."""
    variables = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    run = [sys.executable, "-m", "rustpar.cli", *args]
    return subprocess.run(run, cwd=suite.path, env=variables, capture_output=True, timeout=RUN_LIMIT)


FULL = "could not write to standard output: No space left on device (os error 28)"


def test_an_output_error_is_reported_in_one_line(suite: Suite) -> None:
    suite.test("def test_it(): pass\n")
    suite.run(n=None)
    for asked in (["report"], ["report", "--junit=-"], ["runs"]):
        with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
            run = [sys.executable, "-m", "rustpar.cli", *asked]
            done = subprocess.run(
                run, cwd=suite.path, stdout=full, stderr=subprocess.PIPE, text=True, timeout=RUN_LIMIT
            )
        (line,) = done.stderr.splitlines()
        assert (done.returncode, line) == (2, f"rustpar {asked[0]}: {FULL}")


def test_a_missing_file_name_is_not_taken_for_a_run_id(suite: Suite) -> None:
    assert error_of(suite, "report", "all.jsonl") == "rustpar report: there is no file all.jsonl"
    assert error_of(suite, "report", "no/all") == "rustpar report: there is no file no/all"
    assert "there is no journal in .pytest_cache" in error_of(suite, "report", "all")
