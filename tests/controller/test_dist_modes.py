"""Each ``--dist`` mode runs every test exactly once and keeps its groups together."""

from __future__ import annotations

from collections import defaultdict
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Run, Suite

since_xdist_3_8 = pytest.mark.skipif(
    tuple(map(int, version("pytest-xdist").split(".")[:2])) < (3, 8), reason="the option came with xdist 3.8"
)


def assert_once_each(run: Run, count: int, scheduler: str | None = None) -> None:
    """Assert that all tests have passed once, and that verbose output names the scheduler as xdist does."""
    assert run.used_rustpar(), run.text
    assert scheduler is None or f"scheduling tests via {scheduler}" in run.lines, run.text
    assert run.ret == 0, run.text
    assert len(run.runs) == count
    assert set(run.runs.values()) == {1}
    assert run.counts() == {"passed": count}


def assert_together(run: Run, group_of: dict[str, str]) -> None:
    workers: defaultdict[str, set[str]] = defaultdict(set)
    for node_id, names in run.workers.items():
        workers[group_of[node_id]] |= names
    assert workers
    assert all(len(names) == 1 for names in workers.values()), dict(workers)


def write_files(suite: Suite, files: int = 6, tests: int = 5) -> int:
    for number in range(files):
        suite.write(
            {
                f"test_{number}.py": f"""
                    import pytest

                    @pytest.mark.parametrize("n", range({tests}))
                    def test_one(n):
                        pass

                    class TestClass:
                        def test_a(self): pass
                        def test_b(self): pass
                """
            }
        )
    return files * (tests + 2)


# In the other modes, the tests about their groups check this.
@pytest.mark.parametrize(("mode", "name"), [("load", "LoadScheduling"), ("worksteal", "WorkStealingScheduling")])
def test_every_test_runs_exactly_once(suite: Suite, mode: str, name: str) -> None:
    count = write_files(suite)
    assert_once_each(suite.run("--dist", mode, "-v", n="3"), count, name)


@pytest.mark.parametrize("mode", ["load", "worksteal"])
def test_two_tests_that_wait_for_each_other_run_at_the_same_time(suite: Suite, mode: str) -> None:
    suite.test(
        """
        from support import meet

        def test_a(): meet("a", "b")
        def test_b(): meet("b", "a")
        """
    )
    run = suite.run("--dist", mode)
    assert_once_each(run, 2)
    assert run.workers["test_it.py::test_a"] != run.workers["test_it.py::test_b"]


@pytest.mark.parametrize("mode", ["load", "worksteal"])
def test_no_test_waits_behind_a_long_one_while_a_worker_is_idle(suite: Suite, mode: str) -> None:
    suite.test(
        """
        import pytest
        from support import arrive, wait_for

        def test_long():
            wait_for(*(f"t{n}" for n in range(20)))

        @pytest.mark.parametrize("n", range(20))
        def test_short(n):
            arrive(f"t{n}")
        """
    )
    assert_once_each(suite.run("--dist", mode), 21)


def test_n_alone_uses_load_and_maxprocesses_caps_the_workers(suite: Suite) -> None:
    count = write_files(suite, files=2)
    run = suite.run("-v", "--maxprocesses", "2", n="6")
    assert_once_each(run, count, "LoadScheduling")
    assert "2 workers [14 items]" in run.lines


def test_loadfile_keeps_each_file_in_one_worker_in_collection_order(suite: Suite) -> None:
    count = write_files(suite)
    run = suite.run("--dist", "loadfile", "-v", n="3")
    assert_once_each(run, count, "LoadFileScheduling")
    assert_together(run, {node_id: node_id.split("::")[0] for node_id in run.runs})
    for number in range(6):
        file = f"test_{number}.py"
        indices = [r["item_index"] for r in run.reports if r["nodeid"].startswith(file) and r["when"] == "call"]
        assert indices == sorted(indices)
        assert len(indices) == 7


def test_loadfile_uses_more_than_one_worker(suite: Suite) -> None:
    for name, other in [("a", "b"), ("b", "a")]:
        suite.write({f"test_{name}.py": f"from support import meet\ndef test_it(): meet('{name}', '{other}')\n"})
    assert_once_each(suite.run("--dist", "loadfile"), 2)


@pytest.mark.parametrize(
    "reorder",
    [
        [],
        pytest.param(["--no-loadscope-reorder"], marks=since_xdist_3_8),
    ],
    ids=["default", "no reorder"],
)
def test_loadscope_keeps_each_class_and_module_in_one_worker(suite: Suite, reorder: list[str]) -> None:
    count = write_files(suite)
    run = suite.run("--dist", "loadscope", "-v", *reorder, n="3")
    assert_once_each(run, count, "LoadScopeScheduling")
    assert_together(run, {node_id: node_id.rpartition("::")[0] for node_id in run.runs})


def test_loadscope_is_not_confused_by_separators_in_parameters(suite: Suite) -> None:
    suite.test(
        """
        import pytest

        @pytest.mark.parametrize("text", ["a::b", "a::c", "[d]", "e[::]f", "]", "::", "plain", "x[y"])
        def test_module(text):
            pass

        class TestClass:
            @pytest.mark.parametrize("text", ["a::b", "[c::", "::]", "d"])
            def test_method(self, text):
                pass
        """
    )
    run = suite.run("--dist", "loadscope", n="4")
    assert_once_each(run, 12)
    assert_together(run, {node_id: str("::TestClass::" in node_id) for node_id in run.runs})


def test_loadgroup_keeps_groups_in_one_worker_across_files_and_node_ids_unchanged(suite: Suite) -> None:
    suite.test(
        """
        import pytest

        @pytest.mark.xdist_group("one")
        @pytest.mark.parametrize("n", range(6))
        def test_one(n): pass

        @pytest.mark.xdist_group(name="two")
        @pytest.mark.parametrize("n", range(6))
        def test_two(n): pass

        @pytest.mark.xdist_group
        @pytest.mark.parametrize("n", range(3))
        def test_default(n): pass

        @pytest.mark.parametrize("n", range(6))
        def test_free(n): pass
        """
    )
    for name in "abcd":
        suite.write(
            {
                f"test_{name}.py": """
                    import pytest

                    @pytest.mark.xdist_group("shared")
                    def test_shared(): pass

                    def test_own(): pass
                """
            }
        )
    run = suite.run("--dist", "loadgroup", "-v", n="3")
    assert_once_each(run, 29, "LoadGroupScheduling")
    grouped = {node_id: node_id.partition("[")[0] for node_id in run.runs}
    grouped |= {node_id: node_id for node_id in run.runs if "test_free" in node_id or "test_own" in node_id}
    grouped |= dict.fromkeys([node_id for node_id in run.runs if "test_shared" in node_id], "shared")
    assert_together(run, grouped)
    numbers = {"one": 6, "two": 6, "default": 3, "free": 6}
    expected = {f"test_it.py::test_{name}[{n}]" for name, count in numbers.items() for n in range(count)}
    expected |= {f"test_{file}.py::test_{name}" for file in "abcd" for name in ("shared", "own")}
    assert set(run.runs) == expected
    assert "@one" not in run.text


def test_each_runs_every_test_in_every_worker(suite: Suite) -> None:
    suite.test("def test_a(): pass\ndef test_b(): pass\n")
    run = suite.run("--dist", "each", "-v", n="3")
    assert run.ret == 0
    assert "scheduling tests via EachScheduling" in run.lines
    assert run.counts() == {"passed": 6}
    assert all(names == {"gw0", "gw1", "gw2"} for names in run.workers.values())
    assert set(run.runs.values()) == {3}


# Only load uses it.
@pytest.mark.parametrize(("mode", "chunk"), [("load", "1"), ("load", "100"), ("worksteal", "2")])
def test_maxschedchunk_loses_and_repeats_no_test(suite: Suite, mode: str, chunk: str) -> None:
    count = write_files(suite, files=3)
    assert_once_each(suite.run("--dist", mode, "--maxschedchunk", chunk), count)


def test_tx_sets_the_number_of_workers_and_d_uses_load(suite: Suite) -> None:
    count = write_files(suite, files=2)
    run = suite.run("-d", "--tx", "popen", "--tx", "2*popen", "-v", n=None)
    assert_once_each(run, count, "LoadScheduling")
    assert "3 workers [14 items]" in run.lines
