"""Suites whose tests depend on earlier tests pass with any history, because the collection order is kept."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict

import pytest

from tests.harness import Suite

HISTORY = ".pytest_cache/d/rustpar/history.json"

# Each worker writes the tests it has run to its own file.
NOTES = """
    import pytest
    from support import note

    @pytest.fixture(autouse=True)
    def noted(request):
        note(request.node.name)
"""

# Suites that depend on the effects of earlier tests; in each the last tests are slow, and one of them has failed.
LEANING = {
    "a table that an earlier test makes": """
        import sqlite3
        import pytest
        base = sqlite3.connect(":memory:")
        @pytest.mark.parametrize("n", range(24))
        def test_it(n):
            base.execute("create table if not exists numbers (n integer)") if n < 12 else None
            base.execute("insert into numbers values (?)", (n,))
        """,
    "a registry that earlier tests fill": """
        import pytest
        known = []
        @pytest.mark.parametrize("n", range(24))
        def test_it(n):
            assert n < 12 or known
            known.append(n)
        """,
    "a module that an earlier test imports": """
        import sys
        import pytest
        @pytest.mark.parametrize("n", range(24))
        def test_it(n):
            if n < 12:
                import colorsys
            assert "colorsys" in sys.modules
        """,
    "a variable that the first tests set": """
        import os
        import pytest
        @pytest.mark.parametrize("n", range(24))
        def test_it(n):
            if n < 6:
                os.environ["STATE"] = "ready"
            assert os.environ["STATE"] == "ready"
        """,
}


def write_history(suite: Suite, milliseconds: dict[str, int], otherwise: int, failed: tuple[str, ...] = ()) -> None:
    """Write a history with durations of tests by name, and with failures in the last run."""
    path = suite.path / HISTORY
    history = json.loads(path.read_text())
    for node_id, test in history["tests"].items():
        name = node_id.partition("::")[2]
        test["a"] = test["l"] = [0, 1000 * milliseconds.get(name, otherwise), 0]
        if name in failed:
            test["o"] = "f"
    path.write_text(json.dumps(history))


def sequences(suite: Suite) -> dict[str, list[int]]:
    """Return the numbers of the tests of each worker in the order in which they began, and clear the records."""
    found: dict[str, list[int]] = defaultdict(list)
    for line in suite.notes():
        worker, _, name = line.partition(" ")
        found[worker].append(int(name.partition("[")[2].rstrip("]")))
    (suite.path / "notes.log").unlink()
    return found


def order(suite: Suite) -> list[int]:
    """Return the numbers of the tests in the order in which they began, in any worker."""
    numbers = [int(line.partition("[")[2].rstrip("]")) for line in suite.notes()]
    (suite.path / "notes.log").unlink()
    return numbers


@pytest.mark.parametrize("shape", LEANING)
def test_a_suite_that_depends_on_its_order_passes(suite: Suite, shape: str) -> None:
    suite.test(LEANING[shape])
    assert suite.run(n=None).counts() == {"passed": 24}
    for slow in (15, 23):
        write_history(suite, {f"test_it[{slow}]": 30, "test_it[18]": 20}, otherwise=2, failed=(f"test_it[{slow}]",))
        assert suite.run().counts() == {"passed": 24}


def test_suites_that_depend_on_their_order_pass_in_one_worker(suite: Suite) -> None:
    suite.write({f"test_{number}.py": shape for number, shape in enumerate(LEANING.values())})
    assert suite.run(n=None).counts() == {"passed": 96}
    write_history(suite, {"test_it[20]": 30, "test_it[18]": 20}, otherwise=2, failed=("test_it[20]",))
    run = suite.run(n="1")
    assert run.counts() == {"passed": 96}, run.text


def test_one_worker_runs_tests_in_collection_order_with_any_history(suite: Suite) -> None:
    suite.conftest(NOTES)
    suite.test(
        """
        import pytest
        @pytest.mark.parametrize("n", range(30))
        @pytest.mark.resource("port")
        def test_it(n): pass
        """
    )
    suite.run(n=None)
    write_history(suite, {f"test_it[{n}]": 10 * n for n in range(30)}, otherwise=1, failed=("test_it[29]",))
    order(suite)
    assert suite.run(n="1").counts() == {"passed": 30}
    assert order(suite) == list(range(30))


SHORT = "import pytest\n@pytest.mark.parametrize('n', range(40))\ndef test_it(n): pass\n"


def test_a_slow_test_late_in_the_collection_starts_first_only_if_it_is_as_long_as_all_others(suite: Suite) -> None:
    suite.conftest(NOTES)
    suite.test(SHORT)
    suite.run(n=None)
    write_history(suite, {"test_it[38]": 50}, otherwise=20)
    order(suite)
    suite.run()
    begun = order(suite)
    assert begun.index(38) >= 20, begun
    write_history(suite, {"test_it[38]": 5000}, otherwise=20)
    suite.run()
    first = [numbers[0] for numbers in sequences(suite).values()]
    assert 38 in first, first


def test_a_worker_runs_tests_in_ascending_collection_order(suite: Suite) -> None:
    suite.conftest(NOTES)
    suite.test(SHORT.replace("range(40)", "range(400)"))
    suite.run(n=None)
    order(suite)
    suite.run()
    for numbers in sequences(suite).values():
        # At the end a worker may take over tests of another one, fewer each time.
        back = [now for before, now in itertools.pairwise(numbers) if now < before]
        assert len(back) <= 8, (back, numbers)
        assert numbers[0] <= 100, numbers


def test_a_test_that_failed_keeps_its_place(suite: Suite) -> None:
    suite.conftest(NOTES)
    suite.test(SHORT.replace(": pass", ": assert n != 30"))
    for _ in range(2):
        suite.run(n="1")
        assert order(suite) == list(range(40))


def test_failed_and_new_tests_run_first_on_request(suite: Suite) -> None:
    suite.conftest(NOTES)
    suite.test(SHORT.replace(": pass", ": assert n != 30"))
    suite.run(n="1")
    order(suite)
    write_history(suite, {"test_it[39]": 1000}, otherwise=1)
    suite.run("--ff", n="1")
    assert order(suite) == [30, *(n for n in range(40) if n != 30)]
    suite.write({"test_new.py": "import pytest\n@pytest.mark.parametrize('n', [50, 51])\ndef test_new(n): pass\n"})
    suite.run("--nf", n="1")
    assert order(suite)[:2] == [50, 51]


@pytest.mark.parametrize(
    "conftest",
    [
        "def pytest_collection_modifyitems(items): items.reverse()",
        """
        import pytest
        @pytest.hookimpl(trylast=True)
        def pytest_collection_modifyitems(items): items.sort(key=lambda item: -item.callspec.params["n"])
        """,
    ],
    ids=["reverses", "sorts last"],
)
def test_the_order_that_a_plugin_makes_is_kept(suite: Suite, conftest: str) -> None:
    suite.conftest(NOTES)
    suite.write({"sorting.py": conftest})
    suite.test(SHORT)
    suite.run("-p", "sorting", n="1")
    write_history(suite, {"test_it[3]": 900}, otherwise=1)
    order(suite)
    suite.run("-p", "sorting", n="1")
    assert order(suite) == list(range(39, -1, -1))


def test_the_order_by_markers_is_kept(suite: Suite) -> None:
    suite.conftest(NOTES)
    suite.write({"pytest.ini": "[pytest]\nmarkers =\n  smoke\nrustpar_order = smoke, *\n"})
    suite.test(
        """
        import pytest
        @pytest.mark.parametrize("n", [pytest.param(n, marks=pytest.mark.smoke) if n > 25 else n for n in range(30)])
        def test_it(n): pass
        """
    )
    suite.run(n="1")
    write_history(suite, {"test_it[3]": 900, "test_it[29]": 400}, otherwise=1)
    order(suite)
    suite.run(n="1")
    assert order(suite) == [26, 27, 28, 29, *range(26)]


def test_with_plan_duration_in_the_ini_file_the_longest_test_starts_first(suite: Suite) -> None:
    suite.conftest(NOTES)
    suite.test(SHORT)
    suite.run(n=None)
    write_history(suite, {"test_it[30]": 500}, otherwise=1)
    order(suite)
    suite.run("-o", "rustpar_plan=duration")
    assert any(numbers[0] == 30 for numbers in sequences(suite).values())


def test_an_unknown_plan_is_a_usage_error(suite: Suite) -> None:
    errors = {
        "--rustpar-plan=longest": "argument --rustpar-plan: invalid choice: 'longest'",
        "-orustpar_plan=longest": "ERROR: rustpar_plan = longest: use collection or duration",
    }
    for way in errors:
        suite.part(way).test("def test_one(): pass\n")
    for way, run in suite.run_each({way: ["-n2", way] for way in errors}).items():
        assert run.ret == pytest.ExitCode.USAGE_ERROR, way
        assert errors[way] in run.text
