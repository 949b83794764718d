"""The timing report: slow tests, percentiles, worker utilization, and the lower bound."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rustpar import _core

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import Run, Suite


@pytest.fixture
def tests(suite: Suite) -> Suite:
    """Two tests."""
    suite.test("def test_one(): pass\ndef test_two(): pass\n")
    return suite


def test_tests_over_the_limit_are_listed_with_their_worker_and_v_shows_percentiles_and_utilization(
    tests: Suite, run_mode: str
) -> None:
    run = tests.run_in(run_mode, "-v", "--rustpar-slow=0s")
    assert_utilization_is_shown(run, run_mode)
    head, *rows = run.section("slow tests (0 us and more)")
    assert head.split() == ["whole", "set-up", "call", "teardown", "worker", "test"]
    workers = {"main"} if run_mode == "plain" else {"gw0", "gw1"}
    assert {row.split()[-1] for row in rows} == {"test_it.py::test_one", "test_it.py::test_two"}
    assert {row.split()[8] for row in rows} <= workers
    assert run.ret == 0


def test_the_next_run_compares_with_the_history(tests: Suite) -> None:
    tests.run("--rustpar-slow=0s", n=None)
    rows = tests.run("--rustpar-slow=0s", n=None).section("slow tests (0 us and more)")[1:]
    assert all("x its usual" in row for row in rows)


def test_the_ini_file_has_a_limit_too(tests: Suite) -> None:
    tests.write({"pytest.ini": "[pytest]\nrustpar_slow = 0ms\n"})
    assert tests.run(n=None).section("slow tests (0 us and more)")
    assert not tests.run("--rustpar-slow=1000s", n=None).section("slow tests (1000 s and more)")


def test_an_invalid_limit_is_refused(tests: Suite) -> None:
    tests.part("option")
    tests.part("entry").write({"pytest.ini": "[pytest]\nrustpar_slow = soon\n"})
    runs = tests.run_each({"option": ["--rustpar-slow=soon"], "entry": []})
    assert "invalid duration 'soon': expected for example 500ms, 1s or 1.5m" in runs["option"].text
    assert runs["entry"].ret == 4
    assert "rustpar_slow: invalid duration 'soon'" in runs["entry"].text


@pytest.mark.parametrize("run_mode", ["plain", "template"])
def test_no_section_is_shown_by_default(tests: Suite, run_mode: str) -> None:
    run = tests.run_in(run_mode)
    assert "slow tests" not in run.out
    assert "p95" not in run.out


def test_q_shows_no_section(tests: Suite) -> None:
    assert "slow tests" not in tests.run("-q", "--rustpar-slow=0s", n=None).out


def assert_utilization_is_shown(run: Run, run_mode: str) -> None:
    rows = [line.split() for line in run.section("timing")]
    assert rows[0] == ["count", "p50", "p95", "p99", "max"]
    assert [row[:2] for row in rows[1:5]] == [[name, "2"] for name in ("tests", "set-up", "call", "teardown")]
    if run_mode == "plain":
        assert len(rows) == 5
        return
    assert rows[6] == ["worker", "tests", "busy", "set-up", "shared", "fixtures", "idle"]
    workers = [row for row in rows if row and row[0].startswith("gw")]
    assert sum(int(row[1]) for row in workers) == 2
    assert rows[-2][:4] == ["tests", "ran", "for", rows[-2][3]]
    assert rows[-1][:2] == ["limited", "by:"]


def test_without_a_cache_v_shows_the_same(tests: Suite) -> None:
    assert tests.run("-v", "-p", "no:cacheprovider").section("timing")


def test_node_ids_are_relative_to_the_current_directory(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    suite.write({"pytest.ini": "[pytest]\n", "sub/test_it.py": "def test_it(): pass\n"})
    monkeypatch.setenv("PYTHONPATH", str(suite.path))
    monkeypatch.chdir(suite.path / "sub")
    rows = suite.run("--rustpar-slow=0s", n=None).section("slow tests (0 us and more)")
    assert rows[1].endswith("  test_it.py::test_it")


def test_a_run_without_tests_shows_no_section(suite: Suite) -> None:
    suite.test("")
    run = suite.run("-v", n=None)
    assert run.ret == 5
    assert not run.section("timing")


def test_a_file_that_is_not_a_journal_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "j").write_text("{}\n")
    with pytest.raises(ValueError, match="is not the journal of a run"):
        _core.Timing.read(tmp_path / "j", tmp_path, tmp_path)
    with pytest.raises(OSError, match="cannot be read"):
        _core.Timing.read(tmp_path / "none", tmp_path, tmp_path)
