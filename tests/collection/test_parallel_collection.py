"""Parallel collection: the same tests, order, marks and outcomes as with one process."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.collection.parallel import COMPARED, FOUR_FILES, NOTING, PARALLEL, SAME, collected, run_twice

if TYPE_CHECKING:
    from tests.harness import Suite


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


@pytest.mark.parametrize("arguments", [["-x"], ["--maxfail=3"]])
def test_a_worker_that_ends_at_an_error_hides_none(suite: Suite, arguments: list[str]) -> None:
    suite.write({f"test_{letter}.py": "def test_it(): pass\n" for letter in "abcdefgh"})
    suite.run(PARALLEL)
    suite.write({f"test_{letter}.py": "import nowhere\n" for letter in "abcdefgh"})
    usual, run = suite.run(*arguments), suite.run(PARALLEL, *arguments)
    assert "there are errors" in run.line("collect: serial")
    assert (run.ret, run.counts()) == (usual.ret, usual.counts())
    assert usual.counts()["errors"] > 0


def test_a_worker_that_a_plugin_stops_while_it_collects_hides_nothing(suite: Suite) -> None:
    suite.conftest(
        """
        def pytest_collectreport(report):
            if report.nodeid == "test_b.py":
                SESSIONS[0].shouldstop = "enough"

        SESSIONS = []

        def pytest_sessionstart(session):
            SESSIONS.append(session)
        """
    )
    suite.write({f"test_{letter}.py": "def test_it(): pass\n" for letter in "abcdefgh"})
    usual, run = suite.run(), suite.run(PARALLEL)
    assert (run.ret, run.counts(), run.outcomes) == (usual.ret, usual.counts(), usual.outcomes)


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


def test_a_retry_runs_in_a_worker_that_has_collected_no_test(suite: Suite) -> None:
    # The other worker has collected the other files meanwhile.
    suite.write({"test_a.py": "import time\ntime.sleep(1)\n", "test_b.py": "def test_one(): pass\n"})
    suite.write({"test_c.py": "def test_fails(): assert 0\n"})
    for run in run_twice(suite, "--rustpar-retries=1"):
        assert run.counts() == {"failed": 1, "passed": 1, "rerun": 1}


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
