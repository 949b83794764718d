"""The commands `rustpar runs` and `rustpar merge`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.journals import RUNS, journals
from tests.reportfiles import check_junit, command, ctrf, error_of, junit_suites, micros, output_of, phases, trace

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import Suite

SIX = """
    import pytest

    @pytest.mark.parametrize("x", range(6))
    def test_it(x): assert x != 4
"""


# The journals of the two shards of `SIX`, which are the same in all tests, by their names.
_shards: dict[str, bytes] = {}


def run_shards(suite: Suite) -> list[str]:
    """Run a suite in two shards and return the names of their journals."""
    suite.test(SIX)
    names = []
    for shard in ("1/2", "2/2"):
        names.append(f"shard{shard[0]}.jsonl")
        suite.run(f"--rustpar-shard={shard}", "--rustpar-shard-by=hash", f"--rustpar-journal={names[-1]}")
    return names


def shards(suite: Suite) -> list[str]:
    """Write the journals of the two shards of a suite; return their names."""
    suite.test(SIX)
    if not _shards:
        _shards.update({name: (suite.path / name).read_bytes() for name in run_shards(suite)})
    for name, content in _shards.items():
        (suite.path / name).write_bytes(content)
    return list(_shards)


def results(suite: Suite, journal: str) -> list[tuple[str, str]]:
    """Return the outcome of each test in a journal."""
    output_of(suite, "report", journal, "--ctrf=out.json")
    return sorted((test["testId"], test["rawStatus"]) for test in ctrf(suite.path / "out.json")["tests"])


def in_python(journal: Path, version: str, copy: Path) -> None:
    """Copy a journal, changed to a run on another version of Python."""
    head, _, rest = journal.read_text(encoding="utf-8").partition("\n")
    event = json.loads(head)
    event["versions"]["python"] = version
    event["began"] += 1
    copy.write_text(json.dumps({"e": event.pop("e"), **event}) + "\n" + rest, encoding="utf-8")


def test_the_shards_of_a_run_are_merged_into_the_run(suite: Suite) -> None:
    one, two = shards(suite)
    assert suite.run().ret == 1
    (whole,) = journals(suite)
    text = output_of(suite, "merge", two, one, "-o", "all.jsonl")
    assert text.startswith("all.jsonl: 2 runs, 5 passed, 1 failed in ")
    assert results(suite, "all.jsonl") == results(suite, str(whole))
    output_of(suite, "report", "all.jsonl", "--junit=out.xml", "--trace=trace.json")
    (junit,) = junit_suites(suite.path / "out.xml")
    assert (junit.get("tests"), junit.get("failures")) == ("6", "1")
    assert len(trace(suite.path / "trace.json")) > 6


def test_the_trace_of_several_runs_has_the_durations_of_all(suite: Suite) -> None:
    names = shards(suite)
    output_of(suite, "merge", *names, "-o", "all.jsonl")
    output_of(suite, "report", "all.jsonl", "--trace=trace.json")
    blocks = [event for event in trace(suite.path / "trace.json") if event["name"] in ("setup", "call", "teardown")]
    assert sum(block["dur"] for block in blocks) == sum(micros(suite.path / name) for name in names)
    assert len(blocks) == len(phases(suite.path / "all.jsonl"))


def test_several_runs_have_their_percentiles_and_thresholds_together(suite: Suite) -> None:
    suite.conftest("def pytest_configure(config): config.option.rustpar_thresholds = 'count==6, failed_count==0'\n")
    output_of(suite, "merge", *run_shards(suite), "-o", "all.jsonl")
    text = output_of(suite, "report", "all.jsonl")
    assert [line.split()[:2] for line in text.splitlines() if line.split()[:1] == ["tests"]] == [["tests", "6"]]
    assert "\n  kept    count==6         6\n  broken  failed_count==0  1\n" in text
    assert "lower bound" not in text


def test_among_tests_with_the_same_node_id_the_failing_one_is_reported(suite: Suite) -> None:
    suite.conftest(
        """
        def pytest_collection_modifyitems(items):
            items.append(type(items[0]).from_parent(items[0].parent, name="test_it", callobj=fails))

        def fails():
            assert 0
        """
    )
    suite.test("def test_it(): pass\n")
    run = suite.run("--rustpar-journal=one.jsonl", n="1")
    assert run.counts() == {"passed": 1, "failed": 1}
    assert "1 passed, 1 failed in" in output_of(suite, "report", "one.jsonl")
    output_of(suite, "report", "one.jsonl", "--ctrf=out.json")
    assert sorted(test["status"] for test in ctrf(suite.path / "out.json")["tests"]) == ["failed", "passed"]


def test_a_rerun_decides_the_outcome_and_identifies_flaky_tests(suite: Suite) -> None:
    suite.test("import os\ndef test_it(): assert os.path.exists('mended')\ndef test_other(): pass\n")
    assert suite.run("--rustpar-journal=first.jsonl").ret == 1
    suite.write({"mended": ""})
    assert suite.run("--lf", "--rustpar-journal=again.jsonl").ret == 0
    assert "2 passed in " in output_of(suite, "merge", "again.jsonl", "first.jsonl", "-o", "all.jsonl")
    assert "passed on a second try: 1\n  test_it.py::test_it\n" in output_of(suite, "report", "all.jsonl")
    output_of(suite, "report", "all.jsonl", "--ctrf=out.json")
    found = ctrf(suite.path / "out.json")
    (flaky,) = [test for test in found["tests"] if test["flaky"]]
    assert (flaky["name"], flaky["status"], flaky["retries"]) == ("test_it", "passed", 1)
    assert [(retry["attempt"], retry["status"]) for retry in flaky["retryAttempts"]] == [(1, "failed")]
    assert found["summary"]["flaky"] == 1


def test_environments_are_reported_separately(suite: Suite) -> None:
    suite.test(SIX)
    suite.run("--rustpar-journal=one.jsonl")
    in_python(suite.path / "one.jsonl", "3.99.1", suite.path / "two.jsonl")
    output_of(suite, "merge", "one.jsonl", "two.jsonl", "-o", "all.jsonl")
    output_of(suite, "report", "all.jsonl", "--junit=out.xml")
    check_junit(suite.path / "out.xml")
    names = [junit.get("name") for junit in junit_suites(suite.path / "out.xml")]
    assert len(names) == 2
    assert names[1] == "pytest (Python 3.99.1)"
    summary = suite.path / "summary.md"
    annotations = output_of(suite, "report", "all.jsonl", "--github", GITHUB_STEP_SUMMARY=str(summary))
    assert annotations.count("::error ") == 2
    assert "(Python 3.99.1)" in annotations
    assert "| <code>Python 3.99.1</code> | 6 | 1 |" in summary.read_text()


def test_a_truncated_run_is_merged_up_to_its_last_complete_event(suite: Suite) -> None:
    one, two = shards(suite)
    content = (suite.path / two).read_bytes()
    (suite.path / two).write_bytes(content[:-20])
    output_of(suite, "merge", one, two, "-o", "all.jsonl")
    merged = (suite.path / "all.jsonl").read_bytes()
    assert merged == (suite.path / one).read_bytes() + content[: content[:-20].rindex(b"\n") + 1]


def test_a_run_given_twice_is_merged_once_also_into_an_input_file(suite: Suite) -> None:
    one, two = shards(suite)
    assert "2 runs" in output_of(suite, "merge", one, two, "-o", one)
    assert "2 runs" in output_of(suite, "merge", two, one, one, "-o", one)
    assert (suite.path / one).read_text().count('{"e":"run"') == 2


@pytest.mark.parametrize("content", ["a line\n", "no line"])
def test_a_file_that_is_not_a_journal_is_neither_read_nor_replaced(suite: Suite, content: str) -> None:
    (one, _) = shards(suite)
    suite.write({"notes.txt": content})
    assert "notes.txt is not a journal, and is not overwritten" in error_of(suite, "merge", one, "-o", "notes.txt")
    assert "notes.txt is not the journal of a run" in error_of(suite, "merge", one, "notes.txt", "-o", "all.jsonl")
    assert "gone.jsonl cannot be read" in error_of(suite, "merge", "gone.jsonl", "-o", "all.jsonl")
    assert (suite.path / "notes.txt").read_text() == content
    assert not (suite.path / "all.jsonl").exists()


def test_damage_is_reported_with_its_line_number(suite: Suite) -> None:
    suite.test(SIX)
    suite.run("--rustpar-journal=one.jsonl")
    lines = (suite.path / "one.jsonl").read_text().splitlines()
    (suite.path / "one.jsonl").write_text("\n".join([*lines[:3], "!", *lines[3:], ""]))
    assert "one.jsonl is damaged in line 4" in error_of(suite, "merge", "one.jsonl", "-o", "all.jsonl")


def test_runs_lists_the_kept_journals(suite: Suite) -> None:
    suite.test(SIX)
    suite.run("-k", "4")
    suite.run("-p", "no:cacheprovider")
    suite.run("-k", "0 or 1", n=None)
    journal = journals(suite)[-1]
    content = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(content[:-1]))
    first, counts, second, other = output_of(suite, "runs").splitlines()
    assert first.endswith(" -p recorder -n 2 -k 4")
    assert "1 failed; 1 worker," in counts
    assert counts.endswith("exit status 1")
    assert second.endswith(" -p recorder -k '0 or 1'")
    assert "2 passed; one process" in other
    assert other.endswith("incomplete")


def test_runs_can_be_written_as_json_and_found_elsewhere(suite: Suite) -> None:
    suite.test(SIX)
    suite.run()
    elsewhere = suite.path / "elsewhere"
    shutil.move(suite.path / RUNS, elsewhere)
    (run,) = json.loads(output_of(suite, "runs", "--json", "--path", os.fspath(elsewhere)))
    assert run["counts"] == {"passed": 5, "failed": 1}
    assert (run["exit"], run["workers"]) == (1, 2)
    assert "5 passed, 1 failed in " in output_of(suite, "report", "--path", "elsewhere")
    assert "there is no journal" in error_of(suite, "runs")


@pytest.mark.parametrize("damage", [b"\0\n", b'{"e":"run","format":"rustpar-journal","version":2}\n'])
def test_a_journal_that_cannot_be_read_hides_no_other(suite: Suite, damage: bytes) -> None:
    suite.test(SIX)
    for _ in range(2):
        suite.run(n=None)
    bad, good = journals(suite)
    with bad.open("ab") as file:
        file.write(damage)
    id_ = json.loads(good.read_text(encoding="utf-8").partition("\n")[0])["id"]
    for asked in (["runs"], ["runs", "--json"], ["report", id_]):
        done = command(suite, *asked)
        assert done.returncode == 0
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"rustpar {asked[0]}: the journal ")
        assert bad.name in line
        assert id_ in done.stdout or "5 passed" in done.stdout
    good.unlink()
    done = command(suite, "runs")
    assert (done.returncode, done.stdout) == (2, "")


def test_merging_into_a_symlink_writes_to_its_target(suite: Suite) -> None:
    one, two = shards(suite)
    (suite.path / "link.jsonl").symlink_to("all.jsonl")
    for _ in range(2):
        assert "2 runs" in output_of(suite, "merge", one, two, "-o", "link.jsonl")
        assert (suite.path / "link.jsonl").is_symlink()
        assert (suite.path / "all.jsonl").read_text().count('{"e":"run"') == 2


def test_runs_are_merged_into_standard_output_and_into_devices(suite: Suite) -> None:
    one, two = shards(suite)
    output_of(suite, "merge", one, two, "-o", "all.jsonl")
    merged = (suite.path / "all.jsonl").read_text(encoding="utf-8")
    assert output_of(suite, "merge", one, two, "-o", "-") == merged
    assert output_of(suite, "merge", one, two, "-o", "/dev/stdout") == merged
    (suite.path / "null").symlink_to(os.devnull)
    assert output_of(suite, "merge", one, two, "-o", "null") == ""
    assert (suite.path / "null").is_char_device()


def test_runs_are_merged_into_a_named_pipe_that_has_a_reader(suite: Suite) -> None:
    one, two = shards(suite)
    os.mkfifo(suite.path / "pipe")
    (suite.path / "directory").mkdir()
    assert "directory cannot be written: it is not a regular file" in error_of(suite, "merge", one, "-o", "directory")
    for asked in (["merge", one, two, "-o", "pipe"], ["report", one, "--junit=pipe"]):
        assert "the pipe pipe has no reader" in error_of(suite, *asked)
    reader = subprocess.Popen(["cat", "pipe"], cwd=suite.path, stdout=subprocess.PIPE, text=True)
    with reader:
        # The command opens the pipe as soon as it has started.
        while command(suite, "merge", one, two, "-o", "pipe").returncode:
            assert reader.poll() is None
        assert reader.stdout is not None
        assert reader.stdout.read().count('{"e":"run"') == 2
