"""The file of a journal: which files it may replace, and the effects of other runs on it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.harness import RUN_LIMIT
from tests.journals import events, journals

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import Suite

ONE = "def test_it(): pass\n"

# A test that waits for the meeting point "go", and one that does not wait.
WAITING = """
    from support import arrive, wait_for

    def test_waits():
        arrive("begun")
        wait_for("go")

    def test_other(): pass
"""


def is_of_one_run(journal: Path) -> bool:
    return [event["e"] for event in events(journal)].count("run") == 1


def test_other_files_in_the_cache_directory_are_not_deleted(suite: Suite) -> None:
    suite.test(ONE)
    suite.write({"pytest.ini": "[pytest]\ncache_dir = build\n"})
    suite.write({f"build/data{number}.jsonl": f"{number}\n" for number in range(12)})
    for _ in range(2):
        run = suite.run("--rustpar-journal=build/own.jsonl", "-o", "rustpar_journals=1", n=None)
        assert (run.ret, "rustpar: the journal" in run.text) == (0, False)
        assert is_of_one_run(suite.path / "build/own.jsonl")
    assert len(list((suite.path / "build").glob("data*.jsonl"))) == 12


def test_a_named_journal_in_the_cache_directory_deletes_no_other(suite: Suite) -> None:
    suite.test(ONE)
    suite.run(n=None)
    (kept,) = journals(suite)
    assert suite.run(f"--rustpar-journal={kept.parent / 'own.jsonl'}", "-o", "rustpar_journals=1", n=None).ret == 0
    assert kept.exists()
    assert is_of_one_run(kept.parent / "own.jsonl")


def test_a_symlink_is_kept_and_its_target_is_replaced(suite: Suite) -> None:
    suite.test(ONE)
    (suite.path / "link.jsonl").symlink_to("own.jsonl")
    for _ in range(2):
        assert suite.run("--rustpar-journal=link.jsonl", n=None).ret == 0
        assert (suite.path / "link.jsonl").is_symlink()
        assert is_of_one_run(suite.path / "own.jsonl")


@pytest.mark.parametrize("n", [None, "2"])
def test_a_pipe_or_a_directory_is_refused(suite: Suite, n: str | None) -> None:
    suite.test(ONE)
    os.mkfifo(suite.path / "pipe")
    (suite.path / "directory").mkdir()
    for name in ("pipe", "directory"):
        run = suite.run(f"--rustpar-journal={name}", n=n)
        assert run.ret == pytest.ExitCode.USAGE_ERROR
        assert f"{name} is not a regular file, and is not overwritten" in run.err
    assert (suite.path / "pipe").is_fifo()


def test_dev_null_disables_the_journal_but_thresholds_are_evaluated(suite: Suite) -> None:
    suite.test(ONE)
    (suite.path / "null").symlink_to(os.devnull)
    for count, status in ((1, 0), (2, 1)):
        run = suite.run("--rustpar-journal=null", f"--rustpar-thresholds=count=={count}", n=None)
        assert (run.ret, "could not check the thresholds" in run.text) == (status, False)
    assert (suite.path / "null").is_symlink()
    assert not journals(suite)


@pytest.mark.parametrize("n", ["0", "2"])
def test_thresholds_are_not_evaluated_with_the_journal_of_another_run(suite: Suite, n: str) -> None:
    suite.test(WAITING)
    given = ("--rustpar-journal=own.jsonl", "--rustpar-thresholds=count<=2", "--rustpar-timeline=report.html")
    process = suite.start("--dist=loadfile", *given, n=n)
    suite.wait_for("begun")
    assert suite.run("--rustpar-journal=own.jsonl", "-k", "other", n=None).ret == 0
    suite.write({"go.here": ""})
    run = suite.wait_for_exit(process)
    assert (run.ret, run.section("thresholds")) == (
        1,
        ["could not check the thresholds: the run's journal is incomplete"],
    )
    assert run.line("rustpar: the journal ").endswith("was replaced during the run; give each run a file of its own")
    assert "rustpar: could not write the timeline: the run's journal is incomplete" in run.text
    assert not (suite.path / "report.html").exists()


def test_the_journal_of_a_run_in_progress_is_not_deleted(suite: Suite) -> None:
    suite.test(WAITING)
    one = ("-o", "rustpar_journals=1")
    process = suite.start(*one, "--rustpar-thresholds=count==2", n="0")
    suite.wait_for("begun")
    (first,) = journals(suite)
    suite.run(*one, "-k", "other", n=None)
    assert len(journals(suite)) == 2
    suite.write({"go.here": ""})
    assert suite.wait_for_exit(process).ret == 0
    assert is_of_one_run(first)
    suite.run(*one, "-k", "other", n=None)
    (last,) = journals(suite)
    assert last != first


def test_several_runs_in_a_process_have_a_journal_each(suite: Suite) -> None:
    suite.test(ONE)
    suite.write(
        {"several.py": "import pytest\nprint([int(pytest.main(['--rustpar-thresholds=count==1'])) for _ in 'abc'])\n"}
    )
    ended = subprocess.run(
        [sys.executable, "several.py"], cwd=suite.path, capture_output=True, text=True, timeout=RUN_LIMIT
    )
    assert ended.stdout.splitlines()[-1] == "[0, 0, 0]"
    assert [is_of_one_run(journal) for journal in journals(suite)] == [True] * 3
