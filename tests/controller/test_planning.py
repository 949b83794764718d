"""`--dist load` with a history, and the recipes of docs/scheduling.md."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.harness import Suite

HISTORY = ".pytest_cache/d/rustpar/history.json"


def started_tests(suite: Suite) -> list[tuple[str, str]]:
    """Return worker and name of each test, in the order in which the tests began."""
    return [(line.split(" ")[0], line.split(" ")[1]) for line in suite.notes()]


def clear_notes(suite: Suite) -> None:
    """Delete the notes and meeting points so far."""
    for path in (suite.path / "notes.log", *suite.path.glob("*.here")):
        path.unlink()


def write_history(file: Path, milliseconds: dict[str, int], otherwise: int) -> None:
    """Write a history with durations of tests by name: measured ones would be unreliable on a busy machine."""
    history = json.loads(file.read_text())
    for node_id, test in history["tests"].items():
        test["a"] = test["l"] = [0, 1000 * milliseconds.get(node_id.partition("::")[2], otherwise), 0]
    file.write_text(json.dumps(history))


NOTES = """
    import pytest
    from support import note

    @pytest.fixture(autouse=True)
    def noted(request):
        note(request.node.name)
"""

# The same, but neither worker starts its second test before both have started their first: a late worker would leave
# all tests to the other.
NOTES_AND_BEGINS_TOGETHER = """
    import pytest
    from support import meet, note

    begun = False

    @pytest.fixture(autouse=True)
    def noted(request, worker_id):
        global begun
        note(request.node.name)
        if not begun and worker_id != "master":
            begun = True
            meet(worker_id, "gw0", "gw1")
"""


def test_with_plan_duration_the_longest_tests_start_first(suite: Suite) -> None:
    suite.conftest(NOTES_AND_BEGINS_TOGETHER)
    suite.test(
        """
        import pytest
        @pytest.mark.parametrize("n", range(20))
        def test_short(n): pass
        def test_long(): pass
        def test_longer(): pass
        """
    )
    suite.run(n=None)
    for start in ("template", "early"):
        write_history(suite.path / HISTORY, {"test_long": 300, "test_longer": 400}, otherwise=5)
        clear_notes(suite)
        run = suite.run(f"--rustpar-start={start}", "--rustpar-plan=duration")
        assert run.counts() == {"passed": 22}
        assert {name for _, name in started_tests(suite)[:2]} == {"test_long", "test_longer"}, start


def test_with_plan_duration_the_last_failures_start_first(suite: Suite) -> None:
    suite.conftest(NOTES_AND_BEGINS_TOGETHER)
    suite.test("import pytest\n@pytest.mark.parametrize('n', range(30))\ndef test_it(n): assert n != 17\n")
    suite.run(n=None)
    write_history(suite.path / HISTORY, {}, otherwise=1)
    clear_notes(suite)
    suite.run("--rustpar-plan=duration")
    notes = started_tests(suite)
    (worker,) = (worker for worker, name in notes if name == "test_it[17]")
    assert next(name for own, name in notes if own == worker) == "test_it[17]"


def test_tests_of_a_costly_module_fixture_stay_in_one_worker(suite: Suite) -> None:
    suite.conftest(NOTES_AND_BEGINS_TOGETHER)
    text = """
        import time
        import pytest
        @pytest.fixture(scope="module")
        def service(): time.sleep(0.3)
        @pytest.mark.parametrize("n", range(6))
        def test_{}(n, service): pass
    """
    suite.write({"test_a.py": text.format("a"), "test_b.py": text.format("b")})
    for _ in range(2):
        assert suite.run().counts() == {"passed": 12}
        assert len({(worker, name.partition("[")[0]) for worker, name in started_tests(suite)}) == 2
        write_history(suite.path / HISTORY, {}, otherwise=1)
        clear_notes(suite)


def test_a_group_larger_than_a_workers_share_is_split(suite: Suite) -> None:
    suite.conftest(NOTES_AND_BEGINS_TOGETHER)
    suite.test(
        """
        import time
        import pytest
        @pytest.fixture(scope="module")
        def service(): time.sleep(0.05)
        @pytest.mark.parametrize("n", range(20))
        def test_it(n, service): time.sleep(0.05)
        """
    )
    for _ in range(2):
        assert suite.run().counts() == {"passed": 20}
        assert {worker for worker, _ in started_tests(suite)} == {"gw0", "gw1"}
        clear_notes(suite)


@pytest.mark.parametrize(("dist", "start"), [("load", "template"), ("worksteal", "early")])
def test_a_class_starts_when_the_previous_one_has_been_handed_out(suite: Suite, dist: str, start: str) -> None:
    suite.conftest(NOTES)
    suite.test(
        """
        import time
        import pytest
        @pytest.mark.slow
        @pytest.mark.parametrize("n", range(8))
        def test_slow(n): time.sleep(0.02)
        @pytest.mark.parametrize("n", range(8))
        def test_other(n): time.sleep(0.02)
        @pytest.mark.smoke
        @pytest.mark.parametrize("n", range(8))
        def test_smoke(n): time.sleep(0.02)
        """
    )
    (suite.path / "pytest.ini").write_text("[pytest]\nmarkers =\n  smoke\n  slow\nrustpar_order = smoke, *, slow\n")
    assert suite.run(f"--dist={dist}", f"--rustpar-start={start}").counts() == {"passed": 24}
    names = [name.partition("[")[0] for _, name in started_tests(suite)]
    for first, second in (("test_smoke", "test_other"), ("test_other", "test_slow")):
        # The other worker may have claimed the last test of a class without having started it.
        assert names[names.index(second) :].count(first) <= 1


def test_shards_take_about_the_same_time_with_a_history(suite: Suite) -> None:
    suite.test(
        """
        import pytest
        @pytest.mark.parametrize("n", range(9))
        def test_short(n): pass
        def test_long(): pass
        """
    )
    suite.run("--rustpar-history=known.json", n=None)
    write_history(suite.path / "known.json", {"test_long": 200}, otherwise=1)
    parts = [suite.run("--rustpar-history=known.json", f"--rustpar-shard={part}/2") for part in (1, 2)]
    assert sorted(len(part.runs) for part in parts) == [1, 9]
    # Their new durations are not written to the file that the other shards use.
    assert {path.name for path in suite.path.glob("known*")} == {"known.json", "known.1-of-2.json", "known.2-of-2.json"}
    assert parts[0].runs + parts[1].runs == suite.plain().runs


RECIPES = {
    "smoke first and slow last": (
        '[tool.pytest.ini_options]\naddopts = ["-n", "2"]\n'
        'markers = ["smoke: the quick ones that tell most", "slow: takes seconds"]\n'
        'rustpar_order = "smoke, *, slow"\n',
        [],
    ),
    "not slow": ('[tool.pytest.ini_options]\nmarkers = ["smoke", "slow"]\n', ["-m", "not slow", "-n", "2"]),
    "loadscope in addopts": (
        '[tool.pytest.ini_options]\naddopts = ["-n", "2", "--dist", "loadscope"]\nmarkers = ["smoke", "slow"]\n',
        [],
    ),
    "a group": ('[tool.pytest.ini_options]\nmarkers = ["smoke", "slow"]\n', ["-n", "2", "--dist", "loadgroup"]),
}


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_recipes_in_the_documentation_work(suite: Suite, recipe: str) -> None:
    toml, arguments = RECIPES[recipe]
    (suite.path / "pyproject.toml").write_text(toml)
    suite.conftest(
        NOTES
        + """
    @pytest.fixture(scope="session")
    def database(worker_id):
        return f"test_{worker_id}"
    """
    )
    suite.test(
        """
        import pytest
        def test_database(database): assert database in ("test_gw0", "test_gw1")
        @pytest.mark.slow
        def test_last(): pass
        @pytest.mark.smoke
        def test_first(): pass
        @pytest.mark.xdist_group(name="database")
        def test_create(): pass
        @pytest.mark.xdist_group(name="database")
        def test_drop(): pass
        """
    )
    run = suite.run("--strict-markers", *arguments, n=None)
    skipped = {"deselected": 1} if recipe == "not slow" else {}
    assert run.counts() == {"passed": 5 - len(skipped), **skipped}
    notes = started_tests(suite)
    if recipe.startswith("smoke"):
        ranks = {"test_first": 0, "test_last": 2}
        for own in {worker for worker, _ in notes}:
            order = [ranks.get(name, 1) for worker, name in notes if worker == own]
            assert order == sorted(order)
    if recipe == "a group":
        assert len({worker for worker, name in notes if re.search("create|drop", name)}) == 1
