"""Tests that run for too long are ended from outside, whatever they do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.harness import interrupts_ignored

if TYPE_CHECKING:
    from tests.harness import Suite

# A test of its own file each, and the line that its stack has to name.
HANGING = {
    "sleep": ("import time\ndef test_hangs():\n    time.sleep(600)\n", "line 3 in test_hangs"),
    "spin": ("def test_hangs():\n    while True:\n        pass\n", "in test_hangs"),
    "hold_the_gil": (
        "import re\ndef test_hangs():\n    re.match('(a+)+$', 'a' * 64 + 'b')\n",
        "line 3 in test_hangs",
    ),
    "ignore_signals": (
        """
        import signal, time
        def test_hangs():
            for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
                try:
                    signal.signal(number, signal.SIG_IGN)
                except OSError:
                    pass
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            time.sleep(600)
        """,
        "",
    ),
    "stop": (
        "import os, signal\ndef test_hangs():\n    os.kill(os.getpid(), signal.SIGSTOP)\n",
        "line 3 in test_hangs",
    ),
    "set_up": (
        """
        import pytest, time
        @pytest.fixture(scope="session")
        def server():
            time.sleep(600)
        def test_hangs(server): pass
        """,
        "in server",
    ),
    "tear_down": (
        """
        import pytest, time
        @pytest.fixture
        def server():
            yield
            time.sleep(600)
        def test_hangs(server): pass
        """,
        "in server",
    ),
    "deadlock": (
        """
        import threading
        def test_hangs():
            one, other = threading.Lock(), threading.Lock()
            one.acquire()
            def wait():
                with other, one:
                    pass
            thread = threading.Thread(target=wait, daemon=True)
            thread.start()
            while not other.locked():
                pass
            other.acquire()
        """,
        "in wait",
    ),
    "hold_the_pipes": (
        """
        import subprocess, sys, time
        def test_hangs():
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3)"])
            time.sleep(600)
        """,
        "in test_hangs",
    ),
}


# What a test does does not depend on how its worker was forked.
@pytest.mark.parametrize(("start", "hanging"), [("template", list(HANGING)), ("early", ["sleep", "stop", "set_up"])])
def test_a_test_that_hangs_in_any_way_fails_at_its_limit(suite: Suite, start: str, hanging: list[str]) -> None:
    suite.write({f"test_{name}.py": HANGING[name][0] for name in hanging})
    suite.write({"test_others.py": "import pytest\n@pytest.mark.parametrize('n', range(20))\ndef test_it(n): pass\n"})
    run = suite.run_in(start, "--rustpar-timeout=1s", "--max-worker-restart=0", n=str(min(len(hanging), 4)))
    assert run.ret == 1, run.text
    assert run.counts()["failed"] + run.counts().get("error", 0) == len(hanging), run.text
    assert {node_id for node_id, count in run.runs.items() if "test_others" in node_id and count == 1} == {
        f"test_others.py::test_it[{n}]" for n in range(20)
    }
    missing = {}
    for name in hanging:
        (report,) = [
            report
            for report in run.reports
            if report["nodeid"] == f"test_{name}.py::test_hangs" and report["outcome"] == "failed"
        ]
        words = report["longrepr"]
        line = HANGING[name][1]
        phase = {"set_up": "setup", "tear_down": "teardown"}.get(name, "call")
        first = rf"Timeout: the test ran longer than 1.00 s; worker 'gw\d+' was ended in its {phase}"
        if not re.fullmatch(first, words.splitlines()[0]) or line not in words or "Fatal" in words:
            missing[name] = words
    assert missing == {}


def test_a_mark_sets_the_limit_of_a_test(suite: Suite) -> None:
    suite.test(
        """
        import pytest, time

        @pytest.mark.timeout(0.3)
        def test_short(): time.sleep(600)

        @pytest.mark.timeout("300ms")
        def test_text(): time.sleep(600)

        @pytest.mark.timeout(0)
        def test_none(): time.sleep(1.5)

        @pytest.mark.timeout(timeout=30)
        def test_long(): time.sleep(1.5)

        @pytest.mark.timeout
        def test_invalid(): pass
        """
    )
    run = suite.run("--rustpar-timeout=1s", "--strict-markers")
    assert run.counts() == {"passed": 3, "failed": 2, "warnings": 1}, run.text
    assert "test_it.py::test_invalid: invalid timeout mark: expected for example @pytest.mark.timeout(10)" in run.out


def test_the_rest_of_a_worker_runs_elsewhere_and_no_restart_is_used_up(suite: Suite) -> None:
    suite.test(
        """
        import pytest, time

        @pytest.mark.parametrize("n", range(12))
        def test_it(n):
            if n in (1, 5, 8):
                time.sleep(600)
        """
    )
    run = suite.run("--rustpar-timeout=500ms", "--max-worker-restart=0", "--dist=loadfile", n="1")
    assert run.counts() == {"passed": 9, "failed": 3}, run.text
    assert run.out.count("node down: Not properly terminated (time limit of a test exceeded)") == 3


def test_the_limit_can_be_set_in_the_configuration_file_and_disabled(suite: Suite) -> None:
    suite.test("import time\ndef test_one(): time.sleep(1)\ndef test_two(): pass\n")
    suite.write({"pytest.ini": "[pytest]\nrustpar_timeout = 200ms\n"})
    assert suite.run().counts() == {"passed": 1, "failed": 1}
    assert suite.run("--rustpar-timeout=0").counts() == {"passed": 2}
    suite.write({"pytest.ini": "[pytest]\nrustpar_timeout = soon\n"})
    run = suite.run()
    assert (run.ret, run.err.strip()) == (
        4,
        "ERROR: rustpar_timeout: invalid duration 'soon': expected for example 500ms, 1s or 1.5m",
    )


def test_a_limit_that_has_no_effect_is_reported(suite: Suite) -> None:
    suite.test("def test_it(): pass")
    line = "rustpar: --rustpar-timeout has no effect without workers: add -n auto"
    assert line in suite.run("--rustpar-timeout=1s", n=None).lines


def test_with_pytest_timeout_the_engine_waits_for_it(suite: Suite) -> None:
    suite.conftest("def pytest_configure(config): config.pluginmanager.register(object(), 'timeout')")
    suite.test(
        """
        import pytest, time

        @pytest.mark.timeout(0.1)
        def test_it(): time.sleep(1)
        """
    )
    assert suite.run().counts()["passed"] == 1


@pytest.mark.parametrize("are_ignored", [False, True], ids=["", "interrupts ignored"])
@pytest.mark.parametrize("start", ["template", "early"])
def test_a_run_that_takes_too_long_keeps_its_results_and_tears_down(
    suite: Suite, start: str, are_ignored: bool
) -> None:
    suite.test(
        """
        import pytest, time
        from support import note

        @pytest.fixture(scope="session")
        def server():
            yield
            note("torn down")

        @pytest.mark.parametrize("n", range(6))
        def test_it(server, n):
            time.sleep(600 if n == 5 else 0)
        """
    )
    with interrupts_ignored(are_ignored=are_ignored):
        run = suite.run_in(start, "--rustpar-run-timeout=4s", n="1")
    assert run.ret == 124, run.text
    assert run.counts()["passed"] == 5
    assert suite.notes() == ["gw0 torn down"]
    assert "the run took longer than its limit of 4.00 s" in run.out


def test_a_collection_that_takes_too_long_ends_the_run(suite: Suite) -> None:
    suite.test("import time\ntime.sleep(600)\ndef test_it(): pass\n")
    for are_ignored in (False, True):
        with interrupts_ignored(are_ignored=are_ignored):
            run = suite.run("--rustpar-run-timeout=1s")
        assert run.ret == 124, run.text
        assert "the run took longer than its limit of 1.00 s" in run.out
        assert "did not react" not in run.text


def test_a_report_of_a_time_limit_or_crash_names_what_ran_at_the_same_time(suite: Suite) -> None:
    suite.write(
        {
            "test_long.py": "import support\ndef test_long():\n    support.meet('long')\n    support.wait_for('end')\n",
            "test_others.py": """
                import os
                import pytest
                import support
                import time

                @pytest.mark.timeout(0.5)
                def test_hangs():
                    support.wait_for("long")
                    time.sleep(600)

                def test_crashes():
                    os.kill(os.getpid(), 9)

                def test_last():
                    support.arrive("end")
            """,
        }
    )
    run = suite.run("--dist=loadfile")
    assert run.counts() == {"failed": 2, "passed": 2}
    for name, words in (
        ("test_hangs", "Timeout: the test ran longer than 500 ms; worker 'gw"),
        ("test_crashes", "it was killed by SIGKILL in the call of the test"),
    ):
        text = run.report(name, "???")["longrepr"]
        assert words in text
        last = text.partition("\nAt the same time ran:\n")[2].splitlines()[0]
        assert re.fullmatch(r"  gw\d: test_long.py::test_long \(for [\d.]+ m?s\)", last)


HANGING_HOOK = """
    import time

    def pytest_runtest_logreport(report):
        if report.nodeid.endswith("[3]") and hasattr(report, "node"):
            hang_in_the_hook()
"""


@pytest.mark.parametrize(
    ("hook", "are_ignored", "is_ended"),
    [
        ("def hang_in_the_hook():\n    time.sleep(600)", False, False),
        ("def hang_in_the_hook():\n    time.sleep(600)", True, False),
        (
            """
def hang_in_the_hook():
    while True:
        try:
            time.sleep(600)
        except KeyboardInterrupt:
            pass
""",
            False,
            True,
        ),
    ],
    ids=["interruptible", "interrupts ignored", "not interruptible"],
)
def test_the_limit_of_a_run_holds_if_a_hook_of_the_controller_hangs(
    suite: Suite, hook: str, are_ignored: bool, is_ended: bool
) -> None:
    suite.conftest(HANGING_HOOK)
    path = suite.path / "conftest.py"
    path.write_text(path.read_text() + hook)
    suite.test("import pytest\n@pytest.mark.parametrize('n', range(4))\ndef test_it(n): pass\n")
    with interrupts_ignored(are_ignored=are_ignored):
        run = suite.run("--rustpar-run-timeout=1s")
    assert run.ret == 124
    assert re.search(
        r"rustpar: the main process has been busy for \d.* because a plugin's hook may hang; its stack:", run.err
    )
    assert "in hang_in_the_hook" in run.err
    if is_ended:
        assert "rustpar: the main process does not react to an interrupt; it is ended" in run.err
    else:
        assert "the run took longer than its limit of 1.00 s" in run.text


def test_a_hook_that_takes_longer_than_a_test_may_is_reported_once_and_the_run_goes_on(suite: Suite) -> None:
    suite.conftest(HANGING_HOOK + "    def hang_in_the_hook():\n        time.sleep(4)\n")
    suite.test("import pytest\n@pytest.mark.parametrize('n', range(4))\ndef test_it(n): pass\n")
    run = suite.run("--rustpar-timeout=1s", "-k", "not 0")
    assert run.ret == 0
    assert run.counts()["passed"] == 3
    assert "in hang_in_the_hook" in run.err
