"""The text of the live block, and durations as people write and read them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import pytest
from _pytest._io.wcwidth import wcswidth

from rustpar import _core
from rustpar.terminal.live_text import ASCII, DRAWN, Running, Signs, Size, Style, lines, time_left


@dataclass
class Status:
    """How far a run is, in words of the test."""

    tests: int = 10
    finished: int = 5
    expected: float = 20.0
    done: float = 10.0
    is_known: bool = True
    least_left: float = 0.0
    elapsed: float = 5.0
    workers: list[tuple[int, int | None, float]] = field(default_factory=lambda: [(0, 1, 0.1), (1, 2, 0.1)])


def shown(
    status: Status, *running: Running, columns: int = 80, height: int = 24, signs: Signs = DRAWN, **counts: int
) -> list[str]:
    style = Style(lambda text, **_: text, signs)
    return lines(cast("_core.Status", status), counts, running, Size(columns, height), style)


def left(**about: float | bool) -> float | None:
    return time_left(cast("_core.Status", Status(**about)), 2)  # type: ignore[arg-type]


def test_the_first_line_has_percentage_bar_tests_outcomes_and_time_left() -> None:
    assert shown(Status(), passed=3, failed=1, skipped=1, deselected=7) == [
        " 50% ━━━━━━━━━━━━━─────────────  5/10  3 passed  1 failed  1 skipped  0:05 left"
    ]


def test_a_terminal_that_knows_no_other_signs_gets_ascii() -> None:
    assert shown(Status(), signs=ASCII)[0] == f" 50% {'=' * 16}{'-' * 16}  5/10  0:05 left"


def test_the_longest_running_tests_come_first_and_short_ones_are_not_named() -> None:
    running = [Running(f"gw{n}", f"test_it.py::test_{n}", seconds) for n, seconds in enumerate((1.0, 75.0, 0.1, 9.96))]
    assert shown(Status(), *running)[1:] == [
        "gw1  1:15 min  test_it.py::test_1",
        "gw3    10.0 s  test_it.py::test_3",
        "gw0     1.0 s  test_it.py::test_0",
    ]


def test_at_most_four_tests_are_named_and_fewer_on_a_low_terminal() -> None:
    running = [Running(f"gw{n}", "test_it.py::test_it", 10.0 - n) for n in range(9)]
    assert [len(shown(Status(), *running, height=height)) for height in (24, 6, 5, 4, 3, 2, 1)] == [5, 4, 3, 2, 1, 0, 0]


@pytest.mark.parametrize("columns", range(1, 100))
def test_no_line_is_wider_than_the_terminal_leaves_room_for(columns: int) -> None:
    running = [
        Running("gw0", "test_it.py::test_日本語の長い名前を持つテスト", 2.0),
        Running("gw10", "test_\n\x1b[m.py", 1.0),
    ]
    found = shown(Status(), *running, columns=columns, passed=1234, failed=2, error=3, xfailed=4)
    assert len(found) == 3
    assert all(0 <= wcswidth(line) < columns for line in found)


def test_of_a_node_id_that_is_too_long_the_end_is_shown() -> None:
    line = shown(Status(), Running("gw0", "tests/deep/below/test_it.py::test_the_thing", 2.0), columns=40)[1]
    assert (
        line
        == "gw0  2.0 s  …/test_it.py::test_the_thing"[:12] + "…" + "tests/deep/below/test_it.py::test_the_thing"[-26:]
    )


def test_nothing_is_said_of_the_time_left_where_nothing_is_known() -> None:
    assert left(is_known=False, elapsed=0.5) is None
    assert left(is_known=False, done=0.0) is None
    assert left(is_known=False, elapsed=10.0) == 10.0


def test_the_history_is_believed_at_first_and_the_run_itself_later() -> None:
    at_first, later = left(done=0.0, elapsed=0.0), left(done=10.0, elapsed=1000.0)
    assert at_first == 10.0
    assert later is not None
    assert 500 < later <= 1000


def test_the_time_left_is_not_less_than_the_longest_running_test_needs() -> None:
    assert left(done=19.0, least_left=30.0) == 30.0
