"""How a load test ends, other than as planned: stopped, skipped, failed in a fixture, interrupted, killed."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.load.waiting import waiting

if TYPE_CHECKING:
    from tests.harness import Suite


def test_a_test_may_stop_the_load(suite: Suite) -> None:
    suite.test(waiting("users=4, duration='100s'", "load.iteration == 5 and load.stop()"))
    run = suite.run("--rustpar-load")
    assert run.counts() == {"passed": 1}, run.text
    assert "a test called load.stop()" in run.out


def test_a_skip_in_an_iteration_skips_the_load_test(suite: Suite) -> None:
    suite.test(waiting("users=4, duration='100s'", "load.iteration == 5 and pytest.skip('not here')"))
    run = suite.run("--rustpar-load", "-rs")
    assert run.counts() == {"skipped": 1}, run.text
    assert "not here" in run.out


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_iterations_that_do_not_end_are_interrupted(suite: Suite, kind: str) -> None:
    wait = "time.sleep" if kind == "def" else "await asyncio.sleep"
    suite.test(
        f"""
        import asyncio, time
        import pytest

        @pytest.mark.load(users=3, duration="0.3s", graceful_stop="0.2s")
        {kind} test_it(load):
            {wait}(5 if load.user == 1 and load.iteration == 2 else 0.01)
        """
    )
    run = suite.run("--rustpar-load")
    assert run.counts() == {"passed": 1}, run.text
    assert "interrupted iterations: 1" in run.out


@pytest.mark.parametrize("fault", ["setup", "teardown"])
@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_fixture_that_fails_for_one_user_names_it(suite: Suite, fault: str, kind: str) -> None:
    suite.test(
        f"""
        import pytest

        @pytest.fixture
        def broken(load):
            if {fault == "setup"} and load.user == 17:
                raise ValueError("no login")
            yield
            open(f"down{{load.user}}", "w")
            if {fault == "teardown"} and load.user == 17:
                raise ValueError("no logout")

        @pytest.mark.load(users=20, iterations=40)
        {kind} test_it(broken):
            pass

        @pytest.mark.load(users=2, iterations=10)
        {kind} test_next():
            pass
        """
    )
    run = suite.run("--rustpar-load")
    assert run.ret == 1
    assert run.counts() == {"passed": 1 if fault == "setup" else 2, "errors": 1}, run.text
    assert "ValueError: no log" in run.out
    assert "of user 17, of 20 users" in run.out
    down = {path.name for path in suite.path.glob("down*")}
    if fault == "teardown":
        assert down == {f"down{number}" for number in range(20)}
    else:
        assert "down17" not in down
        assert {f"down{number}" for number in range(1, 17, 2)} <= down


def test_a_worker_that_is_killed_fails_the_load_test_and_not_the_next(suite: Suite) -> None:
    suite.test(
        """
        import os, time
        import pytest

        @pytest.mark.load(users=4, duration="60s")
        def test_it(load):
            time.sleep(0.005)
            if load.user == 1 and load.iteration == 20:
                os.kill(os.getpid(), 9)

        @pytest.mark.load(users=4, iterations=100)
        def test_next():
            pass
        """
    )
    run = suite.run("--rustpar-load", "--rustpar-retries=2")
    assert run.ret == 1
    assert run.counts() == {"failed": 1, "passed": 1}, run.text
    assert "was lost, so the load was less than asked for" in run.out
    # It is not tried again: nobody else would take part.
    run = suite.run("--rustpar-load", "--max-worker-restart=0", "--rustpar-retries=2")
    assert run.counts() == {"failed": 1, "passed": 1}, run.text
    assert "was lost, so the load was less than asked for" in run.out
    assert "4 users, 100 iterations in at most 10:00 min, 1 process" in run.out


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_an_interrupt_ends_in_order_with_the_results_so_far(suite: Suite, kind: str) -> None:
    wait = "time.sleep" if kind == "def" else "await asyncio.sleep"
    suite.test(
        f"""
        import asyncio, time
        from pathlib import Path
        import pytest

        @pytest.fixture
        def own(load):
            yield
            Path(f"down{{load.user}}").touch()

        @pytest.mark.load(users=4, duration="300s")
        {kind} test_it(own, load):
            {wait}(0.01)
            if load.iteration == 10:
                Path("begun.here").touch()

        @pytest.mark.load(users=4, duration="300s")
        {kind} test_next(own, load):
            {wait}(0.01)
        """
    )
    process = suite.start("--rustpar-load")
    suite.wait_for("begun")
    process.send_signal(signal.SIGINT)
    run = suite.wait_for_exit(process)
    assert run.ret == 2
    assert "no tests ran" in run.out
    assert "of 5:00 min: the run was stopped" in run.out
    assert {path.name for path in suite.path.glob("down*")} == {"down0", "down1", "down2", "down3"}


def test_the_first_failure_ends_the_run_with_x(suite: Suite) -> None:
    suite.test(
        """
        import pytest

        @pytest.mark.load(users=2, iterations=10)
        def test_it():
            assert 0

        @pytest.mark.load(users=2, iterations=10)
        def test_next():
            pass
        """
    )
    run = suite.run("--rustpar-load", "-x")
    assert run.counts() == {"failed": 1}, run.text


def test_what_ends_an_ordinary_test_ends_a_load_test(suite: Suite) -> None:
    suite.test(
        """
        import os, sys, time
        import pytest

        @pytest.mark.load(users=3, duration="100s")
        def test_xfail(load):
            time.sleep(0.005)
            if load.iteration == 3: pytest.xfail("known")

        @pytest.mark.load(users=3, duration="100s")
        def test_unknown(load):
            class Unknown(BaseException):
                def __repr__(self): raise ValueError
            time.sleep(0.005)
            if load.iteration == 3: raise Unknown("what")

        @pytest.mark.load(users=2, iterations=4)
        def test_fork():
            if os.fork() == 0:
                sys.exit(3)
            assert os.waitstatus_to_exitcode(os.wait()[1]) == 3

        @pytest.fixture
        def stopping(load):
            load.stop()

        @pytest.mark.load(users=2, iterations=4)
        def test_stopped_before(stopping): pass
        """
    )
    run = suite.run("--rustpar-load", "-W", "ignore")
    assert run.ret == 1, run.text
    assert run.counts() == {"xfailed": 1, "failed": 2, "passed": 1}, run.text
    assert "no iteration has ended" in run.out
    assert "Unknown" in run.out


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_pytest_exit_in_an_iteration_ends_the_run(suite: Suite, kind: str) -> None:
    suite.test(
        f"""
        import pytest

        @pytest.mark.load(users=3, duration="100s")
        {kind} test_exit(load):
            if load.user == 1:
                pytest.exit("enough", 7)

        @pytest.mark.load(users=2, iterations=4)
        {kind} test_after(): pass
        """
    )
    run = suite.run("--rustpar-load")
    assert run.ret == 7, run.text
    assert "Exit: enough" in run.out
    assert not run.reports


def test_teardown_of_users_goes_on_after_an_interrupt(suite: Suite) -> None:
    suite.test(
        """
        import time
        from pathlib import Path
        import pytest

        @pytest.fixture
        def own(load):
            yield
            Path("teardown.here").touch()
            time.sleep(0.3)
            Path(f"down{load.user}").touch()

        @pytest.mark.load(users=6, iterations=6)
        def test_it(own): pass
        """
    )
    process = suite.start("--rustpar-load")
    suite.wait_for("teardown")
    process.send_signal(signal.SIGINT)
    run = suite.wait_for_exit(process)
    assert run.ret == 2, run.text
    assert {path.name for path in suite.path.glob("down*")} == {f"down{number}" for number in range(6)}
