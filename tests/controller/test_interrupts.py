"""An interrupted run ends soon, keeps the results so far, and leaves no process behind (checked in the conftest)."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.harness import RUN_LIMIT, interrupts_ignored

if TYPE_CHECKING:
    from tests.harness import Suite

# Two tests that hang, one for each worker, and two that have passed before.
HANGING = """
    import time
    import pytest
    from support import arrive, note

    @pytest.fixture(scope="session")
    def server():
        yield
        note("session down")

    @pytest.fixture
    def thing():
        yield
        note("function down")

    @pytest.mark.parametrize("n", range(2))
    def test_quick(n):
        arrive(f"quick{n}")

    @pytest.mark.parametrize("n", range(2))
    def test_hangs(n, server, thing):
        arrive(f"hangs{n}")
        for _ in range(600):
            time.sleep(0.1)
"""

ALL = ("quick0", "quick1", "hangs0", "hangs1")


@pytest.mark.parametrize("whole_group", [True, False], ids=["process group", "controller alone"])
def test_ctrl_c_tears_fixtures_down_and_reports_what_has_run(suite: Suite, whole_group: bool) -> None:
    suite.test(HANGING)
    process = suite.start("--maxschedchunk=1")
    suite.wait_for(*ALL)
    (os.killpg if whole_group else os.kill)(process.pid, signal.SIGINT)
    run = suite.wait_for_exit(process)
    assert run.ret == pytest.ExitCode.INTERRUPTED
    assert "KeyboardInterrupt" in run.out
    assert run.counts() == {"passed": 2}
    notes = [note.split(maxsplit=1) for note in suite.notes()]
    assert sorted(text for _, text in notes) == ["function down"] * 2 + ["session down"] * 2
    assert {worker for worker, _ in notes} == {"gw0", "gw1"}
    assert "Traceback" not in run.err


# Both values of each are combined with both values of the others.
@pytest.mark.parametrize(
    ("whole_group", "number", "start"),
    [
        (True, signal.SIGTERM, "template"),
        (False, signal.SIGHUP, "template"),
        (False, signal.SIGTERM, "early"),
        (True, signal.SIGHUP, "early"),
    ],
)
def test_a_terminated_run_tears_fixtures_down_and_ends_by_the_signal(
    suite: Suite, whole_group: bool, number: signal.Signals, start: str
) -> None:
    suite.conftest("import atexit, support\natexit.register(support.note, 'left')\n")
    suite.test(HANGING)
    process = suite.start("--maxschedchunk=1", f"--rustpar-start={start}", "--junitxml=junit.xml")
    suite.wait_for(*ALL)
    (os.killpg if whole_group else os.kill)(process.pid, number)
    run = suite.wait_for_exit(process)
    assert run.ret == -number
    assert run.counts() == {"passed": 2}
    assert (suite.path / "junit.xml").exists()
    notes = [note.split(maxsplit=1) for note in suite.notes()]
    assert sorted(text for worker, text in notes if worker in ("gw0", "gw1")) == sorted(
        ["function down", "session down", "left"] * 2
    )
    assert "Traceback" not in run.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_workers_exit_ends_the_wait_and_keeps_the_summary(
    suite: Suite, number: signal.Signals
) -> None:
    suite.test(
        """
        import atexit, os, time
        import pytest
        from support import arrive

        def leave():
            arrive("leaving")
            time.sleep(600)

        def test_it(): atexit.register(leave)
        def test_fails(): assert 0
        """
    )
    process = suite.start("--maxschedchunk=1")
    suite.wait_for("leaving")
    os.kill(process.pid, number)
    run = suite.wait_for_exit(process)
    assert run.ret == (pytest.ExitCode.INTERRUPTED if number == signal.SIGINT else -number)
    assert run.counts() == {"passed": 1, "failed": 1}
    assert "after the last test and will be killed" in run.out
    assert "Traceback" not in run.text


@pytest.mark.parametrize("start", ["template", "early"])
def test_a_terminated_run_that_ignores_ctrl_c_tears_fixtures_down(suite: Suite, start: str) -> None:
    noting = "support.note(signal.getsignal(signal.SIGINT).name)"
    suite.conftest(f"import signal, support\ndef pytest_unconfigure(): {noting}")
    suite.test(HANGING)
    with interrupts_ignored():
        process = suite.start("--maxschedchunk=1", f"--rustpar-start={start}")
    suite.wait_for(*ALL)
    os.killpg(process.pid, signal.SIGINT)
    os.kill(process.pid, signal.SIGTERM)
    run = suite.wait_for_exit(process)
    assert run.ret == -signal.SIGTERM
    assert run.counts() == {"passed": 2}
    down = ["SIG_IGN"] * 3 + ["function down"] * 2 + ["session down"] * 2
    assert sorted(note.split(maxsplit=1)[1] for note in suite.notes()) == down


def test_a_run_that_is_terminated_while_it_collects_ends_by_the_signal(suite: Suite) -> None:
    suite.conftest(
        "import time\nfrom support import arrive\ndef pytest_collection(): arrive('there'); time.sleep(600)\n"
    )
    suite.test("def test_it(): pass\n")
    process = suite.start("--rustpar-start=template")
    suite.wait_for("there")
    os.kill(process.pid, signal.SIGTERM)
    assert suite.wait_for_exit(process).ret == -signal.SIGTERM


def test_the_workers_sigterm_handling_is_invisible_to_tests_and_their_children(suite: Suite) -> None:
    text = """
        import multiprocessing, os, signal, subprocess, sys, time
        import pytest
        NUMBER = signal.{}
        def test_the_handler_is_the_default(): assert signal.getsignal(NUMBER) is signal.SIG_DFL
        def test_ones_own_handler():
            rang = []
            before = signal.signal(NUMBER, lambda *_: rang.append(1))
            os.kill(os.getpid(), NUMBER)
            signal.signal(NUMBER, before)
            assert rang
        def test_a_forked_child_ends_by_it():
            child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
            child.start()
            os.kill(child.pid, NUMBER)
            child.join(20)
            assert child.exitcode == -NUMBER
        def test_a_program_ends_by_it():
            child = subprocess.Popen([sys.executable, "-c", "import time; print(flush=True); time.sleep(600)"],
                                     stdout=subprocess.PIPE)
            child.stdout.readline()
            child.send_signal(NUMBER)
            assert child.wait(20) == -NUMBER
            child.stdout.close()
    """
    suite.write({f"test_{number}.py": text.format(number) for number in ("SIGTERM", "SIGHUP")})
    run = suite.run()
    assert run.counts() == {"passed": 8}, run.text


def test_ctrl_c_ends_tests_that_ignore_it(suite: Suite) -> None:
    suite.test(
        """
        import signal
        import time
        from support import arrive

        def test_stubborn():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            arrive("stubborn")
            for _ in range(600):
                time.sleep(0.1)
        """
    )
    process = suite.start()
    suite.wait_for("stubborn")
    os.killpg(process.pid, signal.SIGINT)
    run = suite.wait_for_exit(process)
    assert run.ret == pytest.ExitCode.INTERRUPTED
    assert "gw0" in run.line("did not react")
    assert "killed by SIGKILL; sent by rustpar" in run.line("[gw0] node down")
    assert "out of memory" not in run.text


@pytest.mark.parametrize("pause", [0.01, 0.1])
def test_a_second_ctrl_c_may_reach_exiting_workers(suite: Suite, pause: float) -> None:
    suite.test(HANGING)
    suite.conftest(
        """
        import atexit
        import os
        import time

        def pytest_sessionfinish():
            if "PYTEST_XDIST_WORKER" in os.environ:
                atexit.register(time.sleep, 0.5)
        """
    )
    process = suite.start("--maxschedchunk=1")
    suite.wait_for(*ALL)
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(pause)
    os.killpg(process.pid, signal.SIGINT)
    run = suite.wait_for_exit(process)
    assert run.ret == pytest.ExitCode.INTERRUPTED
    assert "ended badly" not in run.text


def test_ctrl_c_while_collecting_ends_the_run(suite: Suite) -> None:
    suite.test(
        """
        import os
        import time
        from support import arrive

        arrive("collecting")
        for _ in range(600):
            time.sleep(0.1)

        def test_it(): pass
        """
    )
    process = suite.start()
    suite.wait_for("collecting")
    os.killpg(process.pid, signal.SIGINT)
    run = suite.wait_for_exit(process)
    assert run.ret == pytest.ExitCode.INTERRUPTED


# Without capturing, the output goes to the pipe that nobody reads any more.
@pytest.mark.parametrize(
    ("start", "capture", "are_ignored"),
    [("template", "fd", False), ("template", "no", True), ("early", "no", False), ("early", "fd", True)],
)
def test_workers_of_a_killed_controller_tear_down_what_they_have_set_up_and_may_print(
    suite: Suite, start: str, capture: str, are_ignored: bool
) -> None:
    suite.test(HANGING.replace('note("session down")', 'print("down", flush=True)\n        note("session down")'))
    with interrupts_ignored(are_ignored=are_ignored):
        process = suite.start("--maxschedchunk=1", f"--rustpar-start={start}", f"--capture={capture}")
    suite.wait_for(*ALL)
    process.kill()
    run = suite.wait_for_exit(process)
    assert run.ret == -signal.SIGKILL
    assert "Traceback" not in run.err
    limit = time.monotonic() + RUN_LIMIT
    while len(suite.notes()) < 4 and time.monotonic() < limit:
        time.sleep(0.02)
    assert sorted(note.split(maxsplit=1)[1] for note in suite.notes()) == ["function down"] * 2 + ["session down"] * 2


def test_a_run_that_is_terminated_while_it_is_configured_is_unconfigured(suite: Suite) -> None:
    suite.conftest(
        """
        import os, signal
        from support import note
        def pytest_configure(config):
            if not hasattr(config, "workerinput"): os.kill(os.getpid(), signal.SIGTERM)
        def pytest_unconfigure(): note("unconfigured")
        """
    )
    suite.test("def test_it(): pass\n")
    run = suite.run()
    assert run.ret == -signal.SIGTERM
    assert suite.notes() == ["main unconfigured"]


@pytest.mark.parametrize("start", ["template", "early"])
def test_a_signal_to_a_worker_alone_is_one_crash(suite: Suite, start: str) -> None:
    text = """
        import os, signal, subprocess, time
        import pytest
        @pytest.mark.parametrize("n", range(3))
        def test_it(n): pass
        def test_crash_by_itself():
            os.kill(os.getpid(), signal.SIG{0})
            time.sleep(20)
        def test_crash_by_its_child():
            subprocess.run(["kill", "-{0}", str(os.getpid())])
            time.sleep(20)
    """
    suite.write({f"test_{number}.py": text.format(number) for number in ("TERM", "HUP")})
    run = suite.run(f"--rustpar-start={start}")
    assert run.counts() == {"passed": 6, "failed": 4}, run.text
    crashed = [report["nodeid"] for report in run.reports if report["when"] == "???"]
    assert sorted(crashed) == [
        f"test_{number}.py::test_crash_by_{sender}" for number in ("HUP", "TERM") for sender in ("its_child", "itself")
    ]
    assert run.ret == 1


def test_a_controller_killed_while_collecting_leaves_no_process(suite: Suite) -> None:
    suite.test("import time\nfrom support import arrive\narrive('here')\ntime.sleep(600)\n")
    process = suite.start()
    suite.wait_for("here")
    process.kill()
    assert suite.wait_for_exit(process).ret == -signal.SIGKILL


def test_a_keyboard_interrupt_raised_by_a_test_ends_the_run(suite: Suite) -> None:
    suite.test(
        """
        import pytest
        from support import wait_for, arrive

        def test_first(): arrive("first")

        def test_interrupts():
            wait_for("first")
            raise KeyboardInterrupt("by hand")
        """
    )
    run = suite.run()
    assert run.ret == pytest.ExitCode.INTERRUPTED
    assert run.report("test_first")["outcome"] == "passed"
    assert "keyboard-interrupt" in run.text.lower() or "KeyboardInterrupt" in run.text


def test_killing_the_template_ends_the_run(suite: Suite) -> None:
    suite.test(
        """
        import os
        import signal
        import time
        from support import arrive

        def test_it():
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(30)

        def test_other(): pass
        """
    )
    run = suite.run()
    assert run.ret not in (0, pytest.ExitCode.NO_TESTS_COLLECTED)
