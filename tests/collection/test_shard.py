"""Runs with ``--rustpar-shard``. The rules themselves are tested in ``src/schedule/sharding/tests.rs``."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.harness import RUN_MODES

if TYPE_CHECKING:
    from tests.harness import Run, Suite

FILES = {
    f"test_{letter}.py": "import pytest\n" + "".join(f"def test_{n}(): pass\n" for n in range(count))
    for letter, count in {"a": 1, "b": 7, "c": 3}.items()
}
ALL_TESTS = [f"{file}::test_{n}" for file, text in FILES.items() for n in range(text.count("def "))]
# A history in which each test takes as many seconds as its number.
DURATIONS = """
    from rustpar.recording import history

    def expected_seconds(config, node_ids):
        return [float(node_id.rpartition("_")[2]) for node_id in node_ids]

    history.expected_seconds = expected_seconds
"""


def shard(suite: Suite, part: str, *args: str, run_mode: str = "plain") -> Run:
    return suite.run_in(run_mode, f"--rustpar-shard={part}", *args)


def all_shards(suite: Suite, files: dict[str, str], count: int, *args: str) -> list[Run]:
    """Run all shards of a suite of `files` without workers, in a directory for each."""
    for number in range(1, count + 1):
        suite.part(f"{number}").write(files)
    arguments = {f"{number}": (f"--rustpar-shard={number}/{count}", *args) for number in range(1, count + 1)}
    return list(suite.run_each(arguments).values())


# The rules are the same in each run mode: one rule in all of them.
@pytest.mark.parametrize(
    ("rule", "count", "run_modes"), [("duration", 2, RUN_MODES), ("hash", 3, ("plain", "template"))]
)
def test_run_modes_make_the_same_shards_and_run_every_test_once(
    suite: Suite, rule: str, count: int, run_modes: tuple[str, ...]
) -> None:
    suite.write({**FILES, "conftest.py": DURATIONS})
    shards: dict[str, list[Counter[str]]] = {}
    for run_mode in run_modes:
        args = f"--rustpar-shard-by={rule}"
        runs = [shard(suite, f"{k}/{count}", args, run_mode=run_mode) for k in range(1, count + 1)]
        assert [run.ret for run in runs] == [0] * count
        assert sum((run.runs for run in runs), Counter()) == Counter(ALL_TESTS)
        if run_mode != "xdist":
            # xdist's own engine does not show what its workers have collected.
            assert [run.counts()["deselected"] for run in runs] == [11 - len(run.runs) for run in runs]
        shards[run_mode] = [run.runs for run in runs]
        if run_mode != "xdist" and rule == "duration":
            line = f"rustpar: shard 1/2: {len(runs[0].runs)} of 11 tests, 12 of 24 s expected"
            assert runs[0].line("rustpar: shard") == line
    assert shards == dict.fromkeys(run_modes, shards["plain"])


def test_a_line_without_durations_has_no_seconds(suite: Suite) -> None:
    suite.write(FILES)
    run = shard(suite, "2/2")
    assert run.line("rustpar: shard") == f"rustpar: shard 2/2: {len(run.runs)} of 11 tests"


def test_k_and_m_select_tests_before_sharding(suite: Suite) -> None:
    suite.write(FILES)
    runs = [shard(suite, f"{k}/2", "-k", "test_b", run_mode="template") for k in (1, 2)]
    assert sorted(len(run.runs) for run in runs) == [3, 4]
    assert all(node_id.startswith("test_b.py") for run in runs for node_id in run.runs)


@pytest.mark.parametrize(("run_mode", "rule"), [("plain", "duration"), ("template", "hash")])
def test_tests_of_an_xdist_group_are_in_one_shard(suite: Suite, run_mode: str, rule: str) -> None:
    marked = 'import pytest\npytestmark = pytest.mark.xdist_group("database")\ndef test_it(): pass\n'
    suite.write({**FILES, "test_x.py": marked, "test_y.py": marked, "test_z.py": marked})
    runs = [
        shard(suite, f"{k}/3", "--dist=loadgroup", f"--rustpar-shard-by={rule}", run_mode=run_mode) for k in range(1, 4)
    ]
    held = [sum(node_id[5] in "xyz" for node_id in run.runs) for run in runs]
    assert sorted(held) == [0, 0, 3]


def test_a_shuffled_collection_gives_the_same_shards(suite: Suite) -> None:
    conftest = "import random\ndef pytest_collection_modifyitems(items): random.shuffle(items)\n"
    runs = all_shards(suite, FILES | {"conftest.py": conftest}, 3)
    assert sum((run.runs for run in runs), Counter()) == Counter(ALL_TESTS)


def test_a_shard_is_ordered_by_markers(suite: Suite) -> None:
    text = """
        import pytest

        @pytest.mark.skip
        def test_1(): pass
        def test_2(): pass
        @pytest.mark.skip
        def test_3(): pass
        def test_4(): pass
    """
    for run in all_shards(suite, {"test_it.py": text}, 2, "--rustpar-order=*, skip", "-v"):
        outcomes = [r["outcome"] for r in run.reports if r["when"] == "setup"]
        assert len(outcomes) == 2
        assert outcomes == sorted(outcomes)


def test_an_empty_shard_of_a_suite_succeeds(suite: Suite) -> None:
    test = {"test_it.py": "def test_it(): pass\n"}
    runs = all_shards(suite, test, 3)
    assert [run.ret for run in runs] == [0, 0, 0]
    assert sorted(len(run.runs) for run in runs) == [0, 0, 1]
    empty = next(f"{number}/3" for number, run in enumerate(runs, 1) if not run.runs)
    suite.write(test)
    for run_mode in RUN_MODES[1:]:
        # The directories of the other shards are not part of the suite.
        run = shard(suite, empty, "test_it.py", run_mode=run_mode)
        assert (run.ret, run.runs) == (0, {}), run.text


def test_a_node_id_with_a_surrogate_can_be_sharded(suite: Suite) -> None:
    test = "import pytest\n@pytest.mark.parametrize('n', ['\\udc80', 'b'])\ndef test_it(n): pass\n"
    runs = all_shards(suite, {"test_it.py": test}, 2, "--rustpar-shard-by=hash")
    assert sum(len(run.runs) for run in runs) == 2


@pytest.mark.parametrize("run_mode", ["plain", "template"])
def test_a_shard_of_an_empty_selection_fails_as_in_plain_pytest(suite: Suite, run_mode: str) -> None:
    suite.test("def test_it(): pass\n")
    assert shard(suite, "1/2", "-k", "nothing", run_mode=run_mode).ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_an_invalid_shard_is_reported_in_one_line(suite: Suite) -> None:
    cases = [(value, args) for value in ("5/4", "") for args in ((), ("-n2",))]
    for number in range(len(cases)):
        suite.part(f"{number}").test("def test_it(): pass\n")
    runs = suite.run_each(
        {f"{number}": (f"--rustpar-shard={value}", *args) for number, (value, args) in enumerate(cases)}
    )
    for (value, args), run in zip(cases, runs.values(), strict=True):
        assert run.ret == pytest.ExitCode.USAGE_ERROR, (value, args)
        (line,) = [line for line in run.text.splitlines() if line.strip()]
        assert line == f"ERROR: --rustpar-shard: invalid shard '{value}': expected for example 1/4", args


def test_an_unknown_shard_rule_is_an_argparse_error(suite: Suite) -> None:
    suite.test("def test_it(): pass\n")
    run = shard(suite, "1/2", "--rustpar-shard-by=weather")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    assert "--rustpar-shard-by" in run.err
