"""Parts of a suite for several machines, in runs. The rules alone are tested in ``src/schedule/sharding/tests.rs``."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Run, Suite

FILES = {
    f"test_{letter}.py": "import pytest\n" + "".join(f"def test_{n}(): pass\n" for n in range(count))
    for letter, count in {"a": 1, "b": 7, "c": 3}.items()
}
# Each test's seconds are its number, as if they had been remembered.
DURATIONS = """
    from rustpar.recording import history

    def expected_seconds(config, node_ids):
        return [float(node_id.rpartition("_")[2]) for node_id in node_ids]

    history.expected_seconds = expected_seconds
"""


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


def test_a_surrogate_in_a_node_id_is_no_hindrance(suite: Suite) -> None:
    suite.test("import pytest\n@pytest.mark.parametrize('n', ['\\udc80', 'b'])\ndef test_it(n): pass\n")
    runs = [shard(suite, f"{k}/2", "--rustpar-shard-by=hash") for k in (1, 2)]
    assert sum(len(run.runs) for run in runs) == 2


@pytest.mark.parametrize("way", ["plain", "template"])
def test_a_part_of_nothing_fails_as_in_plain_pytest(suite: Suite, way: str) -> None:
    suite.test("def test_it(): pass\n")
    assert shard(suite, "1/2", "-k", "nothing", way=way).ret == pytest.ExitCode.NO_TESTS_COLLECTED


@pytest.mark.parametrize("way", ["plain", "template"])
@pytest.mark.parametrize("value", ["5/4", ""])
def test_a_part_that_cannot_be_is_one_line(suite: Suite, value: str, way: str) -> None:
    suite.test("def test_it(): pass\n")
    run = shard(suite, value, way=way)
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in run.text.splitlines() if line.strip()]
    assert line == f"ERROR: --rustpar-shard: invalid shard '{value}': expected for example 1/4"


def test_an_unknown_rule_is_the_parsers_own_error(suite: Suite) -> None:
    suite.test("def test_it(): pass\n")
    run = shard(suite, "1/2", "--rustpar-shard-by=weather")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    assert "--rustpar-shard-by" in run.err
