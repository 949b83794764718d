"""The contents of a run's journal, with and without workers, also for runs that crash or are killed."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.harness import Suite
from tests.journals import RUNS, events, journals

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.journals import Events

EVERYTHING = """
    import warnings
    import pytest

    @pytest.fixture(scope="module")
    def service():
        import time
        time.sleep(0.002)

    def test_passes(record_property): record_property("answer", 42)
    def test_fails():
        print("printed before")
        assert 1 == 2
    def test_service(service): warnings.warn("mind")
    @pytest.mark.skip(reason="not today")
    def test_skipped(): pass
    @pytest.mark.xfail(reason="known")
    def test_xfails(): assert False
    @pytest.mark.xfail
    def test_xpasses(): pass
    @pytest.fixture
    def broken(): raise ValueError("no set-up")
    def test_error(broken): pass
    def test_é(): pass
"""


def only(events: Events, kind: str) -> dict[str, Any]:
    """Return the only event of a kind."""
    (event,) = of_kind(events, kind)
    return event


def of_kind(events: Events, *kinds: str) -> Events:
    """Return the events of these kinds."""
    return [event for event in events if event["e"] in kinds]


def outcomes(events: Events) -> dict[str, list[tuple[str, str]]]:
    """Return phases and their outcomes by node id, in the order of the phases."""
    ids = only(events, "collected")["ids"]
    found: dict[str, list[tuple[str, str]]] = {}
    for event in of_kind(events, "setup", "call", "teardown"):
        found.setdefault(ids[event["t"]], []).append((event["e"], event["o"]))
    return found


def test_every_phase_of_each_test_is_in_the_journal_and_failures_are_in_full(suite: Suite, run_mode: str) -> None:
    suite.test(EVERYTHING)
    run = suite.run_in(run_mode)
    found = events(journals(suite)[0])
    words = {"xfailed": ("skipped", True), "xpassed": ("passed", True)}
    assert {
        node_id: [(when, *words.get(outcome, (outcome, False))) for when, outcome in phases]
        for node_id, phases in outcomes(found).items()
    } == run.outcomes
    assert only(found, "end")["exit"] == run.ret == 1
    assert only(found, "end")["warnings"] == run.counts()["warnings"]
    ids = only(found, "collected")["ids"]
    details = {ids[event["t"]].partition("::")[2]: event for event in of_kind(found, "detail")}
    assert set(details) == {"test_fails", "test_skipped", "test_xfails", "test_xpasses", "test_error"}
    failure = details["test_fails"]
    assert (failure["when"], failure["path"], failure["line"]) == ("call", "test_it.py", 13)
    assert failure["message"] == "assert 1 == 2"
    assert "def test_fails" in failure["text"]
    assert ["Captured stdout call", "printed before\n"] in failure["sections"]
    assert details["test_skipped"]["message"] == "not today"
    assert details["test_xfails"]["message"] == "known"
    assert details["test_error"]["when"] == "setup"
    properties = only(found, "properties")
    assert (ids[properties["t"]], properties["properties"]) == ("test_it.py::test_passes", [["answer", "42"]])


@pytest.mark.parametrize("run_mode", ["plain", "template", "xdist"])
def test_a_run_event_describes_the_run(suite: Suite, run_mode: str) -> None:
    suite.test(EVERYTHING)
    suite.run_in(run_mode, "-k", "passes")
    found = events(journals(suite)[0])
    head = found[0]
    assert (head["e"], head["format"], head["version"]) == ("run", "rustpar-journal", 1)
    assert head["command"][0] == "pytest"
    assert head["command"][-2:] == ["-k", "passes"]
    assert head["options"]["keyword"] == "passes"
    assert {"python", "pytest", "pytest-rustpar", "pytest-xdist"} <= set(head["versions"])
    assert head["machine"]["cpus"] == str(os.cpu_count())
    if run_mode != "xdist":
        assert only(found, "collected")["deselected"] == 6


def test_starts_and_exits_of_workers_are_recorded(suite: Suite) -> None:
    suite.test("import os\ndef test_dies(): os._exit(3)\ndef test_lives(): pass\n")
    suite.run()
    found = events(journals(suite)[0])
    ids = only(found, "collected")["ids"]
    gone = {event["w"]: event for event in of_kind(found, "gone")}
    assert {event["w"] for event in of_kind(found, "worker")} == set(gone)
    (crashed,) = [event for event in gone.values() if event["how"] == "crashed"]
    assert (crashed["status"], ids[crashed["running"]]) == (3, "test_it.py::test_dies")
    assert {event["how"] for event in gone.values()} == {"crashed", "left"}
    (detail,) = of_kind(found, "detail")
    assert detail["when"] == "crash"
    assert "crashed while running" in detail["message"]
    start = only(found, "start")
    assert (start["start"], start["workers"], start["dist"]) == ("template", 2, "load")


def test_a_crash_after_which_the_test_runs_again_is_not_a_failure(suite: Suite) -> None:
    suite.conftest(
        """
        def pytest_handlecrashitem(crashitem, report, sched):
            report.outcome = "rerun"
            sched.mark_test_pending(crashitem)
        """
    )
    suite.test(
        """
        import os
        def test_it():
            if not os.path.exists("crashed"):
                open("crashed", "w").close()
                os._exit(1)
        """
    )
    assert suite.run("--rustpar-journal=run.jsonl").ret == 0
    details = of_kind(events(suite.path / "run.jsonl"), "detail")
    assert [(detail["when"], detail["o"]) for detail in details] == [("crash", "rerun")]


def test_a_file_that_cannot_be_collected_is_recorded(suite: Suite, run_mode: str) -> None:
    suite.write({"test_bad.py": "import nowhere\n", "test_it.py": "def test_it(): pass\n"})
    suite.run_in(run_mode)
    (detail,) = of_kind(events(journals(suite)[0]), "detail")
    assert (detail["when"], detail["id"], detail["o"]) == ("collect", "test_bad.py", "failed")
    assert "No module named 'nowhere'" in detail["text"]


@pytest.mark.parametrize("n", [None, "2"])
def test_the_journal_of_a_killed_run_has_everything_it_reported(
    suite: Suite, eventually: Callable[[Callable[[], bool]], None], n: str | None
) -> None:
    suite.test(
        """
        import pytest
        from support import arrive, wait_for

        @pytest.mark.parametrize("n", range(20))
        def test_before(n): pass

        def test_last():
            arrive("last")
            wait_for("never", limit=60)
        """
    )
    process = suite.start("--dist=loadfile", n=n or "0")
    suite.wait_for("last")
    path = journals(suite)[0]
    eventually(lambda: path.read_text().count('"e":"teardown"') == 20)
    process.send_signal(signal.SIGKILL)
    suite.wait_for_exit(process)
    assert len(of_kind(events(path), "teardown")) == 20


def test_ten_journals_are_kept_unless_the_ini_file_sets_another_number(suite: Suite) -> None:
    suite.test("def test_it(): pass\n")
    directory = suite.path / RUNS
    directory.mkdir(parents=True)
    for number in range(14):
        (directory / f"2020010{number:02}T000000-1.jsonl").touch()
    suite.run(n=None)
    assert len(journals(suite)) == 10
    suite.run("-o", "rustpar_journals=3", n=None)
    assert len(journals(suite)) == 3
    suite.run("-o", "rustpar_journals=0", n=None)
    assert len(journals(suite)) == 3
    run = suite.run("-o", "rustpar_journals=few", n=None)
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    assert "invalid number 'few'" in run.err


@pytest.mark.parametrize("n", [None, "2"])
def test_a_named_file_is_replaced_if_it_is_a_journal(suite: Suite, n: str | None) -> None:
    suite.test("def test_it(): pass\n")
    for _ in range(2):
        suite.run("--rustpar-journal=own.jsonl", "-p", "no:cacheprovider", n=n)
        assert len(of_kind(events(suite.path / "own.jsonl"), "run")) == 1
    assert not journals(suite)
    run = suite.run("--rustpar-journal=test_it.py", n=n)
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    assert "test_it.py is not a journal, and is not overwritten" in run.err
    assert (suite.path / "test_it.py").read_text() == "def test_it(): pass\n"


@pytest.mark.parametrize("n", [None, "2"])
def test_a_journal_that_cannot_be_written_is_reported_in_one_line(suite: Suite, n: str | None) -> None:
    suite.test("def test_it(): pass\n")
    run = suite.run("--rustpar-journal=nowhere/own.jsonl", n=n)
    assert run.counts() == {"passed": 1}
    assert run.line("own.jsonl").startswith("rustpar: the journal ")


@pytest.mark.parametrize("n", [None, "2"])
def test_a_full_disk_is_reported_in_one_line(suite: Suite, n: str | None) -> None:
    suite.conftest(
        """
        import resource
        def pytest_sessionstart():
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        """
    )
    suite.test("import pytest\n@pytest.mark.parametrize('n', range(100))\ndef test_it(n): pass\n")
    run = suite.run("-p", "no:recorder", n=n)
    assert run.counts() == {"passed": 100}
    assert "File too large" in run.line("rustpar: the journal ")
    text = journals(suite)[0].read_text()
    assert [json.loads(line) for line in text.splitlines()[:-1]]


def test_options_that_run_no_test_write_no_journal(suite: Suite) -> None:
    suite.test("def test_it(): pass\n")
    options = ["--collect-only", "--setup-plan", "--no-such-option"]
    for option in options:
        suite.part(option).test("def test_it(): pass\n")
    suite.run_each({option: [option] for option in options})
    assert [option for option in options if journals(suite.part(option))] == []


def test_subtests_are_parts_of_their_test(suite: Suite) -> None:
    suite.test(
        """
        import unittest
        class TestIt(unittest.TestCase):
            def test_it(self):
                for n in range(3):
                    with self.subTest(n=n): assert n != 1
        """
    )
    for n in (None, "2"):
        run = suite.run(n=n)
        found = events(journals(suite)[-1])
        whole = [event for event in of_kind(found, "call") if not event.get("part")]
        assert len(whole) == 1
        assert whole[0]["o"] == [report["outcome"] for report in run.reports if report["when"] == "call"][-1]
