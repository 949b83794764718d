"""A crashed worker is one failed test; a replacement runs the remaining tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Suite

# Twelve tests; one dies in the way given in an environment variable.
DEADLY = """
    import os
    import signal
    import pytest

    def test_deadly():
        exec(os.environ["HOW"])

    @pytest.mark.parametrize("n", range(11))
    def test_good(n):
        pass
"""

# What ends a worker, and what is said about it.
DEATHS = {
    "exit_1": ("os._exit(1)", "exit code 1"),
    "exit_0": ("os._exit(0)", "exit code 0"),
    "kill": ("os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
    "segv": ("os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
    "abort": ("os.abort()", "SIGABRT"),
}


def test_a_worker_that_dies_in_a_test_or_its_fixtures_is_one_failure(suite: Suite) -> None:
    tests = "".join(f"    def test_{name}(): {statement}\n" for name, (statement, _) in DEATHS.items())
    suite.test(
        """
    import os
    import signal
    import pytest

    @pytest.fixture
    def setup_dies(): os._exit(3)

    @pytest.fixture
    def teardown_dies():
        yield
        os._exit(4)

    def test_setup(setup_dies): pass
    def test_teardown(teardown_dies): pass

    @pytest.mark.parametrize("n", range(11))
    def test_good(n): pass

"""
        + tests
    )
    run = suite.run()
    assert run.ret == 1
    good = {node_id: count for node_id, count in run.runs.items() if "good" in node_id}
    assert len(good) == 11
    assert set(good.values()) == {1}
    # The call of the test whose teardown died has passed.
    assert run.counts() == {"failed": 7, "passed": 12}, run.text
    for name, words in (*((name, words) for name, (_, words) in DEATHS.items()), ("setup", "3"), ("teardown", "4")):
        report = run.report(f"::test_{name}", "???")
        worker = report["worker"]
        assert report["outcome"] == "failed", name
        assert report["longrepr"].startswith(f"worker '{worker}' crashed while running 'test_it.py::test_{name}'")
        assert words in run.line(f"[{worker}] node down"), name
        assert any(line.endswith(f"replacing crashed worker {worker}") for line in run.lines), name
        assert any(line.startswith(f"FAILED test_it.py::test_{name} - worker '{worker}'") for line in run.lines), name
    assert sum(line.startswith("___") and " test_it.py " in line for line in run.lines) == 7


def test_the_replacement_takes_the_next_unused_id_and_testnodedown_is_told_how_each_worker_ended(suite: Suite) -> None:
    suite.conftest(
        """
        import support

        def pytest_testnodedown(node, error):
            support.note(f"down {node.gateway.id} {error}")
        """
    )
    suite.test(DEADLY)
    run = suite.run_with({"HOW": "os._exit(7)"}, n="1")
    assert run.ret == 1
    assert {next(iter(w)) for node_id, w in run.workers.items() if "good" in node_id} == {"gw1"}
    assert suite.notes()[0].startswith("main down gw0 Not properly terminated")
    assert suite.notes()[1:] == ["main down gw1 None"]


@pytest.mark.parametrize("mode", ["loadfile", "loadscope", "loadgroup", "load", "worksteal"])
def test_the_rest_of_a_group_runs_after_a_crash(suite: Suite, mode: str) -> None:
    for name in ("a", "b"):
        suite.write(
            {
                f"test_{name}.py": f"""
                    import os
                    import pytest

                    @pytest.mark.xdist_group("{name}")
                    @pytest.mark.parametrize("n", range(6))
                    def test_it(n):
                        if n == 2 and "{name}" == "a":
                            os._exit(1)
                """
            }
        )
    run = suite.run("--dist", mode)
    assert run.ret == 1
    assert run.counts() == {"failed": 1, "passed": 11}
    assert run.report("test_a.py::test_it[2]", "???")["outcome"] == "failed"


@pytest.mark.parametrize("mode", ["load", "loadfile"])
def test_every_test_that_crashes_is_reported_once(suite: Suite, mode: str) -> None:
    suite.test(
        """
        import os
        import pytest

        @pytest.mark.parametrize("n", range(9))
        def test_it(n):
            if n % 3 == 0:
                os._exit(1)
        """
    )
    run = suite.run("--dist", mode)
    assert run.counts() == {"failed": 3, "passed": 6}
    assert set(run.outcomes) == {f"test_it.py::test_it[{n}]" for n in range(9)}


def test_a_crash_under_each_is_reported_for_each_worker(suite: Suite) -> None:
    suite.test("import os\ndef test_a(): pass\ndef test_b(): os._exit(1)\n")
    run = suite.run("--dist", "each", "--max-worker-restart", "0")
    crashes = [r for r in run.reports if r["when"] == "???"]
    assert {r["worker"] for r in crashes} <= {"gw0", "gw1"}
    assert crashes
    assert run.ret != 0


def test_no_worker_is_replaced_when_restarting_is_off(suite: Suite) -> None:
    suite.test(DEADLY)
    run = suite.run_with({"HOW": "os._exit(1)"}, "--max-worker-restart", "0", n="1")
    assert run.ret != 0
    assert run.counts()["failed"] == 1
    assert "passed" not in run.counts()
    assert any("worker gw0 crashed and worker restarting disabled" in line for line in run.lines)
    assert "replacing crashed worker" not in run.out


def test_the_run_ends_when_more_workers_crash_than_allowed(suite: Suite) -> None:
    suite.test(
        """
        import os
        import pytest

        @pytest.mark.parametrize("n", range(10))
        def test_it(n):
            os._exit(1)
        """
    )
    run = suite.run("--max-worker-restart", "2", n="1")
    assert run.ret != 0
    assert run.counts() == {"failed": 3}
    assert any("maximum crashed workers reached: 2" in line for line in run.lines)


def test_the_hook_for_a_crash_may_have_the_test_run_again(suite: Suite) -> None:
    suite.conftest(
        """
        def pytest_handlecrashitem(crashitem, report, sched):
            report.outcome = "rerun"
            sched.mark_test_pending(crashitem)
        """
    )
    suite.test(
        """
        import os
        import pytest

        @pytest.mark.parametrize("n", range(6))
        def test_it(n):
            if n == 2 and not os.path.exists("been_here"):
                open("been_here", "w").close()
                os._exit(1)
        """
    )
    run = suite.run()
    assert run.ret == 0
    assert run.counts()["passed"] == 6
    assert ("???", "rerun", False) in run.outcomes["test_it.py::test_it[2]"]
    assert run.runs["test_it.py::test_it[2]"] == 1


def test_template_death_while_importing_a_test_module_is_a_clear_error(suite: Suite) -> None:
    dies = "if 'PYTEST_XDIST_WORKER' in os.environ:\n    os.kill(os.getpid(), 9)\n"
    suite.test(f"import os\n{dies}def test_it(): pass\n")
    run = suite.run()
    assert run.ret not in (0, pytest.ExitCode.NO_TESTS_COLLECTED)
    assert "while collecting test_it.py" in run.text
    assert "Traceback" not in run.text


def test_template_death_while_importing_a_conftest_is_a_clear_error(suite: Suite) -> None:
    suite.conftest("import os\nif 'PYTEST_XDIST_WORKER' in os.environ:\n    os._exit(5)\n")
    suite.test("def test_it(): pass")
    run = suite.run()
    assert run.ret not in (0, pytest.ExitCode.NO_TESTS_COLLECTED)
    assert "exit code 5" in run.text
    assert "Traceback" not in run.text


def test_a_conftest_that_only_fails_in_a_worker_is_named(suite: Suite) -> None:
    suite.conftest("import os\nif 'PYTEST_XDIST_WORKER' in os.environ:\n    raise ValueError('only here')\n")
    suite.test("def test_it(): pass")
    run = suite.run()
    assert run.ret not in (0, pytest.ExitCode.NO_TESTS_COLLECTED)
    assert "only here" in run.text
    assert "conftest.py" in run.text


def test_results_before_a_crash_are_kept(suite: Suite) -> None:
    suite.test(
        """
        import os

        def test_first(): print("a first word")
        def test_second(): assert False, "a reason"
        def test_third(): os._exit(1)
        """
    )
    run = suite.run(n="1")
    assert run.counts() == {"failed": 2, "passed": 1}
    assert "a reason" in run.out


def test_a_worker_that_exits_abnormally_after_its_session_is_reported(suite: Suite) -> None:
    suite.conftest(
        """
        import os
        import pytest

        @pytest.hookimpl(trylast=True)
        def pytest_unconfigure(config):
            if hasattr(config, "workerinput"):
                os._exit(9)
        """
    )
    suite.test("def test_it(): pass")
    run = suite.run(n="1")
    assert run.counts() == {"passed": 1}
    assert "exit code 9" in run.text


@pytest.mark.parametrize("extra", [False, True], ids=["plain reports", "reports with attributes"])
def test_a_crash_after_the_teardown_is_not_reported_beside_it(suite: Suite, extra: bool) -> None:
    suite.conftest(
        f"""
        import os
        import pytest
        import warnings

        def crash(nodeid, place):
            if nodeid.endswith(f"[{{place}}]") and "PYTEST_XDIST_WORKER" in os.environ:
                os._exit(3)

        def pytest_runtest_logfinish(nodeid):
            crash(nodeid, "logfinish")

        @pytest.hookimpl(wrapper=True, tryfirst=True)
        def pytest_runtest_protocol(item):
            result = yield
            crash(item.nodeid, "protocol")
            return result

        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_makereport():
            report = yield
            if {extra}:
                report.colour = "green"
            return report
        """
    )
    suite.test(
        """
        import pytest
        import warnings

        @pytest.mark.parametrize("n", [0, "logfinish", 2, "protocol", 4])
        def test_it(n):
            warnings.warn("late")
        """
    )
    run = suite.run(n="1")
    assert run.ret == 1
    for place in ("logfinish", "protocol"):
        reported = [report["when"] for report in run.reports if report["nodeid"].endswith(f"[{place}]")]
        assert reported == ["setup", "call", "???"], place
        assert "in the teardown of the test" in run.report(f"[{place}]", "???")["longrepr"]
    assert [run.runs[f"test_it.py::test_it[{n}]"] for n in (0, 2, 4)] == [1, 1, 1]


@pytest.mark.parametrize(
    ("start", "name"), [("early", "the process that forks workers"), ("template", "the template process")]
)
def test_the_death_of_the_process_that_forks_workers_is_named(suite: Suite, start: str, name: str) -> None:
    suite.test(
        """
        import os
        import pytest
        import signal
        import time

        @pytest.mark.parametrize("n", range(4))
        def test_it(n):
            if n == 1:
                os.kill(os.getppid(), signal.SIGSEGV)
                time.sleep(600)
        """
    )
    run = suite.run(f"--rustpar-start={start}")
    assert run.ret not in (0, 5)
    assert f"{name} died before all tests had run" in run.text
    assert "The process that forks workers has died, and the kernel has killed its children with it." in run.text
    assert "Another process has killed it" not in run.text


def test_the_template_may_die_just_before_it_becomes_a_worker(suite: Suite) -> None:
    suite.conftest(
        """
        import os, signal, time

        def pytest_collection_finish(session):
            if os.environ.get("PYTEST_XDIST_WORKER") == "gw0":
                with open("template", "w") as file:
                    file.write(str(os.getpid()))

        def pytest_testnodeready(node):
            if node.gateway.id == "gw0":
                with open("template") as file:
                    os.kill(int(file.read()), signal.SIGKILL)
                # Its parent notices that before it gets the next request.
                time.sleep(0.3)
        """
    )
    suite.test("def test_one(): pass\ndef test_two(): pass")
    run = suite.run("--rustpar-start=early")
    assert run.ret == 1
    assert "worker gw0 died" in run.text
    assert "Traceback" not in run.text
