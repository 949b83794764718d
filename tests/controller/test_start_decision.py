"""The choice of the start mode: reasons, the header line, the stored decision, and equal results in each mode."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Run, Suite

# A database file is named after the worker when the conftest is imported.
NAMES_A_FILE = """
    import os
    from support import note
    NAME = os.environ.get("PYTEST_XDIST_WORKER", "main")
    note("conftest")
"""
CHECKS_THE_NAME = """
    import os
    import pytest
    from conftest import NAME

    @pytest.mark.parametrize("n", range(6))
    def test_name(n): assert os.environ["PYTEST_XDIST_WORKER"] == NAME
"""
REASON = "conftest.py:4 reads PYTEST_XDIST_WORKER"


def conftests_loaded(suite: Suite) -> dict[str, int]:
    """Return how often each process has loaded the conftest."""
    found = Counter(line.split()[0] for line in suite.notes() if line.endswith("conftest"))
    (suite.path / "notes.log").unlink()
    return dict(found)


def start_of(run: Run) -> str:
    """Return the start mode that the run printed."""
    return next((line for line in run.lines if line.startswith("rustpar: ") and "start: " in line), "")


@pytest.fixture
def naming_suite(suite: Suite) -> Suite:
    """Return a suite whose conftest reads the worker's name."""
    suite.conftest(NAMES_A_FILE)
    suite.test(CHECKS_THE_NAME)
    return suite


def test_the_template_becomes_gw0_when_workers_would_share_a_name(naming_suite: Suite) -> None:
    run = naming_suite.run(n="3")
    assert run.counts() == {"passed": 6}
    assert start_of(run) == f"rustpar: start: early ({REASON})"
    assert conftests_loaded(naming_suite) == {"main": 1, "gw0": 1, "gw1": 1, "gw2": 1}
    # The next run uses the stored decision.
    run = naming_suite.run()
    assert run.counts() == {"passed": 6}
    assert f"start: early ({REASON}, as seen in an earlier run)" in start_of(run)
    assert conftests_loaded(naming_suite) == {"main": 1, "gw0": 1, "gw1": 1}


def test_an_unreadable_memory_and_one_that_was_cleared_count_for_nothing(naming_suite: Suite) -> None:
    naming_suite.run()
    (naming_suite.path / ".pytest_cache" / "v" / "rustpar" / "start").write_text('{"fingerprint": 3}')
    assert start_of(naming_suite.run()) == f"rustpar: start: early ({REASON})"
    assert "earlier run" not in start_of(naming_suite.run("--cache-clear"))


def test_a_changed_conftest_is_checked_again(naming_suite: Suite) -> None:
    naming_suite.run()
    naming_suite.conftest("NAME = None")
    naming_suite.test("def test_one(): pass\ndef test_two(): pass\n")
    assert start_of(naming_suite.run()) == "rustpar: start: template"
    assert start_of(naming_suite.run()) == "rustpar: start: template"


def test_a_changed_test_file_is_checked_again_if_it_was_a_reason(suite: Suite) -> None:
    suite.test("import os\nNAME = os.environ['PYTEST_XDIST_WORKER']\ndef test_one(): pass\ndef test_two(): pass\n")
    assert "test_it.py:2 reads" in start_of(suite.run())
    suite.test("def test_one(): pass\ndef test_two(): pass\n")
    assert start_of(suite.run()) == "rustpar: start: template"


def test_a_reason_only_applies_if_its_test_file_or_plugin_is_used(suite: Suite) -> None:
    names = "import os\nNAME = os.environ.get('PYTEST_XDIST_WORKER')\n"
    two = "def test_one(): pass\ndef test_two(): pass\n"
    plugin = "import os\ndef pytest_configure(): os.environ.get('PYTEST_XDIST_WORKER')\n"
    suite.write({"test_names.py": names + two, "test_other.py": two, "naming_plugin.py": plugin})
    for arguments, start in (
        (["test_names.py"], "early"),
        (["test_other.py"], "template"),
        (["-p", "naming_plugin", "test_other.py"], "early"),
        (["test_other.py"], "template"),
    ):
        assert f"start: {start}" in start_of(suite.run(*arguments))
    assert "earlier run" in start_of(suite.run("test_names.py"))


def test_without_a_cache_each_run_decides_again(naming_suite: Suite) -> None:
    for _ in range(2):
        assert start_of(naming_suite.run("-p", "no:cacheprovider")) == f"rustpar: start: early ({REASON})"


def test_every_reason_is_shown_with_v(naming_suite: Suite) -> None:
    naming_suite.conftest(NAMES_A_FILE + "    PID = os.getpid()\n")
    assert "and 1 more reason: -v" in start_of(naming_suite.run())
    run = naming_suite.run("-v")
    assert "conftest.py:6 keeps the process id" in run.line("process id")


def test_template_can_be_requested_despite_a_reason(naming_suite: Suite) -> None:
    run = naming_suite.run("--rustpar-start=template")
    assert start_of(run) == "rustpar: start: template"
    assert run.counts()["failed"] > 0


# The other modes are tested with workers of a template and with those that have collected different tests.
@pytest.mark.parametrize("dist", ["load", "loadfile"])
def test_early_workers_run_every_test_once(suite: Suite, dist: str) -> None:
    tests = "import pytest\n@pytest.mark.parametrize('n', range(20))\ndef test_one(n): assert n != 7\n"
    suite.write({"test_1.py": tests, "test_2.py": tests})
    run = suite.run("--rustpar-start=early", "--dist", dist, n="3")
    assert set(run.runs.values()) == {1}
    assert run.counts() == {"passed": 38, "failed": 2}
    assert run.outcomes == {
        f"test_{file}.py::test_one[{n}]": [
            ("setup", "passed", False),
            ("call", "failed" if n == 7 else "passed", False),
            ("teardown", "passed", False),
        ]
        for file in (1, 2)
        for n in range(20)
    }


def test_each_runs_all_tests_in_each_early_worker(suite: Suite) -> None:
    suite.test("def test_one(): pass\ndef test_two(): pass\n")
    run = suite.run("--rustpar-start=early", "--dist", "each")
    assert set(run.runs.values()) == {2}


def test_a_crashed_early_worker_is_replaced_by_one_that_collects_again(naming_suite: Suite) -> None:
    naming_suite.test(CHECKS_THE_NAME + "    def test_crash(): os._exit(3)\n")
    run = naming_suite.run("--rustpar-start=early")
    assert run.counts() == {"passed": 6, "failed": 1}
    assert "crashed while running 'test_it.py::test_crash'" in run.text
    assert set(conftests_loaded(naming_suite)) == {"main", "gw0", "gw1", "gw2"}


def test_collection_errors_and_warnings_are_shown_once(suite: Suite) -> None:
    suite.write(
        {
            "test_bad.py": "import nowhere\n",
            "test_warns.py": "import warnings\nwarnings.warn('once is enough')\ndef test_one(): pass\n",
        }
    )
    plain = suite.plain()
    for start in ("template", "early"):
        run = suite.run(f"--rustpar-start={start}", "--continue-on-collection-errors")
        assert run.counts() == {"passed": 1, "errors": 1, "warnings": 1}, start
        assert run.text.count("No module named 'nowhere'") == plain.text.count("No module named 'nowhere'"), start


def test_an_early_worker_that_dies_while_collecting_is_a_clear_error(suite: Suite) -> None:
    suite.test("import os\nif os.environ.get('PYTEST_XDIST_WORKER') == 'gw1': os._exit(3)\ndef test_one(): pass\n")
    run = suite.run("--rustpar-start=early")
    assert run.ret == pytest.ExitCode.TESTS_FAILED
    assert "worker gw1 died while collecting test_it.py (exit code 3)" in run.text


def test_a_conftest_that_fails_in_early_workers_only_is_a_usage_error(suite: Suite) -> None:
    suite.conftest("import os\nassert 'PYTEST_XDIST_WORKER' not in os.environ\n")
    suite.test("def test_one(): pass\n")
    run = suite.run("--rustpar-start=early")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    assert "a conftest cannot be imported in a worker" in run.text


@pytest.mark.parametrize("start", ["template", "early"])
def test_a_run_leaves_no_state_in_its_caller_and_plugin_objects_of_that_are_not_in_workers(
    suite: Suite, start: str
) -> None:
    suite.test("def test_one(): pass\ndef test_two(): pass\n")
    suite.write(
        {
            "main.py": f"""
            import gc
            import os
            from collections import Counter
            import pytest
            from support import note

            def left():
                gc.collect()
                kinds = ("Config", "Session", "TestReport", "Controller", "WorkerController")
                alive = Counter(name for name in (type(one).__name__ for one in gc.get_objects()) if name in kinds)
                return alive, len(os.listdir("/proc/self/fd"))

            class Own:
                def pytest_runtest_setup(self): note("own")

            def run():
                assert pytest.main(["-n2", "--rustpar-start={start}"], plugins=[Own()]) == 0

            run()
            before = left()
            run()
            run()
            after = left()
            note("the same" if after == before else f"{{before}} {{after}}")
            """
        }
    )
    suite._pytester.runpython(suite.path / "main.py")
    assert suite.notes() == ["main the same"]


def test_workers_of_a_template_do_not_keep_the_fork_server(suite: Suite) -> None:
    suite.test(
        """
        import os
        import time
        from pathlib import Path
        def parent(pid): return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        def test_one():
            controller = int(Path("controller").read_text())
            end = time.monotonic() + 100
            while parent(os.getppid()) != controller: assert time.monotonic() < end
        """
    )
    suite.conftest(
        """
        import os
        from pathlib import Path
        def pytest_configure(config):
            if not hasattr(config, "workerinput"): Path("controller").write_text(str(os.getpid()))
        """
    )
    assert suite.run("--rustpar-start=template").counts() == {"passed": 1}


def test_a_conftest_may_wait_for_any_child_in_the_controller(suite: Suite) -> None:
    suite.conftest(
        """
        import os
        def pytest_runtest_logreport(report):
            if "PYTEST_XDIST_WORKER" in os.environ: return
            try: os.waitpid(-1, os.WNOHANG)
            except ChildProcessError: pass
        pytest_sessionfinish = pytest_unconfigure = lambda: pytest_runtest_logreport(None)
        """
    )
    suite.test("def test_one(): pass\ndef test_two(): pass\n")
    assert suite.run().counts() == {"passed": 2}


def test_an_installed_package_that_reads_the_name_at_import_is_detected(suite: Suite) -> None:
    packages = suite.path / "packages"
    suite.write({"packages/helpers.py": "import os\nNAME = os.environ.get('PYTEST_XDIST_WORKER')\n"})
    # A directory that the interpreter treats as its site-packages.
    suite.write(
        {
            "sitecustomize.py": "import site\n_was = site.getsitepackages\n"
            f"site.getsitepackages = lambda: [*_was(), {str(packages)!r}]\n"
        }
    )
    suite.test("from helpers import NAME\ndef test_one(): pass\ndef test_two(): pass\n")
    run = suite.run_with({"PYTHONPATH": f"{suite.path}:{packages}"})
    assert "test_it.py:1 reads PYTEST_XDIST_WORKER" in start_of(run)
