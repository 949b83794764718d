"""What cannot be collected in parallel is collected by one process, and a line says why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest

from tests.collection.parallel import FOUR_FILES, PARALLEL, SAME, assert_serial, run_twice

if TYPE_CHECKING:
    from tests.harness import Suite


ITEM_BY_ITEM = """
    import pytest
    def pytest_addoption(parser):
        parser.addoption("--slow", action="store_true")
    def pytest_collection_modifyitems(config, items):
        if config.getoption("--slow"):
            return
        skip = pytest.mark.skip(reason="slow")
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(skip)
"""


def test_a_hook_that_marks_each_test_by_itself_is_separable(suite: Suite) -> None:
    suite.conftest(ITEM_BY_ITEM)
    suite.write(FOUR_FILES)
    suite.write({"test_c.py": "import pytest\n@pytest.mark.slow\ndef test_one(): pass\n"})
    for run in run_twice(suite, "-W", "ignore"):
        assert run.counts() == {"passed": 6, "skipped": 1}


@pytest.mark.parametrize(
    "hook",
    [
        "def pytest_collection_modifyitems(items): items.reverse()",
        "def pytest_collection_modifyitems(items): items[:] = items[:3]",
        "def pytest_collection_modifyitems(session): session.items.reverse()",
        "def pytest_collection_modifyitems(items):\n    seen = []\n    for item in items:\n        seen.append(item)",
        "def pytest_collection_finish(session): print(len(session.items))",
        "def pytest_deselected(items): print(items)",
        "def pytest_report_collectionfinish(items): return str(len(items))",
    ],
)
def test_a_hook_that_may_need_all_tests_has_them(suite: Suite, hook: str) -> None:
    suite.write({"conftest.py": hook, **FOUR_FILES})
    run = suite.run(PARALLEL)
    assert_serial(run, "conftest.py:1 pytest_")
    assert run.ret == 0


def test_a_hook_of_a_conftest_below_has_all_tests(suite: Suite) -> None:
    suite.write(FOUR_FILES)
    suite.write(
        {
            "sub/conftest.py": "def pytest_collection_modifyitems(items): items.reverse()",
            "sub/test_x.py": "def test_x(): pass",
        }
    )
    run = suite.run(PARALLEL)
    assert_serial(run, "sub/conftest.py:1 pytest_collection_modifyitems may need all tests")
    assert run.counts() == {"passed": 9}


ARGUMENTS: Mapping[str, tuple[list[str], str]] = {
    "test": (["test_a.py::test_one", "test_b.py"], "the command line names tests in a file"),
    "lf": (["--lf"], "--lf needs all tests"),
    "ff": (["--ff"], "--ff needs all tests"),
    "nf": (["--nf"], "--nf needs all tests"),
    "stepwise": (["--stepwise"], "--stepwise needs all tests"),
    "loadfile": (["--dist=loadfile"], "--dist loadfile"),
    "each": (["--dist=each"], "--dist each"),
    "shard": (["--rustpar-shard=1/2"], "--rustpar-shard needs all tests"),
    "order": (["--rustpar-order=slow, *", "-W", "ignore"], "rustpar_order needs all tests"),
    "plan": (["--rustpar-plan=duration"], "--rustpar-plan=duration"),
    "repeat": (["--rustpar-repeat=2"], "--rustpar-repeat needs all tests"),
    "leaks": (["--rustpar-leaks=warn"], "--rustpar-leaks needs all tests"),
    "cache": (["-p", "no:cacheprovider"], "without pytest's cache"),
    "file": (["test_a.py"], "there is only one file"),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_an_option_that_needs_all_tests_collects_serially(suite: Suite, name: str) -> None:
    suite.write(FOUR_FILES)
    arguments, reason = ARGUMENTS[name]
    run = suite.run(PARALLEL, *arguments)
    assert_serial(run, reason)
    assert run.ret == 0


def test_early_workers_collect_for_themselves(suite: Suite) -> None:
    suite.write(FOUR_FILES)
    run = suite.run(PARALLEL, "--rustpar-start=early")
    assert "collect: serial (workers start early)" in run.text
    assert run.counts() == {"passed": 8}


def test_a_conftest_that_must_not_be_forked_makes_workers_early(suite: Suite) -> None:
    suite.conftest("import os\nNAME = os.environ.get('PYTEST_XDIST_WORKER')\n")
    suite.write(FOUR_FILES)
    run = suite.run(PARALLEL)
    assert "collect: serial (" in run.text
    assert run.start() == "early"
    assert run.counts() == {"passed": 8}


def test_a_name_that_a_test_module_reads_is_the_workers_own(suite: Suite) -> None:
    module = (
        "import os\nNAME = os.environ['PYTEST_XDIST_WORKER']\n"
        "def test_one(worker_id): assert NAME == worker_id\ndef test_two(worker_id): assert NAME == worker_id\n"
    )
    suite.write({f"test_{name}.py": module for name in "abcd"})
    for _ in range(2):
        assert suite.run().start() == "early"
    first = suite.run(PARALLEL)
    assert first.start() == "early"
    assert SAME in first.text
    run = suite.run(PARALLEL)
    assert "collect: parallel" in run.text
    assert run.start() == "template"
    assert first.counts() == run.counts() == {"passed": 8}


def test_parameters_that_sort_tests_of_several_files_are_seen(suite: Suite) -> None:
    suite.conftest("import pytest\n@pytest.fixture(scope='session', params=[1, 2])\ndef database(request): return 1\n")
    suite.write({f"test_{name}.py": "def test_one(database): pass\ndef test_two(): pass\n" for name in "abcd"})
    run = suite.run(PARALLEL)
    assert_serial(run, "sorted")
    assert run.outcomes == suite.plain().outcomes
    again = suite.run(PARALLEL)
    assert_serial(again, "as seen in an earlier run")
    for name in "abcd":
        suite.write({f"test_{name}.py": "def test_one(): pass\n"})
    assert SAME in suite.run(PARALLEL).text


def test_parameters_of_one_file_are_sorted_as_usual(suite: Suite) -> None:
    suite.write(FOUR_FILES)
    suite.write(
        {
            "test_b.py": """
                import pytest
                @pytest.fixture(scope="module", params=[1, 2])
                def module(request): return request.param
                @pytest.fixture(scope="session", params="xy")
                def session(request): return request.param
                def test_one(module): pass
                def test_two(session): pass
                def test_three(module, session): pass
            """
        }
    )
    run_twice(suite)


def test_files_with_the_same_module_name_are_an_error_as_usual(suite: Suite) -> None:
    suite.write({"a/test_same.py": "def test_a(): pass\n", "b/test_same.py": "def test_b(): pass\n", **FOUR_FILES})
    usual, run = suite.run(), suite.run(PARALLEL)
    assert_serial(run, "have the same module name")
    assert (run.ret, run.counts()) == (usual.ret, usual.counts())
    run_twice(suite, "--import-mode=importlib")


def test_test_ids_that_differ_in_each_process_are_seen(suite: Suite) -> None:
    suite.write(FOUR_FILES)
    suite.write(
        {"test_b.py": "import os, pytest\n@pytest.mark.parametrize('n', [str(os.getpid())])\ndef test_b(n): pass\n"}
    )
    run = suite.run(PARALLEL)
    assert "a parallel collection differs: test_b.py::test_b[" in run.text
    assert run.counts() == {"passed": 7}
    assert_serial(suite.run(PARALLEL), "as seen in an earlier run")


def test_new_conftests_are_compared_first(suite: Suite) -> None:
    suite.write({**FOUR_FILES, "sub/test_x.py": "def test_x(): pass\n"})
    run_twice(suite)
    suite.write({"sub/conftest.py": "import pytest\n@pytest.fixture(autouse=True)\ndef used(): yield\n"})
    assert_serial(suite.run(PARALLEL), "there are other conftests than before")
    assert SAME in suite.run(PARALLEL).text
    suite.write({"sub/conftest.py": "import pytest\n"})
    run_twice(suite)


def test_a_worker_that_dies_while_collecting_is_reported_as_usual(suite: Suite) -> None:
    suite.write(FOUR_FILES)
    suite.run(PARALLEL)
    suite.write({"test_b.py": "import os\nos._exit(7)\n"})
    run = suite.run(PARALLEL)
    assert "has died while collecting" in run.line("collect: serial")
    assert "the template process died while collecting test_b.py" in run.text
    assert run.ret == suite.run().ret


def test_flaky_marks_are_seen(suite: Suite) -> None:
    suite.write(FOUR_FILES)
    suite.write({"test_c.py": "import pytest\n@pytest.mark.flaky(reruns=1)\ndef test_fails(): assert 0\n"})
    run = suite.run(PARALLEL)
    assert_serial(run, "tests are marked flaky")
    assert run.counts()["rerun"] == 1


def test_a_file_that_needs_what_another_one_imports_is_collected_after_it(suite: Suite) -> None:
    suite.write({**FOUR_FILES, "a/helper.py": "", "a/test_first.py": "def test_a(): pass\n"})
    suite.write({"b/test_second.py": "import helper\ndef test_b(): pass\n"})
    usual, run = suite.run(), suite.run(PARALLEL)
    assert usual.counts() == {"passed": 10}
    if "there are errors" in run.text:
        assert run.counts() == usual.counts()
        assert_serial(suite.run(PARALLEL), "b/test_second.py cannot be collected before other files, as seen")


def test_plugins_of_test_files_apply_to_all_files(suite: Suite) -> None:
    suite.write({"extra.py": "import pytest\n@pytest.fixture\ndef extra(): return 1\n", **FOUR_FILES})
    suite.write({"test_a.py": "pytest_plugins = ['extra']\ndef test_a(extra): pass\n"})
    suite.write({"test_d.py": "def test_d(extra): pass\n"})
    run = suite.run(PARALLEL)
    assert_serial(run, "test files register plugins")
    assert run.counts() == {"passed": 6}
