"""The history of durations and outcomes, and the command `rustpar history`."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core
from tests.harness import RUN_LIMIT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import Run, Suite

TESTS = """
    import time
    import pytest
    def test_slow(): time.sleep(0.05)
    def test_fails(): assert 0
    def test_skipped(): pytest.skip("not today")
    @pytest.mark.xfail
    def test_expected(): assert 0
"""
SLOW_FIXTURES = """
    import time
    import pytest

    @pytest.fixture(scope="session")
    def inner():
        time.sleep(0.8)

    @pytest.fixture(scope="module")
    def outer(request):
        request.getfixturevalue("inner")
        time.sleep(0.2)

    @pytest.fixture
    def own():
        time.sleep(0.2)

    def test_it(outer, own): pass
"""


def history_file(suite: Suite) -> Path:
    """Return the path of the history file in pytest's cache."""
    return suite.path / ".pytest_cache/d/rustpar/history.json"


def content(file: Path) -> dict[str, Any]:
    """Return the contents of a history file."""
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def command(suite: Suite, *args: str) -> subprocess.CompletedProcess[str]:
    """Run `rustpar history`."""
    run = [sys.executable, "-m", "rustpar.cli", "history", *args]
    return subprocess.run(run, cwd=suite.path, capture_output=True, text=True, timeout=RUN_LIMIT)


def test_a_run_records_durations_and_outcomes_of_its_tests(suite: Suite, run_mode: str) -> None:
    suite.test(TESTS)
    # How a run is added to the ones before does not depend on the run mode.
    times = 2 if run_mode == "plain" else 1
    for _ in range(times):
        suite.run_in(run_mode)
    tests = content(history_file(suite))["tests"]
    outcomes = {name.removeprefix("test_it.py::"): (about["o"], about["n"]) for name, about in tests.items()}
    assert outcomes == {
        "test_slow": ("p", times),
        "test_fails": ("f", times),
        "test_skipped": ("s", times),
        "test_expected": ("p", times),
    }
    assert tests["test_it.py::test_fails"]["f"] == times
    assert all(0.05e6 <= value < 2e6 for value in (tests["test_it.py::test_slow"][key][1] for key in "al"))


@pytest.mark.parametrize("run_mode", ["plain", "template", "early"])
def test_the_time_of_a_shared_fixture_is_recorded_separately(suite: Suite, run_mode: str) -> None:
    suite.test(SLOW_FIXTURES)
    assert suite.run_in(run_mode).counts() == {"passed": 1}
    history, _ = _core.History.load(history_file(suite))
    inner, outer = history.fixture_seconds(["test_it.py::inner", "test_it.py::outer"])
    (expected,) = history.expected(["test_it.py::test_it"])
    assert inner is not None
    assert outer is not None
    assert expected is not None
    assert inner >= 0.8
    assert 0.2 <= outer < 0.8
    assert 0.2 <= expected < 0.8


def test_setup_functions_of_modules_are_shared_fixtures(suite: Suite) -> None:
    suite.test("import time\ndef setup_module(): time.sleep(0.1)\ndef test_it(): pass\n")
    suite.run()
    ((key, about),) = content(history_file(suite))["fixtures"].items()
    assert key.startswith("test_it.py::_xunit_setup_module")
    assert about["a"] >= 0.1e6


def test_the_traceback_of_a_shared_fixture_that_fails_is_that_of_plain_pytest(suite: Suite) -> None:
    suite.conftest("import pytest\n@pytest.fixture(scope='session')\ndef broken(): raise ValueError('no')\n")
    suite.test("def test_it(broken): pass\n")
    plain = suite.plain().report("test_it", "setup")
    assert suite.run(n=None).report("test_it", "setup")["longrepr"] == plain["longrepr"]
    assert suite.run().report("test_it", "setup")["longrepr"] == plain["longrepr"]


def test_two_simultaneous_runs_are_both_recorded(suite: Suite) -> None:
    suite.write(
        {
            "test_a.py": "from support import meet\ndef test_a(): meet('a', 'b')\n",
            "test_b.py": "from support import meet\ndef test_b(): meet('b', 'a')\n",
        }
    )
    started = [suite.start(file) for file in ("test_a.py", "test_b.py")]
    for process in started:
        suite.wait_for_exit(process)
    assert set(content(history_file(suite))["tests"]) == {"test_a.py::test_a", "test_b.py::test_b"}


DAMAGED = {
    "empty": "",
    "not JSON": "{",
    "other JSON": '{"tests": 3}',
    "zeros": "\0\0",
    "version 0": '{"format":"rustpar-history","version":0}',
}


def damage(suite: Suite, text: str) -> None:
    suite.test("def test_it(): pass\n")
    history_file(suite).parent.mkdir(parents=True)
    history_file(suite).write_text(text)


def assert_reported_and_replaced(suite: Suite, run: Run) -> None:
    assert run.counts() == {"passed": 1}, run.text
    assert run.ret == 0
    assert "history.json is damaged" in run.line("history.json")
    assert list(content(history_file(suite))["tests"]) == ["test_it.py::test_it"]


def test_a_damaged_file_is_reported_in_one_line_and_replaced(suite: Suite) -> None:
    for name, text in DAMAGED.items():
        damage(suite.part(name), text)
    for name, run in suite.run_each(dict.fromkeys(DAMAGED, ("-Werror",))).items():
        assert_reported_and_replaced(suite.part(name), run)
    for name, run in suite.run_each(dict.fromkeys(DAMAGED, ())).items():
        assert "history.json" not in run.text, name


def test_a_damaged_file_is_reported_in_one_line_and_replaced_with_workers(suite: Suite) -> None:
    damage(suite, DAMAGED["zeros"])
    assert_reported_and_replaced(suite, suite.run("-Werror"))
    assert "history.json" not in suite.run().text


def test_a_file_of_a_newer_version_is_not_changed(suite: Suite) -> None:
    suite.test("def test_it(): pass\n")
    history_file(suite).parent.mkdir(parents=True)
    newer = '{"format":"rustpar-history","version":7,"tests":[]}'
    history_file(suite).write_text(newer)
    run = suite.run()
    assert run.ret == 0
    assert run.line("history.json").endswith(
        "has format 7, known here is 1: update pytest-rustpar, or name another file"
    )
    assert history_file(suite).read_text() == newer


def test_a_file_that_cannot_be_written_is_reported_in_one_line(suite: Suite) -> None:
    suite.test("def test_it(): pass\n")
    suite.write({"file": ""})
    run = suite.run("--rustpar-history=file/history.json")
    assert run.ret == 0
    assert run.line("rustpar: the history in").startswith("rustpar: the history in ")


def test_a_path_on_the_command_line_is_relative_to_the_current_directory(suite: Suite) -> None:
    suite.test("def test_it(): pass\n")
    suite.run("--rustpar-history=kept/here.json", "-p", "no:cacheprovider")
    assert content(suite.path / "kept/here.json")["version"] == 1
    assert not (suite.path / ".pytest_cache").exists()


def test_a_path_in_the_ini_file_is_relative_to_rootdir(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    suite.write({"pytest.ini": "[pytest]\nrustpar_history = kept.json\n", "sub/test_it.py": "def test_it(): pass\n"})
    monkeypatch.chdir(suite.path / "sub")
    monkeypatch.setenv("PYTHONPATH", str(suite.path))
    suite.run(str(suite.path / "sub"))
    assert list(content(suite.path / "kept.json")["tests"]) == ["sub/test_it.py::test_it"]


def test_nothing_is_recorded_without_test_runs_or_without_a_cache(suite: Suite) -> None:
    options = ["--collect-only", "--setup-only", "--setup-plan", "-pno:cacheprovider"]
    for option in options:
        suite.part(option).test("def test_it(): pass\n")
    for option, run in suite.run_each({option: [option] for option in options}).items():
        assert run.ret == 0, option
        assert not history_file(suite.part(option)).exists(), option


def test_an_interrupted_run_records_the_tests_that_finished(suite: Suite) -> None:
    suite.test("def test_a(): pass\ndef test_b(): raise KeyboardInterrupt\n")
    suite.run(n=None)
    assert list(content(history_file(suite))["tests"]) == ["test_it.py::test_a"]


def test_a_crash_is_recorded_as_a_failure(suite: Suite) -> None:
    suite.test("import os\ndef test_dies(): os._exit(3)\n")
    suite.run()
    history, _ = _core.History.load(history_file(suite))
    assert history.failed(["test_it.py::test_dies", "no such"]) == [True, False]


def test_the_history_is_read_once_and_shared(suite: Suite) -> None:
    suite.test("def test_it(): pass\n")
    suite.run(n=None)
    suite.conftest(
        """
        from rustpar.recording.history import history_of
        def pytest_sessionfinish(session):
            history = history_of(session.config)
            assert history is history_of(session.config)
            assert len(history) == 1 and history.expected(["test_it.py::test_it"])[0] > 0
        """
    )
    assert suite.run(n=None).ret == 0


# The command `rustpar history`


def test_show_lists_slow_and_failing_tests(suite: Suite) -> None:
    suite.write({"test_it.py": TESTS, "test_fixtures.py": SLOW_FIXTURES})
    suite.run()
    (suite.path / "below").mkdir()
    shown = command(suite, "show", "--slowest", "1").stdout
    assert "5 tests, 2 shared fixtures" in shown
    lines = [line.split() for line in shown.splitlines()]
    named = [line[-1] for line in lines if line and "::" in line[-1]]
    assert named == ["test_fixtures.py::test_it", "test_fixtures.py::inner", "test_it.py::test_fails"]


def test_merge_merges_the_files_of_shards(suite: Suite) -> None:
    suite.write({"test_a.py": "def test_a(): pass\n", "test_b.py": "def test_b(): pass\n"})
    for shard in "ab":
        suite.run(f"test_{shard}.py", f"--rustpar-history={shard}.json", n=None)
    done = command(suite, "merge", "all.json", "a.json", "b.json")
    assert (done.returncode, done.stdout) == (0, "all.json: 2 tests\n")
    assert set(content(suite.path / "all.json")["tests"]) == {"test_a.py::test_a", "test_b.py::test_b"}


def test_prune_removes_tests_that_have_not_run_for_a_long_time(suite: Suite) -> None:
    suite.test("def test_it(): pass\n")
    suite.run(n=None)
    file = history_file(suite)
    old = content(file)
    old["tests"]["gone"] = old["tests"]["test_it.py::test_it"] | {"t": 1}
    file.write_text(json.dumps(old))
    assert "1 test or fixture deleted, 1 test left" in command(suite, "prune", "--days", "30").stdout
    assert list(content(file)["tests"]) == ["test_it.py::test_it"]


def test_export_writes_seconds(suite: Suite) -> None:
    suite.test(TESTS)
    suite.run(n=None)
    exported = json.loads(command(suite, "export").stdout)
    (slow,) = [test for test in exported["tests"] if test["test"] == "test_it.py::test_slow"]
    assert 0.05 <= slow["call"] < 2
    rows = list(csv.DictReader(command(suite, "export", "--format", "csv").stdout.splitlines()))
    assert [row["outcome"] for row in rows] == [test["outcome"] for test in exported["tests"]]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["show"], "run the tests first, or name a file"),
        (["show", "none.json"], "there is no file none.json"),
        (["export", "bad.json"], "the history in bad.json is damaged"),
        (["prune", "bad.json"], "the history in bad.json is damaged"),
        (["merge", "out.json", "bad.json"], "the history in bad.json is damaged"),
    ],
)
def test_an_error_of_the_command_is_one_line_and_status_2(suite: Suite, args: list[str], message: str) -> None:
    suite.write({"bad.json": "[1]"})
    done = command(suite, *args)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (suite.path / "out.json").exists()
