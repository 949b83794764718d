"""Child processes of a suite do not act as workers, and its SIGCHLD handling does not affect the processes of a run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Run, Suite

# Runs a test like pytest-forked: in a child process, which sends the reports to its parent.
FORKED = """
    import marshal
    import os

    import pytest
    from _pytest.runner import runtestprotocol

    def run_forked(item, nextitem):
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            reports = runtestprotocol(item, log=False, nextitem=nextitem)
            data = [item.config.hook.pytest_report_to_serializable(config=item.config, report=r) for r in reports]
            with os.fdopen(writing, "w") as pipe:
                pipe.write(repr(data))
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            text = pipe.read()
        os.waitpid(pid, 0)
        hook = item.config.hook
        return [hook.pytest_report_from_serializable(config=item.config, data=data) for data in eval(text)]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(item, nextitem):
        if item.get_closest_marker("aside") is None:
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in run_forked(item, GIVEN):
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True
"""

WITH_WORKERS = ("template", "early")

IGNORED = "    import signal\n    signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"

REAPED = """
    import os
    import signal

    def reap(*_):
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass

    signal.signal(signal.SIGCHLD, reap)
"""

# What a suite sets up for its children.
SIGCHLD_SETUPS = {"ignored": IGNORED, "reaped": REAPED}

# Nine tests that pass, and one that fails in each of two ways.
SOME = """
    import pytest

    @pytest.mark.parametrize("n", range(9))
    def test_it(n):
        pass

    def test_failing():
        assert 0

    @pytest.fixture
    def broken():
        yield
        assert 0

    def test_broken(broken):
        pass
"""


# A module whose tests run in child processes: all of them, or some.
ASIDE = """
    import pytest
    MARKS

    @pytest.fixture(scope="module", autouse=True)
    def shared():
        yield

    @pytest.mark.parametrize("n", range(6))
    def test_it(n): pass

    @pytest.mark.aside
    @pytest.mark.parametrize("n", range(6))
    def test_aside(n): assert n != 3

    @pytest.mark.aside
    def test_skipped(): pytest.skip("not today")

    def test_last(): pass
"""


def test_a_plugin_may_run_tests_in_child_processes(suite: Suite) -> None:
    suite.write(
        {
            "test_all.py": ASIDE.replace("MARKS", "pytestmark = pytest.mark.aside"),
            "test_some.py": ASIDE.replace("MARKS", ""),
            "conftest.py": FORKED.replace("GIVEN", "nextitem"),
        }
    )
    plain = suite.run_in("plain", "-W", "ignore")
    for start, given in zip(WITH_WORKERS, ("None", "nextitem"), strict=True):
        suite.conftest(FORKED.replace("GIVEN", given))
        # A process that goes from one file to another after a test aside finds the first one still set up.
        run = suite.run_in(start, "-W", "ignore", "--dist", "loadfile")
        assert run.counts() == plain.counts(), start
        assert run.outcomes == plain.outcomes, start
        assert run.ret == plain.ret
        assert set(run.runs.values()) == {1}


# What the child of a test does other than exit at once.
WAYS_OUT = {
    "returns": "return",
    "fails": "assert 0, 'in the child'",
    "raises-system-exit": "raise SystemExit(3)",
    "raises-keyboard-interrupt": "raise KeyboardInterrupt",
    "exits-pytest": "pytest.exit('in the child')",
    "skips": "pytest.skip('in the child')",
    "leaves-at-once": "os._exit(0)",
    "runs-exit-functions": "sys.exit(0)",
}


# Those that exit the test without returning from it.
ENDING_THE_SESSION = ("leaves-at-once", "raises-keyboard-interrupt", "exits-pytest")


@pytest.mark.parametrize("start", WITH_WORKERS)
def test_a_child_that_returns_from_its_test_does_not_act_as_the_worker(suite: Suite, start: str) -> None:
    suite.conftest(
        """
        import os
        import pytest
        from support import note

        @pytest.fixture(scope="session", autouse=True)
        def session():
            pid = os.getpid()
            yield
            note(f"session {os.getpid() == pid}")

        @pytest.fixture
        def own(request):
            yield
            note(f"own {request.path.parent.name}")
        """
    )
    for way_out, statement in WAYS_OUT.items():
        suite.write(
            {
                f"{way_out}/test_{way_out.replace('-', '_')}.py": f"""
                import os
                import sys
                import pytest

                @pytest.mark.parametrize("n", range(4))
                def test_it(n, own):
                    pid = os.fork()
                    if pid == 0:
                        {statement}
                    os.waitpid(pid, 0)

                def test_other(): pass
                """
            }
        )
    run = suite.run_in(start, "-W", "ignore")
    assert passed_by_directory(run) == dict.fromkeys(WAYS_OUT, 5), run.text
    assert run.ret == 0
    assert run.counts() == {"passed": 5 * len(WAYS_OUT)}
    assert not run.err
    # A child whose test has ended also tears down the test's own fixture; session fixtures belong to the worker.
    notes = Counter(note.split(" ", 1)[1] for note in suite.notes())
    assert set(notes) == {"session True", *(f"own {way_out}" for way_out in WAYS_OUT)}
    torn_down = {way_out: notes[f"own {way_out}"] for way_out in WAYS_OUT}
    assert torn_down == {way_out: 4 if way_out in ENDING_THE_SESSION else 8 for way_out in WAYS_OUT}


def passed_by_directory(run: Run) -> Counter[str]:
    """Return the number of tests that have passed and run once, by their directories."""
    once = [node_id for node_id, times in run.runs.items() if times == 1]
    passed = [one for one in once if all(outcome == "passed" for _, outcome, _ in run.outcomes[one])]
    return Counter(node_id.partition("/")[0] for node_id in passed)


# A conftest that forks at one place; PLACE is the name of its directory, and its hooks are called for tests in it.
FORKS_AT = """
    import os
    import pytest

    def fork(here):
        if here == PLACE and "PYTEST_XDIST_WORKER" in os.environ and (pid := os.fork()):
            os.waitpid(pid, 0)

    @pytest.fixture(scope="session", autouse=True)
    def session():
        fork("session")

    @pytest.fixture(autouse=True)
    def own():
        fork("fixture")
        yield
        fork("teardown")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol():
        fork("protocol")

    def pytest_runtest_logreport():
        fork("logreport")

    def pytest_sessionfinish():
        fork("sessionfinish")
"""


@pytest.mark.parametrize("start", WITH_WORKERS)
def test_a_child_that_returns_from_a_hook_does_not_act_as_the_worker(suite: Suite, start: str) -> None:
    places = ["fixture", "teardown", "session", "protocol", "logreport", "sessionfinish"]
    for place in places:
        suite.write({f"{place}/conftest.py": FORKS_AT.replace("PLACE", repr(place)), f"{place}/test_{place}.py": SOME})
    run = suite.run_in(start, "-W", "ignore")
    assert passed_by_directory(run) == dict.fromkeys(places, 9), run.text
    assert run.ret == 1
    assert run.counts() == {"passed": 60, "failed": 6, "errors": 6}
    assert set(run.runs.values()) == {1}
    assert "ended badly" not in run.text


FORKING = """
    import os

    def fork():
        if "PYTEST_XDIST_WORKER" in os.environ and (pid := os.fork()):
            os.waitpid(pid, 0)
"""


@pytest.mark.parametrize(
    ("where", "start"), [("import", "template"), ("import", "early"), ("collection_modifyitems", "template")]
)
def test_a_child_that_returns_while_collecting_is_not_the_template(suite: Suite, start: str, where: str) -> None:
    suite.write({"forking.py": FORKING})
    suite.test("\n    from forking import fork\n    fork()\n" + SOME if where == "import" else SOME)
    if where != "import":
        suite.conftest(
            """
            def pytest_collection_modifyitems():
                from forking import fork
                fork()
            """
        )
    run = suite.run_in(start, "-W", "ignore")
    assert run.counts() == {"passed": 10, "failed": 1, "errors": 1}
    assert set(run.runs.values()) == {1}


@pytest.mark.parametrize("start", WITH_WORKERS)
def test_a_child_of_multiprocessing_may_import_and_fail(suite: Suite, start: str) -> None:
    suite.test(
        """
        import multiprocessing
        import pytest

        def work(n):
            pytest.fail("in the child") if n else pytest.exit("in the child")

        @pytest.mark.parametrize("n", range(4))
        def test_it(n):
            child = multiprocessing.get_context("fork").Process(target=work, args=(n,))
            child.start()
            child.join()
            assert child.exitcode == 1
        """
    )
    run = suite.run_in(start, "-W", "ignore")
    assert run.counts() == {"passed": 4}
    assert run.ret == 0


@pytest.mark.parametrize("setup", SIGCHLD_SETUPS)
@pytest.mark.parametrize("place", ["conftest.py", "inner/conftest.py", "inner/test_it.py"])
def test_a_suite_may_reap_all_children_or_ignore_sigchld(suite: Suite, place: str, setup: str) -> None:
    suite.write({"inner/test_it.py": SOME})
    suite.write({place: SIGCHLD_SETUPS[setup] + (SOME if place.endswith("test_it.py") else "")})
    # Early workers do after the fork what the template does before it, so there each place once.
    early = (place == "inner/conftest.py") == (setup == "ignored")
    for start in WITH_WORKERS if early else ("template",):
        run = suite.run_in(start)
        assert run.counts() == {"passed": 10, "failed": 1, "errors": 1}, start
        assert passed_by_directory(run) == {"inner": 9}, start
        assert run.ret == 1
        assert not run.err
        assert "ended badly" not in run.text


@pytest.mark.parametrize(("start", "setup"), [("template", "ignored"), ("template", "reaped"), ("early", "reaped")])
def test_the_sigchld_disposition_of_a_suite_applies_in_its_tests(suite: Suite, start: str, setup: str) -> None:
    suite.conftest(SIGCHLD_SETUPS[setup])
    suite.test(
        """
        import os
        import signal
        import time
        import conftest
        import pytest

        @pytest.mark.parametrize("n", range(4))
        def test_it(n):
            assert signal.getsignal(signal.SIGCHLD) == getattr(conftest, "reap", signal.SIG_IGN)
            pid = os.fork()
            if pid == 0:
                os._exit(0)
            with pytest.raises(ChildProcessError):
                while True:
                    os.waitpid(pid, os.WNOHANG)
                    time.sleep(0.01)
        """
    )
    # The handler and the test may race for the child, as in plain pytest.
    if setup == "reaped":
        suite.test(
            """
            import conftest
            import signal

            def test_it(): assert signal.getsignal(signal.SIGCHLD) is conftest.reap
            def test_other(): test_it()
            """
        )
    run = suite.run_in(start, "-W", "ignore")
    assert run.ret == 0, run.text


@pytest.mark.parametrize("start", WITH_WORKERS)
def test_a_crash_is_reported_if_sigchld_is_ignored(suite: Suite, start: str) -> None:
    suite.conftest(IGNORED)
    suite.test(
        """
        import os
        import signal
        import pytest

        @pytest.mark.parametrize("n", range(5))
        def test_it(n):
            pass

        def test_dying():
            os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    run = suite.run_in(start)
    assert run.counts() == {"passed": 5, "failed": 1}
    assert run.ret == 1
    assert "killed by SIGKILL" in run.text


@pytest.mark.parametrize("run_mode", ["plain", *WITH_WORKERS])
def test_a_test_may_ignore_sigchld_or_wait_for_any_child(suite: Suite, run_mode: str) -> None:
    suite.test(
        """
        import os
        import signal
        import pytest

        @pytest.mark.parametrize("n", range(4))
        def test_ignoring(n):
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)

        @pytest.mark.parametrize("n", range(4))
        def test_waiting(n):
            with pytest.raises(ChildProcessError):
                os.waitpid(-1, 0)
        """
    )
    run = suite.run_in(run_mode)
    assert run.counts() == {"passed": 8}
    assert run.ret == 0
    assert "ended badly" not in run.text
