"""Parallel collection: what a test file sees of others, of fixtures and of tests when it is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.collection.parallel import PARALLEL, assert_serial, run_twice

if TYPE_CHECKING:
    from tests.harness import Suite

# Keeps the worker that collects it busy, so that another one runs the tests of its file.
SLOW = """
import time
@pytest.mark.parametrize("n", range(30))
def test_slow(n): time.sleep(0.05)
"""


@pytest.mark.parametrize(
    ("fixture", "top", "test"),
    [
        (
            "os.environ['SERVICE_URL'] = 'somewhere'",
            "IS_THERE = 'SERVICE_URL' in os.environ",
            "assert not IS_THERE and os.environ['SERVICE_URL'] == 'somewhere'",
        ),
        ("os.environ.pop('HOME')", "IS_THERE = 'HOME' in os.environ", "assert IS_THERE and 'HOME' not in os.environ"),
        (
            "os.chdir(tmp_path_factory.mktemp('elsewhere'))",
            "IS_THERE = os.path.exists('cases.json')",
            "assert IS_THERE and not os.path.exists('cases.json')",
        ),
    ],
    ids=["a variable", "a removed variable", "the directory"],
)
def test_a_file_that_is_collected_late_sees_what_it_would_have_seen(
    suite: Suite, fixture: str, top: str, test: str
) -> None:
    late = f"import os\nimport pytest\n{top}\n" + SLOW.replace("time.sleep", f"{test}; time.sleep")
    suite.write(
        {
            "conftest.py": f"""
            import os
            import pytest
            @pytest.fixture(scope="session", autouse=True)
            def changed(tmp_path_factory):
                {fixture}
            """,
            "cases.json": "[]",
            "test_a.py": "def test_one(): pass\n",
            "test_b.py": late,
        }
    )
    assert suite.plain().counts() == {"passed": 31}
    _, run = run_twice(suite)
    assert run.counts() == {"passed": 31}, run.text
    assert len({worker for node_id, workers in run.workers.items() if "slow" in node_id for worker in workers}) == 2


def test_variables_that_a_late_file_sets_stay_set(suite: Suite) -> None:
    late = "import os\nimport pytest\nos.environ['SET_BY_B'] = 'b'\n"
    late += SLOW.replace("time.sleep", "assert os.environ['SET_BY_B'] == 'b'; time.sleep")
    suite.write({"test_a.py": "def test_one(): pass\n", "test_b.py": late})
    _, run = run_twice(suite)
    assert run.counts() == {"passed": 31}, run.text


# The second file has a test for each entry that files before it have made.
REGISTRY = {
    "registry.py": "HANDLERS = []\n",
    "test_a.py": "import registry\nregistry.HANDLERS.append('a')\ndef test_one(): pass\n",
    "test_b.py": """
        import pytest, registry
        registry.HANDLERS.append('b')
        @pytest.mark.parametrize("handler", list(registry.HANDLERS))
        def test_handler(handler): pass
        """,
}


def test_a_test_that_depends_on_another_file_is_never_lost(suite: Suite) -> None:
    # The first run compares, in which one worker collects both files: the other one is busy.
    busy = "import time\ntime.sleep(2)\ndef test_busy(): pass\n"
    suite.write({**REGISTRY, "test_0.py": busy})
    first = suite.run(PARALLEL)
    assert first.counts() == {"passed": 4}
    # Then each file has a worker of its own, for only one import takes longer.
    suite.write({"test_0.py": "def test_busy(): pass\n"})
    slow = "import registry, time\ntime.sleep(0.5)\nregistry.HANDLERS.append('a')\ndef test_one(): pass\n"
    suite.write({"test_a.py": slow})
    for _ in range(2):
        run = suite.run(PARALLEL)
        assert run.counts() == {"passed": 4}, run.text


def test_an_unchanged_file_with_other_tests_is_collected_as_usual(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = "import os, pytest\n@pytest.mark.parametrize('n', range(int(os.environ['NUMBER'])))\ndef test(n): pass\n"
    suite.write({"test_a.py": values, "test_b.py": "def test_one(): pass\n"})
    monkeypatch.setenv("NUMBER", "3")
    run_twice(suite)
    monkeypatch.setenv("NUMBER", "4")
    run = suite.run(PARALLEL)
    assert_serial(run, "test_a.py has other tests than before")
    assert run.counts() == {"passed": 5}
    run_twice(suite)
    # A changed file may have others, and a file may go.
    suite.write({"test_a.py": values + "def test_more(): pass\n"})
    assert "collect: parallel" in suite.run(PARALLEL).text
    (suite.path / "test_b.py").rename(suite.path / "test_c.py")
    run = suite.run(PARALLEL)
    assert "collect: parallel" in run.text
    assert run.counts() == {"passed": 6}


def test_a_module_that_ends_the_process_at_its_import_is_left_out(suite: Suite) -> None:
    suite.write(
        {
            "tool.py": "import os, sys\nif 'TOOL_HOME' not in os.environ:\n    sys.exit('no home')\n",
            "test_a.py": "import os\nos.environ['TOOL_HOME'] = 'home'\nimport tool\ndef test_one(): pass\n",
            "test_b.py": "import time\ntime.sleep(0.3)\ndef test_one(): pass\n",
        }
    )
    _, run = run_twice(suite)
    assert run.counts() == {"passed": 2}, run.text


@pytest.mark.parametrize(
    "hook",
    [
        "def pytest_itemcollected(item):\n    item.number = next(numbers.COUNT)\n",
        "def pytest_collection_modifyitems(items):\n    for item in items:\n"
        "        item.add_marker(pytest.mark.number(numbers.following()))\n",
    ],
    ids=["itemcollected", "modifyitems"],
)
def test_a_hook_that_counts_tests_has_all_of_them(suite: Suite, hook: str) -> None:
    suite.write(
        {
            "numbering.py": "import itertools\nCOUNT = itertools.count()\ndef following():\n    return next(COUNT)\n",
            "conftest.py": "import pytest\nimport numbering as numbers\n" + hook,
            "test_a.py": "def test_one(): pass\n",
            "test_b.py": "def test_one(): pass\n",
        }
    )
    assert_serial(suite.run(PARALLEL), "may need all tests")


@pytest.mark.parametrize("session", ["request.session", "request.node.session"])
def test_a_conftest_that_reads_all_tests_has_them(suite: Suite, session: str) -> None:
    suite.write(
        {
            "conftest.py": f"""
            import pytest
            @pytest.fixture(scope="session", autouse=True)
            def services(request):
                return {{"db"}} if any(item.name == "test_db" for item in {session}.items) else set()
            """,
            "test_a.py": "def test_one(): pass\n",
            "test_b.py": "def test_db(services): assert services\n",
        }
    )
    for _ in range(2):
        run = suite.run(PARALLEL)
        assert_serial(run, "conftest.py:5 session.items are all tests")
        assert run.counts() == {"passed": 2}
