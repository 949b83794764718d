"""Parts of a suite for several machines: complete, disjoint, the same for all, and about equally long."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from rustpar.collection.shard_assignment import Entry, by_duration, by_hash, expected

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.harness import Run, Suite

SEEDS = range(100)
RULES = pytest.mark.parametrize("rule", [by_duration, by_hash])

FILES = {
    f"test_{letter}.py": "import pytest\n" + "".join(f"def test_{n}(): pass\n" for n in range(count))
    for letter, count in {"a": 1, "b": 7, "c": 3}.items()
}
# Each test's seconds are its number, as if they had been remembered.
DURATIONS = """
    from rustpar.collection import shard

    def expected_seconds(config, node_ids):
        return [float(node_id.rpartition("_")[2]) for node_id in node_ids]

    shard.expected_seconds = expected_seconds
"""


# ------------------------------------------------------------------ the rules alone


def suite_of(seed: int) -> tuple[list[Entry], int]:
    """A random suite and a number of parts."""
    rng = random.Random(seed)
    known = rng.choice([0.0, 0.5, 1.0])
    scale = rng.choice([0.0, 1.0, 1.0, 1.0])
    entries = []
    for file in range(rng.randint(0, 12)):
        length = rng.paretovariate(1.2) * scale
        for test in range(rng.randint(1, 30)):
            seconds = length * rng.lognormvariate(-2, 1) if rng.random() < known else None
            group = f"group {rng.randint(0, 3)}" if rng.random() < 0.1 else None
            entries.append(Entry(f"test_{file}.py::test_{test}", test // 3, seconds, group))
    return entries, rng.randint(1, 9)


def by_node_id(entries: Sequence[Entry], parts: Sequence[int]) -> dict[str, int]:
    return {entry.node_id: part for entry, part in zip(entries, parts, strict=True)}


@RULES
def test_every_test_is_in_one_part(rule: Callable[[Sequence[Entry], int], list[int]]) -> None:
    for seed in SEEDS:
        entries, count = suite_of(seed)
        found = rule(entries, count)
        assert len(found) == len(entries)
        assert set(found) <= set(range(count))


@RULES
def test_the_order_in_which_tests_come_makes_no_difference(rule: Callable[[Sequence[Entry], int], list[int]]) -> None:
    for seed in SEEDS:
        entries, count = suite_of(seed)
        shuffled = entries[:]
        random.Random(-seed).shuffle(shuffled)
        assert by_node_id(shuffled, rule(shuffled, count)) == by_node_id(entries, rule(entries, count))


@RULES
def test_a_group_is_in_one_part(rule: Callable[[Sequence[Entry], int], list[int]]) -> None:
    for seed in SEEDS:
        entries, count = suite_of(seed)
        parts = defaultdict(set)
        for entry, part in zip(entries, rule(entries, count), strict=True):
            parts[entry.group].add(part)
        assert all(len(numbers) == 1 for group, numbers in parts.items() if group is not None)


def test_parts_differ_by_no_more_than_the_longest_of_what_stays_together() -> None:
    for seed in SEEDS:
        entries, count = suite_of(seed)
        seconds = expected(entries)
        loads = [0.0] * count
        groups: dict[str | None, float] = defaultdict(float)
        for entry, length, part in zip(entries, seconds, by_duration(entries, count), strict=True):
            loads[part] += length
            groups[entry.group] += length
        alone = max(
            (length for entry, length in zip(entries, seconds, strict=True) if entry.group is None), default=0.0
        )
        piece = sum(seconds) / count / 4
        longest = max(alone, piece, *(length for group, length in groups.items() if group is not None), 0.0)
        assert max(loads) - min(loads) <= longest + 1e-9


def test_without_durations_and_groups_parts_differ_by_a_quarter_of_their_tests() -> None:
    for seed in SEEDS:
        entries, count = suite_of(seed)
        entries = [Entry(entry.node_id, entry.line) for entry in entries]
        sizes = Counter(by_duration(entries, count))
        numbers = [sizes[part] for part in range(count)]
        assert max(numbers) - min(numbers) <= max(1, len(entries) / count / 4)


def test_tests_that_take_no_time_are_divided_by_their_number() -> None:
    entries = [Entry(f"test_{n}.py::test", 0, 0.0) for n in range(12)]
    assert sorted(Counter(by_duration(entries, 4)).values()) == [3, 3, 3, 3]


def test_short_files_stay_together_and_long_ones_are_cut_into_runs_of_neighbours() -> None:
    entries = [Entry(f"test_long.py::test_{n:02}", n, 1.0) for n in range(40)]
    entries += [Entry(f"test_{file}.py::test_{n}", n, 0.5) for file in range(10) for n in range(4)]
    parts = by_node_id(entries, by_duration(entries, 2))
    for file in range(10):
        assert len({part for node_id, part in parts.items() if node_id.startswith(f"test_{file}.py")}) == 1
    along = [part for node_id, part in sorted(parts.items()) if "long" in node_id]
    # An even part takes 30 s, a piece at most a quarter of that: 7 tests.
    assert set(along) == {0, 1}
    assert sum(one != other for one, other in pairwise(along)) <= 40 // 7


def test_what_is_not_known_takes_as_long_as_the_median_of_what_is() -> None:
    seconds = [1.0, None, 2.0, 30.0, None]
    entries = [Entry(f"test_it.py::test_{n}", n, one) for n, one in enumerate(seconds)]
    assert expected(entries) == [1.0, 2.0, 2.0, 30.0, 2.0]
    assert expected(entries[:3]) == [1.0, 1.5, 2.0]
    assert expected([]) == []


def test_by_hash_no_test_moves_when_others_are_added() -> None:
    for seed in SEEDS:
        entries, count = suite_of(seed)
        some = [entry for entry in entries if random.Random(f"{seed} {entry.node_id}").random() < 0.5]
        whole = by_node_id(entries, by_hash(entries, count))
        assert by_node_id(some, by_hash(some, count)).items() <= whole.items()


def test_by_hash_is_the_same_today_and_tomorrow() -> None:
    entries = [Entry(f"test_it.py::test_{n}") for n in range(8)]
    entries.append(Entry("test_it.py::test_[\udc80]"))
    assert by_hash(entries, 4) == [2, 1, 0, 2, 1, 0, 3, 0, 1]


# ------------------------------------------------------------------ runs


def shard(suite: Suite, part: str, *args: str, way: str = "plain") -> Run:
    return suite.run_in(way, f"--rustpar-shard={part}", *args)


@pytest.mark.parametrize("rule", ["duration", "hash"])
def test_parts_run_every_test_once(suite: Suite, way: str, rule: str) -> None:
    suite.write(FILES)
    runs = [shard(suite, f"{k}/3", f"--rustpar-shard-by={rule}", way=way) for k in (1, 2, 3)]
    assert [run.ret for run in runs] == [0, 0, 0]
    assert sum((run.runs for run in runs), Counter()) == Counter(suite.run(n=None).runs.keys())
    if way != "xdist":
        # xdist's own engine shows nothing of what its workers have collected.
        assert [run.counts()["deselected"] for run in runs] == [11 - len(run.runs) for run in runs]


def test_all_ways_to_run_divide_alike(suite: Suite, way: str) -> None:
    suite.write({**FILES, "conftest.py": DURATIONS})
    assert shard(suite, "1/2", way=way).runs == shard(suite, "1/2").runs


def test_a_line_says_what_the_part_is(suite: Suite, way: str) -> None:
    suite.write({**FILES, "conftest.py": DURATIONS})
    run = shard(suite, "1/2", way=way)
    if way != "xdist":
        assert run.line("rustpar: shard") == f"rustpar: shard 1/2: {len(run.runs)} of 11 tests, 12 of 24 s expected"


def test_a_line_without_durations_has_no_seconds(suite: Suite) -> None:
    suite.write(FILES)
    run = shard(suite, "2/2")
    assert run.line("rustpar: shard") == f"rustpar: shard 2/2: {len(run.runs)} of 11 tests"


def test_k_and_m_choose_before_the_tests_are_divided(suite: Suite) -> None:
    suite.write(FILES)
    runs = [shard(suite, f"{k}/2", "-k", "test_b", way="template") for k in (1, 2)]
    assert sorted(len(run.runs) for run in runs) == [3, 4]
    assert all(node_id.startswith("test_b.py") for run in runs for node_id in run.runs)


@pytest.mark.parametrize("way", ["plain", "template"])
@pytest.mark.parametrize("rule", ["duration", "hash"])
def test_tests_of_an_xdist_group_go_to_one_part(suite: Suite, way: str, rule: str) -> None:
    marked = 'import pytest\npytestmark = pytest.mark.xdist_group("database")\ndef test_it(): pass\n'
    suite.write({**FILES, "test_x.py": marked, "test_y.py": marked, "test_z.py": marked})
    runs = [shard(suite, f"{k}/4", "--dist=loadgroup", f"--rustpar-shard-by={rule}", way=way) for k in range(1, 5)]
    held = [sum(node_id[5] in "xyz" for node_id in run.runs) for run in runs]
    assert sorted(held) == [0, 0, 0, 3]


def test_a_shuffled_collection_is_divided_as_any_other(suite: Suite) -> None:
    suite.write(FILES)
    suite.conftest(
        """
        import random

        def pytest_collection_modifyitems(items):
            random.shuffle(items)
        """
    )
    runs = [shard(suite, f"{k}/3") for k in (1, 2, 3)]
    assert sum((run.runs for run in runs), Counter()) == Counter(suite.run(n=None).runs.keys())


def test_a_part_is_ordered_by_its_markers(suite: Suite) -> None:
    suite.test(
        """
        import pytest

        @pytest.mark.skip
        def test_1(): pass
        def test_2(): pass
        @pytest.mark.skip
        def test_3(): pass
        def test_4(): pass
        """
    )
    for part in ("1/2", "2/2"):
        run = shard(suite, part, "--rustpar-order=*, skip", "-v")
        outcomes = [r["outcome"] for r in run.reports if r["when"] == "setup"]
        assert len(outcomes) == 2
        assert outcomes == sorted(outcomes)


def test_an_empty_part_of_a_suite_succeeds(suite: Suite, way: str) -> None:
    suite.test("def test_it(): pass\n")
    runs = [shard(suite, f"{k}/3", way=way) for k in (1, 2, 3)]
    assert [run.ret for run in runs] == [0, 0, 0], runs[-1].text
    assert sorted(len(run.runs) for run in runs) == [0, 0, 1]


@pytest.mark.parametrize("way", ["plain", "template"])
def test_a_part_of_nothing_fails_as_in_plain_pytest(suite: Suite, way: str) -> None:
    suite.test("def test_it(): pass\n")
    assert shard(suite, "1/2", "-k", "nothing", way=way).ret == pytest.ExitCode.NO_TESTS_COLLECTED


@pytest.mark.parametrize("way", ["plain", "template"])
@pytest.mark.parametrize("value", ["0/4", "5/4", "x", "", "1", "1/0", "1/", "/2", "-1/2", "1/2/3", "1.5/2", "a/b"])
def test_a_part_that_cannot_be_is_one_line(suite: Suite, value: str, way: str) -> None:
    suite.test("def test_it(): pass\n")
    run = shard(suite, value, way=way)
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in run.text.splitlines() if line.strip()]
    assert line.startswith(f"ERROR: --rustpar-shard={value}: write which part of how many")


def test_an_unknown_rule_is_the_parsers_own_error(suite: Suite) -> None:
    suite.test("def test_it(): pass\n")
    run = shard(suite, "1/2", "--rustpar-shard-by=weather")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    assert "--rustpar-shard-by" in run.err
