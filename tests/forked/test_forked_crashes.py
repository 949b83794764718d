"""Processes of tests that crash, or are ended at a time limit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Suite


@pytest.mark.parametrize("mode", ["plain", "template", "xdist"])
def test_a_crash_is_the_failure_of_its_test(suite: Suite, mode: str) -> None:
    suite.test(
        """
        import os
        import pytest

        @pytest.fixture
        def crashing():
            yield
            os._exit(4)

        def test_signal():
            print("last words", flush=True)
            os.kill(os.getpid(), 11)

        def test_exit():
            os._exit(3)

        def test_teardown(crashing):
            pass

        def test_system_exit():
            raise SystemExit(5)

        @pytest.mark.parametrize("number", range(4))
        def test_other(number):
            pass
        """
    )
    run = suite.run_in(mode, "--rustpar-forked")
    assert run.ret == 1
    assert run.counts() == {"passed": 5, "failed": 3, "errors": 1}
    assert "it was killed by SIGSEGV (segmentation fault) in the call of the test" in run.text
    assert "it exited with code 3 in the call of the test" in run.text
    assert "it exited with code 4 in the teardown of the test" in run.text
    assert run.text.count("last words") == 1
    assert re.search(r"line \d+ in test_signal", run.text)
    assert "node down" not in run.text
    assert run.outcomes["test_it.py::test_exit"] == [("setup", "passed", False), ("call", "failed", False)]


@pytest.mark.parametrize("mode", ["template", "early"])
def test_each_of_many_crashes_at_once_has_its_own_stack_and_output(suite: Suite, mode: str) -> None:
    names = [f"test_crash_{number:02}" for number in range(24)]
    suite.test("import os\n" + "".join(f"def {name}(): print('in {name}'); os.abort()\n" for name in names))
    run = suite.run_in(mode, "--rustpar-forked", n="4")
    assert run.counts() == {"failed": 24}
    for name in names:
        report = run.report(name)
        assert re.findall(r"line \d+ in (test_crash_\d+)", report["longrepr"]) == [name]
        assert re.findall(r"in (test_crash_\d+)", "".join(text for _, text in report["sections"])) == [name]


@pytest.mark.parametrize("mode", ["template", "early"])
def test_a_time_limit_shows_the_stack_of_the_process_of_the_test(suite: Suite, mode: str) -> None:
    suite.test(
        """
        import os, signal, sys, time
        import pytest

        def hang():
            print("last words", flush=True)
            while True:
                time.sleep(0.01)

        def test_sleeps():
            hang()

        def test_stops_itself():
            print("last words", flush=True)
            os.kill(os.getpid(), signal.SIGSTOP)

        @pytest.mark.parametrize("number", range(8))
        def test_other(number):
            pass
        """
    )
    run = suite.run_in(mode, "--rustpar-forked", "--rustpar-timeout=1s", n="2")
    assert run.counts() == {"passed": 8, "failed": 2}
    for name in ("test_sleeps", "test_stops_itself"):
        (report,) = [one for one in run.reports if one["nodeid"].endswith(name) and one["outcome"] == "failed"]
        assert "1.00 s" in report["longrepr"]
        assert re.search(rf"line \d+ in {name}\b", report["longrepr"])
        assert any("last words" in text for _, text in report["sections"])
