"""The timeline page and the trace of a run are written and agree with the journal."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.harness import RUN_LIMIT
from tests.journals import events, journals
from tests.reportfiles import output_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import Suite

TESTS = """
    import pytest

    @pytest.mark.parametrize("n", range(10))
    def test_passes(n): pass
    def test_fails():
        print("</script><script>document.title = 'bad'</script>")
        assert 1 == 2
    @pytest.mark.skip
    def test_skipped(): pass
    @pytest.fixture
    def broken():
        yield
        raise ValueError("in the teardown")
    def test_error(broken): pass
"""


def page_data(page: Path) -> dict[str, Any]:
    """Return the data of a timeline page."""
    (text,) = re.findall(r'<script type="application/json" id="run">\n?(.*?)\n?</script>', page.read_text(), re.DOTALL)
    data: dict[str, Any] = json.loads(text)
    return data


def rows(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the tests, each as a dictionary."""
    columns = data["tests"]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


@pytest.mark.parametrize("run_mode", ["plain", "template", "xdist"])
def test_the_timeline_shows_what_the_journal_says(suite: Suite, run_mode: str) -> None:
    suite.test(TESTS)
    run = suite.run_in(run_mode, "--rustpar-timeline=report.html", "--rustpar-trace=trace.json")
    assert "report.html" in run.line("rustpar: timeline: ")
    assert "trace.json" in run.line("rustpar: trace: ")
    data, journal = page_data(suite.path / "report.html"), events(journals(suite)[-1])
    assert (data["run"]["complete"], data["run"]["exit"], data["run"]["collected"]) == (True, 1, 13)
    tests = rows(data)
    names = data["outcomes"]
    assert {row["id"]: names[row["outcome"]] for row in tests} == {
        **{f"test_it.py::test_passes[{n}]": "passed" for n in range(10)},
        "test_it.py::test_fails": "failed",
        "test_it.py::test_skipped": "skipped",
        "test_it.py::test_error": "error",
    }
    for phase in ("setup", "call", "teardown"):
        in_journal = sum(event["us"] for event in journal if event["e"] == phase)
        assert round(sum(row[phase] for row in tests) * 1e6) == in_journal
    workers = {worker["name"] for worker in data["workers"]}
    assert workers <= ({"main"} if run_mode == "plain" else {"gw0", "gw1"})
    failures = {tests[failure["test"]]["id"].partition("::")[2]: failure for failure in data["failures"]}
    assert set(failures) == {"test_fails", "test_error"}
    assert "assert 1 == 2" in failures["test_fails"]["text"]
    assert "</script>" in failures["test_fails"]["sections"][0][1]
    assert failures["test_error"]["phase"] == "teardown"
    ran = [row for row in tests if names[row["outcome"]] != "skipped"]
    longest = max(row["setup"] + row["call"] + row["teardown"] for row in ran)
    assert data["durations"]["test"]["max"] == pytest.approx(longest)


def test_the_timeline_is_compared_with_the_previous_run(suite: Suite) -> None:
    suite.test(TESTS)
    suite.run("--rustpar-timeline=report.html")
    assert page_data(suite.path / "report.html")["previous"] is None
    suite.run("--rustpar-timeline=report.html")
    data = page_data(suite.path / "report.html")
    assert data["previous"]["counts"] == {"passed": 11, "failed": 1, "error": 1, "skipped": 1}
    assert all(row["previous"] is not None for row in rows(data))


def test_a_crash_is_marked(suite: Suite) -> None:
    suite.test("import os\ndef test_dies(): os._exit(3)\ndef test_lives(): pass\n")
    suite.run("--rustpar-timeline=report.html")
    data = page_data(suite.path / "report.html")
    (mark,) = data["marks"]
    assert (mark["kind"], mark["text"].endswith("ended with exit status 3")) == ("crash", True)
    (dead,) = [row for row in rows(data) if row["id"].endswith("test_dies")]
    assert data["outcomes"][dead["outcome"]] == "crashed"
    assert dead["end"] > dead["start"]
    assert data["workers"][dead["worker"]]["ended"] == "crashed"


def test_a_file_that_cannot_be_collected_is_shown_as_an_error(suite: Suite) -> None:
    suite.write({"test_bad.py": "import nowhere\n"})
    for n in (None, "2"):
        suite.run("--rustpar-timeline=report.html", n=n)
        data = page_data(suite.path / "report.html")
        assert data["tests"]["id"] == ["test_bad.py"]
        assert data["counts"] == {"error": 1}
        assert "No module named 'nowhere'" in data["failures"][0]["text"]


def test_the_timeline_of_several_runs_counts_deciding_attempts(suite: Suite) -> None:
    suite.write({"test_broken.py": "import nowhere\n"})
    suite.test(
        """
        import os, pytest

        @pytest.mark.parametrize("n", range(9))
        def test_passes(n): pass

        def test_fails(): assert os.path.exists("mended")
        """
    )
    names = []
    keep_on = ("--rustpar-shard-by=hash", "--continue-on-collection-errors")
    for shard in ("1/3", "2/3", "3/3"):
        names.append(f"{shard[0]}.jsonl")
        suite.run(*keep_on, f"--rustpar-shard={shard}", f"--rustpar-journal={names[-1]}")
    suite.write({"mended": ""})
    names.append("again.jsonl")
    suite.run(*keep_on, "--lf", "--rustpar-journal=again.jsonl")
    output_of(suite, "merge", *names, "-o", "all.jsonl")
    output_of(suite, "report", "all.jsonl", "--timeline=all.html")
    data = page_data(suite.path / "all.html")
    assert data["counts"] == {"passed": 10, "error": 1}
    assert (data["run"]["collected"], data["run"]["ran"]) == (10, 10)
    shown_ids = [data["tests"]["id"][failure["test"]] for failure in data["failures"]]
    assert shown_ids == ["test_broken.py"]
    superseded = [data["tests"]["id"][failure["test"]] for failure in data["superseded"]]
    assert superseded == ["test_it.py::test_fails"]


@pytest.mark.parametrize("n", [None, "2"])
def test_timeline_and_trace_need_no_cache(suite: Suite, n: str | None) -> None:
    suite.test(TESTS)
    suite.run("--rustpar-timeline=report.html", "-p", "no:cacheprovider", n=n)
    assert len(page_data(suite.path / "report.html")["tests"]["id"]) == 13


def test_a_timeline_or_trace_that_cannot_be_written_is_reported_in_one_line(suite: Suite) -> None:
    suite.test("def test_it(): pass\n")
    run = suite.run("--rustpar-timeline=nowhere/report.html")
    assert run.ret == 0
    assert "No such file or directory" in run.line("rustpar: could not write the timeline: ")


def test_a_timeline_can_be_made_from_a_kept_journal(suite: Suite) -> None:
    suite.test(TESTS)
    suite.run()
    command = [sys.executable, "-m", "rustpar.cli", "report", "--timeline", "later.html"]
    subprocess.run(command, cwd=suite.path, check=True, timeout=RUN_LIMIT)
    assert len(page_data(suite.path / "later.html")["tests"]["id"]) == 13


def previous_of(suite: Suite, journal: Path) -> Any:
    """Return the previous run in the timeline of a journal."""
    command = [sys.executable, "-m", "rustpar.cli", "report", str(journal), "--timeline", "later.html"]
    subprocess.run(command, cwd=suite.path, check=True, timeout=RUN_LIMIT)
    return page_data(suite.path / "later.html")["previous"]


def test_an_unreadable_previous_run_is_ignored(suite: Suite) -> None:
    suite.test(TESTS)
    suite.run(n=None)
    (first,) = journals(suite)
    with first.open("ab") as file:
        file.write(b"\0\n")
    run = suite.run("--rustpar-timeline=report.html", n=None)
    assert "report.html" in run.line("rustpar: timeline: ")
    assert page_data(suite.path / "report.html")["previous"] is None


def test_files_beside_a_named_journal_are_not_a_previous_run(suite: Suite) -> None:
    suite.test(TESTS)
    for shard in ("1/2", "2/2"):
        suite.run(f"--rustpar-shard={shard}", f"--rustpar-journal=journal-{shard[0]}.jsonl", n=None)
    run = suite.run("--rustpar-journal=whole.jsonl", "--rustpar-timeline=report.html", n=None)
    assert run.line("rustpar: timeline: ")
    assert page_data(suite.path / "report.html")["previous"] is None
    assert previous_of(suite, suite.path / "journal-2.jsonl") is None


def test_no_run_is_compared_with_itself(suite: Suite) -> None:
    suite.test(TESTS)
    suite.run("-k", "passes", n=None)
    for _ in range(2):
        suite.run(n=None)
    first, second, third = journals(suite)
    command = [sys.executable, "-m", "rustpar.cli", "merge", str(second), str(third), "-o", str(third)]
    subprocess.run(command, cwd=suite.path, check=True, timeout=RUN_LIMIT)
    second.write_bytes(third.read_bytes())
    for journal in (second, third):
        assert previous_of(suite, journal)["counts"] == {"passed": 10}
    first.unlink()
    assert previous_of(suite, third) is None
