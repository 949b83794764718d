"""Parallel collection: the same tests, order, marks and outcomes as with one process, or a line that says why not."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.harness import Run, Suite

PARALLEL = "--rustpar-collect=parallel"
COMPARED = "it is compared with a parallel collection"
SAME = "a parallel collection has the same tests"

# Notes which process imports which file.
NOTING = """
    from support import note
    note(f"imports {__name__}")
"""

FOUR_FILES = {f"test_{name}.py": f"{NOTING}\n    def test_one(): pass\n    def test_two(): pass\n" for name in "abcd"}


def collected(suite: Suite, *args: str) -> list[str]:
    """Return the node ids that plain pytest collects, in order."""
    run = suite.plain("--collect-only", "-q", *args)
    return [line for line in run.lines if "::" in line]


def run_twice(suite: Suite, *args: str, n: str = "2") -> tuple[Run, Run]:
    """Run a suite for the first time, which compares, and again, which collects in parallel."""
    first = suite.run(PARALLEL, *args, n=n)
    assert SAME in first.text, first.text
    assert f"collect: serial ({COMPARED})" in first.text
    second = suite.run(PARALLEL, *args, n=n)
    assert f"collect: parallel ({n} workers)" in second.text, second.text
    return first, second


def assert_serial(run: Run, reason: str) -> None:
    assert reason in run.line("collect: serial"), run.text
    assert "start: template" in run.text


@pytest.mark.parametrize("n", ["2", "4"])
def test_outcomes_are_those_of_plain_pytest(suite: Suite, n: str) -> None:
    suite.write(
        {
            "test_a.py": "import pytest\n@pytest.mark.parametrize('n', range(9))\ndef test_n(n): assert n != 3\n",
            "test_b.py": "import unittest\nclass TestB(unittest.TestCase):\n    def test_one(self): pass\n",
            "sub/test_c.py": "import pytest\n@pytest.mark.xfail\ndef test_c(): assert 0\ndef test_d(tmp_path): pass\n",
            "sub/conftest.py": "import pytest\n@pytest.fixture(autouse=True)\ndef used(): yield\n",
            "pkg/__init__.py": "",
            "pkg/test_e.py": "import pytest\n@pytest.fixture(scope='module')\ndef m(): return 1\ndef test_e(m): pass\n",
            "pkg/test_f.py": "import pytest\n@pytest.mark.skip\ndef test_f(): pass\ndef test_g(): raise ValueError\n",
            "test_h.txt": ">>> 1 + 1\n2\n",
        }
    )
    plain = suite.plain()
    for run in run_twice(suite, n=n):
        assert run.ret == plain.ret == 1
        assert run.outcomes == plain.outcomes
        assert run.counts() == plain.counts()


def test_each_file_is_imported_by_one_worker(suite: Suite) -> None:
    suite.write(FOUR_FILES)
    suite.run(PARALLEL)
    (suite.path / "notes.log").unlink()
    run = suite.run(PARALLEL)
    assert run.counts() == {"passed": 8}
    notes = suite.notes()
    assert {line.rpartition(" ")[2] for line in notes} == {"test_a", "test_b", "test_c", "test_d"}
    # A worker that has nothing left imports the file of a test that it takes over.
    assert len(notes) <= 6


def test_node_ids_and_order_are_those_of_the_collection(suite: Suite) -> None:
    suite.write(
        {
            **{
                f"{directory}/test_{directory}{number}.py": "def test_z(): 0\nclass TestA:\n    def test_b(self): 0\n"
                for directory in ("z", "a", "m")
                for number in range(4)
            },
            "conftest.py": """
                import json
                def pytest_xdist_node_collection_finished(node, ids):
                    with open(f"{node.gateway.id}.json", "w") as file:
                        json.dump(ids, file)
            """,
        }
    )
    expected = collected(suite)
    run_twice(suite, n="3")
    import json

    for worker in ("gw0", "gw1", "gw2"):
        assert json.loads((suite.path / f"{worker}.json").read_text()) == expected


def test_a_test_of_another_workers_file_is_collected_on_demand(suite: Suite) -> None:
    # Each file is collected by one of two workers, and the slow worker's tests are taken over.
    slow = f"{NOTING}\n    import time\n    import pytest\n" + (
        "    @pytest.mark.parametrize('n', range(40))\n    def test_slow(n, request):\n        time.sleep(0.05)\n"
    )
    suite.write({"test_a.py": slow, "test_b.py": "def test_one(): pass\n"})
    _, run = run_twice(suite)
    assert run.counts() == {"passed": 41}
    assert len({worker for node_id, workers in run.workers.items() if "slow" in node_id for worker in workers}) == 2
    assert set(run.runs.values()) == {1}


def test_a_replacement_collects_what_it_runs(suite: Suite) -> None:
    suite.write(FOUR_FILES)
    suite.run(PARALLEL)
    suite.write({"test_c.py": "import os\ndef test_one(): os._exit(3)\ndef test_two(): pass\n"})
    run = suite.run(PARALLEL)
    assert "collect: parallel" in run.text
    assert run.counts() == {"passed": 7, "failed": 1}
    assert "replacing crashed worker" in run.text


def test_all_tests_are_run_if_every_worker_crashes(suite: Suite) -> None:
    suite.write(FOUR_FILES)
    suite.run(PARALLEL)
    crash = "import os\ndef test_one(): os._exit(3)\ndef test_two(): pass\n"
    suite.write({f"test_{name}.py": crash for name in "abcd"})
    run = suite.run(PARALLEL)
    assert run.counts() == {"passed": 4, "failed": 4}


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


def test_collection_errors_are_reported_as_usual(suite: Suite) -> None:
    suite.write(FOUR_FILES)
    suite.run(PARALLEL)
    suite.write({"test_b.py": "import nowhere\n", "test_d.py": "def test_one(:\n"})
    for arguments in ([], ["-x"]):
        usual, run = suite.run(*arguments), suite.run(PARALLEL, *arguments)
        assert "there are errors" in run.line("collect: serial")
        assert (run.ret, run.counts(), run.outcomes) == (usual.ret, usual.counts(), usual.outcomes)
    suite.write({"test_b.py": "def test_b(): pass\n", "test_d.py": "def test_d(): pass\n"})
    assert "collect: parallel" in suite.run(PARALLEL).text


def test_skipped_files_are_reported_in_order(suite: Suite) -> None:
    suite.write(FOUR_FILES)
    skip = "import pytest\npytest.skip('not here', allow_module_level=True)\n"
    suite.write({"test_a.py": skip, "test_d.py": skip})
    plain = suite.plain("-rs")
    for run in run_twice(suite, "-rs"):
        assert run.counts() == plain.counts() == {"passed": 4, "skipped": 2}
        assert [line for line in run.lines if "SKIPPED" in line] == [line for line in plain.lines if "SKIPPED" in line]


def test_deselected_tests_are_counted(suite: Suite) -> None:
    suite.write(FOUR_FILES)
    arguments = ["-k", "one", "--deselect", "test_b.py"]
    plain = suite.plain(*arguments)
    for run in run_twice(suite, *arguments):
        assert run.counts() == plain.counts() == {"passed": 3, "deselected": 5}
        assert run.outcomes == plain.outcomes


def test_nothing_selected_is_no_tests(suite: Suite) -> None:
    suite.write(FOUR_FILES)
    run_twice(suite)
    run = suite.run(PARALLEL, "-k", "nothing")
    assert run.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert run.counts() == {"deselected": 8}


def test_warnings_are_shown_once(suite: Suite) -> None:
    suite.conftest("import warnings\nwarnings.warn('of the conftest', UserWarning)\n")
    suite.write(
        {f"test_{name}.py": f"import warnings\nwarnings.warn('of {name}')\ndef test(): pass\n" for name in "abcd"}
    )
    plain = suite.plain()
    for run in run_twice(suite):
        assert run.counts()["warnings"] == plain.counts()["warnings"]


def test_a_warning_that_is_an_error_is_one_on_demand(suite: Suite) -> None:
    suite.write(FOUR_FILES)
    suite.run(PARALLEL, "-W", "error")
    suite.write({"test_b.py": "import warnings\nwarnings.warn('of b')\ndef test(): pass\n"})
    run = suite.run(PARALLEL, "-W", "error")
    assert run.counts()["errors"] == 1
    assert run.ret == suite.run("-W", "error").ret


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


def test_a_file_that_differs_on_demand_ends_the_run_with_a_reason(suite: Suite) -> None:
    module = "import os, time, pytest\n@pytest.mark.parametrize('n', {n})\ndef test_slow(n): time.sleep(0.05)\n"
    suite.write({"test_a.py": module.format(n="range(40)"), "test_b.py": "def test_one(): pass\n"})
    suite.run(PARALLEL)
    suite.write({"test_a.py": module.format(n="[os.getpid() + n for n in range(40)]")})
    run = suite.run(PARALLEL)
    assert "collect: parallel" in run.text
    assert run.ret == 1
    assert "test_a.py has other tests in another process that collects it" in run.text
    assert "--rustpar-collect=serial" in run.text


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


def test_exit_while_collecting_ends_the_run(suite: Suite) -> None:
    suite.write(FOUR_FILES)
    suite.run(PARALLEL)
    suite.write({"test_b.py": "import pytest\npytest.exit('enough', returncode=9)\n"})
    usual, run = suite.run(), suite.run(PARALLEL)
    assert (run.ret, run.counts()) == (usual.ret, usual.counts())
    assert "enough" in run.text


def test_an_interrupt_while_collecting_ends_all_processes(suite: Suite) -> None:
    suite.write(FOUR_FILES)
    suite.run(PARALLEL)
    suite.write({"test_b.py": "import time\nopen('b.here', 'x').close()\ntime.sleep(60)\n"})
    process = suite.start(PARALLEL)
    suite.wait_for("b")
    time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)
    begin = time.monotonic()
    run = suite.wait_for_exit(process)
    assert run.ret == pytest.ExitCode.INTERRUPTED
    assert time.monotonic() - begin < 20


def test_an_interrupt_of_the_controller_alone_ends_all_processes(suite: Suite) -> None:
    suite.write(FOUR_FILES)
    suite.run(PARALLEL)
    suite.write({"test_b.py": "import time\nopen('b.here', 'x').close()\ntime.sleep(60)\n"})
    process = suite.start(PARALLEL)
    suite.wait_for("b")
    process.send_signal(signal.SIGINT)
    run = suite.wait_for_exit(process)
    assert run.ret == pytest.ExitCode.INTERRUPTED


def test_maxfail_stops_the_run(suite: Suite) -> None:
    suite.write({f"test_{name}.py": "def test_one(): assert 0\ndef test_two(): pass\n" for name in "abcdefgh"})
    run_twice(suite)
    run = suite.run(PARALLEL, "-x")
    assert run.ret == pytest.ExitCode.INTERRUPTED
    assert "stopping after 1 failures" in run.text or "stopping after 2 failures" in run.text


def test_retries_run_on_another_worker(suite: Suite) -> None:
    suite.write(FOUR_FILES)
    suite.write({"test_c.py": "from support import note\ndef test_fails():\n    note('tried')\n    assert 0\n"})
    for run in run_twice(suite, "--rustpar-retries=1"):
        assert run.counts()["failed"] == 1
        assert run.counts()["rerun"] == 1


def test_flaky_marks_are_seen(suite: Suite) -> None:
    suite.write(FOUR_FILES)
    suite.write({"test_c.py": "import pytest\n@pytest.mark.flaky(reruns=1)\ndef test_fails(): assert 0\n"})
    run = suite.run(PARALLEL)
    assert_serial(run, "tests are marked flaky")
    assert run.counts()["rerun"] == 1


def test_serial_tests_run_alone(suite: Suite) -> None:
    module = """
        import os, time, pytest
        @pytest.mark.serial
        def test_alone():
            assert not [name for name in os.listdir() if name.endswith(".runs")]
            time.sleep(0.05)
        @pytest.mark.parametrize("n", range(3))
        def test_other(n, request):
            name = f"{os.getpid()}.runs"
            open(name, "x").close()
            time.sleep(0.02)
            os.remove(name)
    """
    suite.write({f"test_{name}.py": module for name in "abcd"})
    for run in run_twice(suite):
        assert run.counts() == {"passed": 16}


def test_module_fixtures_are_set_up_and_torn_down_once_per_worker(suite: Suite) -> None:
    module = """
        import pytest
        from support import note
        @pytest.fixture(scope="module")
        def module():
            note(f"up {__name__}")
            yield
            note(f"down {__name__}")
        def test_one(module): pass
        def test_two(module): pass
    """
    suite.write({f"test_{name}.py": module for name in "abcd"})
    run_twice(suite)
    notes = [line.partition(" ")[2] for line in suite.notes()]
    assert sum("up" in line for line in notes) == sum("down" in line for line in notes)


def test_the_configuration_file_may_ask_for_it(suite: Suite) -> None:
    suite.write({"pytest.ini": "[pytest]\nrustpar_collect = parallel\n", **FOUR_FILES})
    assert COMPARED in suite.run().text
    assert "collect: parallel" in suite.run().text
    assert "collect:" not in suite.run("--rustpar-collect=serial").text
    suite.write({"pytest.ini": "[pytest]\nrustpar_collect = both\n"})
    run = suite.run()
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    assert "rustpar_collect = both: use serial or parallel" in run.text


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


def test_what_other_files_import_is_there_when_tests_run(suite: Suite) -> None:
    suite.write(
        {
            "app/__init__.py": "NAMES = []\n",
            "app/one.py": "import app\napp.NAMES.append('one')\n",
            "app/two.py": "import app\napp.NAMES.append('two')\n",
            "app/broken.py": "raise RuntimeError\n",
            "lib/helper.py": "",
            "lib/test_lib.py": "def test_lib(): pass\n",
            "test_a.py": "import app.one\ndef test_a(): assert app.two\n",
            "test_b.py": "import app.two\ndef test_b(): assert app.one\n",
            "test_c.py": """
                import app
                try:
                    import app.broken
                except RuntimeError:
                    pass
                def test_c():
                    import helper
                    assert sorted(app.NAMES) == ["one", "two"]
            """,
        }
    )
    for run in run_twice(suite, n="3"):
        assert run.counts() == {"passed": 4}


def test_a_failure_for_want_of_another_test_file_is_explained(suite: Suite) -> None:
    suite.write({"app.py": "NAMES = []\n", "test_a.py": "import app\napp.NAMES.append('a')\ndef test_a(): pass\n"})
    suite.write({"test_b.py": "import app\ndef test_b(): assert app.NAMES\n"})
    assert SAME in suite.run(PARALLEL).text
    run = suite.run(PARALLEL)
    hint = "--rustpar-collect=serial tells if that is the cause"
    assert (hint in run.text) == (run.counts() == {"passed": 1, "failed": 1})
    assert suite.run("--rustpar-collect=serial").counts() == {"passed": 2}
