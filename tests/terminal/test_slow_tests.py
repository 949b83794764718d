"""Slow tests, percentiles, what workers did, and how close a run came to its bound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core
from rustpar.terminal import timing_text
from tests.journals import written

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import Suite

# The run that the lines below tell of: a worker sets up a fixture, and has the slowest test.
RUN = [
    {"e": "collected", "at": 0, "ids": ["a.py::slow", "a.py::test", "b.py::test"], "usual": [1_000_000, None, 9]},
    {"e": "start", "at": 0, "start": "template", "workers": 2, "dist": "load"},
    {"e": "fixture", "t": 0, "w": 0, "key": "a::db", "us": 400_000},
    {"e": "setup", "t": 0, "w": 0, "at": 0, "us": 500_000, "o": "passed"},
    {"e": "call", "t": 0, "w": 0, "at": 500_000, "us": 2_900_000, "o": "passed"},
    {"e": "teardown", "t": 0, "w": 0, "at": 3_400_000, "us": 100_000, "o": "passed"},
    {"e": "setup", "t": 2, "w": 1, "at": 0, "us": 0, "o": "passed"},
    {"e": "call", "t": 2, "w": 1, "at": 0, "us": 9, "o": "passed"},
    {"e": "call", "t": 1, "w": 1, "at": 1_000_000, "us": 1_000_000, "o": "passed"},
]


@pytest.fixture
def tests(suite: Suite) -> Suite:
    """Two tests."""
    suite.test("def test_one(): pass\ndef test_two(): pass\n")
    return suite


def timing_of(path: Path, events: list[dict[str, Any]], **options: str) -> _core.Timing:
    """What is known of a run whose journal is written by hand."""
    return _core.Timing.read(written(path, events, **options))


def test_tests_over_the_limit_are_listed_by_phase_with_their_worker(tests: Suite, way: str) -> None:
    run = tests.run_in(way, "--rustpar-slow=0s")
    head, *rows = run.section("slow tests (0 us and more)")
    assert head.split() == ["whole", "set-up", "call", "teardown", "worker", "test"]
    workers = {"main"} if way == "plain" else {"gw0", "gw1"}
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


def test_a_limit_that_makes_no_sense_is_refused(tests: Suite) -> None:
    assert (
        "invalid duration 'soon': expected for example 500ms, 1s or 1.5m"
        in tests.run("--rustpar-slow=soon", n=None).text
    )
    tests.write({"pytest.ini": "[pytest]\nrustpar_slow = soon\n"})
    run = tests.run(n=None)
    assert run.ret == 4
    assert "rustpar_slow: invalid duration 'soon'" in run.text


def test_nothing_is_shown_that_nobody_asked_for(tests: Suite, way: str) -> None:
    run = tests.run_in(way)
    assert "slow tests" not in run.out
    assert "p95" not in run.out


def test_q_shows_no_section(tests: Suite) -> None:
    assert "slow tests" not in tests.run("-q", "--rustpar-slow=0s", n=None).out


def test_v_shows_percentiles_and_what_workers_did(tests: Suite, way: str) -> None:
    run = tests.run_in(way, "-v")
    rows = [line.split() for line in run.section("timing")]
    assert rows[0] == ["count", "p50", "p95", "p99", "max"]
    assert [row[:2] for row in rows[1:5]] == [[name, "2"] for name in ("tests", "set-up", "call", "teardown")]
    if way == "plain":
        assert len(rows) == 5
        return
    assert rows[6] == ["worker", "tests", "busy", "set-up", "shared", "fixtures", "idle"]
    workers = [row for row in rows if row and row[0].startswith("gw")]
    assert sum(int(row[1]) for row in workers) == 2
    assert rows[-2][:4] == ["tests", "ran", "for", rows[-2][3]]
    assert rows[-1][:3] == ["what", "decides", "it:"]


def test_without_a_cache_v_shows_the_same(tests: Suite) -> None:
    assert tests.run("-v", "-p", "no:cacheprovider").section("timing")


def test_node_ids_are_relative_to_where_pytest_was_started(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    suite.write({"pytest.ini": "[pytest]\n", "sub/test_it.py": "def test_it(): pass\n"})
    monkeypatch.setenv("PYTHONPATH", str(suite.path))
    monkeypatch.chdir(suite.path / "sub")
    rows = suite.run("--rustpar-slow=0s", n=None).section("slow tests (0 us and more)")
    assert rows[1].endswith("  test_it.py::test_it")


def test_a_run_without_tests_has_nothing_to_show(suite: Suite) -> None:
    suite.test("")
    run = suite.run("-v", n=None)
    assert run.ret == 5
    assert not run.section("timing")


def test_the_longest_comes_first_beside_its_usual_time(tmp_path: Path) -> None:
    timing = timing_of(tmp_path / "j", RUN)
    assert list(timing_text.slow_lines(timing, str)) == [
        (" whole  set-up    call  teardown  worker                  test", False),
        ("3.50 s  500 ms  2.90 s    100 ms  gw0     3.1x its usual  a.py::slow", True),
        ("1.00 s          1.00 s            gw1                     a.py::test", False),
    ]


def test_the_limit_of_the_run_counts(tmp_path: Path) -> None:
    timing = timing_of(tmp_path / "j", RUN, rustpar_slow="2.0")
    assert (timing.slow_limit, [row[0] for row in timing.slow()]) == (2.0, ["a.py::slow"])


def test_percentiles_workers_and_what_decides(tmp_path: Path) -> None:
    assert list(timing_text.timing_lines(timing_of(tmp_path / "j", RUN), str)) == [
        "          count     p50     p95     p99     max",
        "tests         3  1.00 s  3.50 s  3.50 s  3.50 s",
        "set-up        2    0 us  500 ms  500 ms  500 ms",
        "call          3  1.00 s  2.90 s  2.90 s  2.90 s",
        "teardown      1  100 ms  100 ms  100 ms  100 ms",
        "",
        "worker  tests    busy         set-up  shared fixtures    idle",
        "gw0         1  3.50 s  100 %  500 ms           400 ms    0 us",
        "gw1         2  1.00 s   29 %    0 us             0 us  2.50 s",
        "tests ran for 3.50 s; lower bound 3.50 s (0 % above)",
        "what decides it: a.py::slow alone takes 3.50 s; everything divided by 2 workers would be 2.25 s",
    ]


@pytest.mark.parametrize(
    ("dist", "groups", "words"),
    [
        ("load", [], "a.py::slow alone takes 3.50 s"),
        ("loadfile", [], "a.py (2 tests) alone takes 4.50 s"),
        ("loadgroup", ["db", None, "db"], "db (2 tests) alone takes 3.50 s"),
    ],
)
def test_what_decided_is_named(tmp_path: Path, dist: str, groups: list[str | None], words: str) -> None:
    collected, start, *rest = RUN
    events = [collected | {"groups": groups}, start | {"dist": dist}, *rest]
    assert words in list(timing_text.timing_lines(timing_of(tmp_path / "j", events), str))[-1]


def test_what_is_no_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "j").write_text("{}\n")
    with pytest.raises(ValueError, match="is no journal of a run"):
        _core.Timing.read(tmp_path / "j")
    with pytest.raises(OSError, match="cannot be read"):
        _core.Timing.read(tmp_path / "none")


@pytest.mark.parametrize("count", [25, 26, 300])
def test_the_list_ends_and_says_how_many_more_there_are(suite: Suite, count: int) -> None:
    suite.test(f"import pytest\n@pytest.mark.parametrize('n', range({count}))\ndef test_it(n): pass\n")
    _, *rows = suite.run("--rustpar-slow=0s").section("slow tests (0 us and more)")
    assert sum("test_it.py::test_it[" in row for row in rows) == 25
    assert rows[25:] == ([f"and {count - 25} more"] if count > 25 else [])
