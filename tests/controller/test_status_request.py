"""The status that a run prints when the controller receives SIGUSR1; the run continues."""

from __future__ import annotations

import contextlib
import re
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.harness import RUN_LIMIT
from tests.pseudoterminal import on_terminal

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from tests.harness import Run, Suite

WAITING = """
    import pytest
    from support import arrive, wait_for

    def wait_inside(n):
        arrive(f"waits{n}")
        wait_for("let go", limit=150)

    @pytest.mark.parametrize("n", range(2))
    def test_waits(n): wait_inside(n)
"""

# The status of a running worker after its name: its test and the stack down to it.
RUNNING = r".* has been running(?s:.*)in test_waits"


class StatusRun:
    """A run with two workers and output to a file, whose status is requested."""

    def __init__(self, suite: Suite, process: subprocess.Popen[bytes]) -> None:
        """Request the status of `process`."""
        self._suite = suite
        self._process = process

    def ask(self, last: str) -> list[str]:
        """Request the status until the output matches `last`; return the lines that were printed until then.

        A process exists a moment before the controller knows it, so the first answer may come too early.
        """
        output, end = self._suite.path / "output", time.monotonic() + RUN_LIMIT
        last_request = 0.0
        while not re.search(last, output.read_text()):
            assert time.monotonic() < end, output.read_text()
            if time.monotonic() > last_request + 2:
                last_request = time.monotonic()
                self._process.send_signal(signal.SIGUSR1)
            time.sleep(0.01)
        return output.read_text().splitlines()

    def wait_for_exit(self) -> Run:
        """Release tests that wait, and wait until the run has ended."""
        (self._suite.path / "let go.here").touch()
        return self._suite.wait_for_exit_with_output_file(self._process)


@contextlib.contextmanager
def running(suite: Suite, *args: str) -> Iterator[StatusRun]:
    """Start a run."""
    with (suite.path / "output").open("w") as output:
        process = suite.start("-q", *args, output=output)
    try:
        yield StatusRun(suite, process)
    finally:
        process.kill()
        process.wait()


def test_every_worker_reports_its_test_and_stack(suite: Suite) -> None:
    suite.test(WAITING)
    with running(suite) as status_run:
        suite.wait_for("waits0", "waits1")
        status_run.ask(rf"gw0 {RUNNING}(?s:.*)gw1 {RUNNING}")
        run = status_run.wait_for_exit()
        begin = max(n for n, line in enumerate(run.lines) if line == "rustpar: 0 of 2 tests have run")
        text = "\n".join(run.lines[begin:])
        for worker in ("gw0", "gw1"):
            about = re.search(
                rf"rustpar: {worker} \(process \d+\) has been running test_it\.py::test_waits\[\d\] for .*\n"
                r"((?! *rustpar).*\n)+",
                text,
            )
            assert about, text
            assert "in wait_inside" in about[0]
            assert "in test_waits" in about[0]
        assert run.ret == 0
        assert run.counts() == {"passed": 2}


def test_an_idle_worker_is_reported_as_idle(suite: Suite) -> None:
    suite.test(
        """
        import pytest
        from support import arrive, wait_for

        @pytest.mark.serial
        def test_alone():
            arrive("alone")
            wait_for("let go", limit=150)

        @pytest.mark.serial
        def test_afterwards(): pass
        """
    )
    with running(suite) as status_run:
        suite.wait_for("alone")
        lines = status_run.ask("has been idle for .*\n")
        assert any(re.match(r"rustpar: gw[01] \(process \d+\) has been idle for \d", line) for line in lines)
        assert status_run.wait_for_exit().ret == 0


@pytest.mark.parametrize(("start", "who"), [("template", "the template"), ("early", "gw[01]")])
def test_a_collecting_process_reports_the_file(suite: Suite, start: str, who: str) -> None:
    suite.test(WAITING)
    suite.write(
        {"test_slow_to_import.py": "from support import meet\nmeet('importing', 'let go')\ndef test_it(): pass\n"}
    )
    with running(suite, f"--rustpar-start={start}") as status_run:
        suite.wait_for("importing")
        lines = status_run.ask(
            rf"rustpar: {who} \(process \d+\) has been collecting test_slow_to_import\.py for .*"
            r'(?s:.*)test_slow_to_import\.py", line 2 in <module>'
        )
        assert "rustpar: tests are being collected" in lines
        run = status_run.wait_for_exit()
        assert (run.ret, run.counts()) == (0, {"passed": 3})


@pytest.mark.parametrize(
    ("hook", "phase"),
    [
        ("configure", "configuring"),
        ("sessionstart", "starting the session"),
        ("sessionfinish", "finishing the session"),
        ("terminal_summary", "finishing the session"),
        ("unconfigure", "shutting down"),
    ],
)
def test_the_controller_reports_its_stack_outside_the_run_loop(suite: Suite, hook: str, phase: str) -> None:
    suite.test("def test_it(): pass\ndef test_too(): pass\n")
    suite.conftest(
        f"""
        import os
        import support

        def pytest_{hook}():
            if "PYTEST_XDIST_WORKER" not in os.environ:
                support.meet("waits", "let go")
        """
    )
    with running(suite) as status_run:
        suite.wait_for("waits")
        status_run.ask(rf"rustpar: the controller \(process \d+\) has been {phase} for (?s:.*) in pytest_{hook}\n")
        run = status_run.wait_for_exit()
        assert (run.ret, run.counts()) == (0, {"passed": 2})


def test_the_controller_reports_its_stack_when_a_conftest_hangs(suite: Suite) -> None:
    suite.test("def test_it(): pass\n")
    suite.conftest(
        """
        import os
        import support

        if "PYTEST_XDIST_WORKER" not in os.environ:
            support.meet("waits", "let go")
        """
    )
    with running(suite) as status_run:
        suite.wait_for("waits")
        status_run.ask(r"rustpar: the controller .* has been configuring for (?s:.*)conftest\.py\", line 6 in <module>")
        assert status_run.wait_for_exit().ret == 0


def test_the_controller_reports_its_stack_when_the_run_loop_hangs(suite: Suite) -> None:
    suite.test("def test_it(): pass\n")
    suite.conftest(
        """
        import os
        import support

        def pytest_runtest_logreport():
            if "PYTEST_XDIST_WORKER" not in os.environ:
                support.meet("waits", "let go")
        """
    )
    with running(suite) as status_run:
        suite.wait_for("waits")
        status_run.ask(r"rustpar: the controller .* has been in the run loop for (?s:.*) in pytest_runtest_logreport\n")
        assert status_run.wait_for_exit().ret == 0


def test_there_is_no_stack_without_faulthandler(suite: Suite) -> None:
    suite.test(WAITING)
    with running(suite, "-p", "no:faulthandler") as status_run:
        suite.wait_for("waits0", "waits1")
        lines = status_run.ask("could not get the stack of gw1")
        assert "rustpar: could not get the stack of gw0: its faulthandler is not enabled" in lines
        run = status_run.wait_for_exit()
        assert (run.ret, run.counts()) == (0, {"passed": 2})


def test_the_status_can_be_requested_repeatedly(suite: Suite) -> None:
    suite.test(WAITING)
    with running(suite) as status_run:
        suite.wait_for("waits0", "waits1")
        for times in range(1, 4):
            status_run.ask(rf"(gw1 {RUNNING}(?s:.*)){{{times}}}")
        assert status_run.wait_for_exit().ret == 0


def test_the_status_is_printed_above_the_live_block(suite: Suite) -> None:
    suite.test(WAITING)
    with on_terminal(suite, "-n2", lines=150) as terminal:
        terminal.wait_to_show("gw0 +[0-9.]+ m?s", "gw1 +[0-9.]+ m?s")
        terminal.process.send_signal(signal.SIGUSR1)
        terminal.wait_to_show("rustpar: gw1 .*has been running", "in test_waits", "━|─")
        (suite.path / "let go.here").touch()
        assert terminal.wait_for_exit() == 0
        assert not terminal.shows("━|─")
        assert all(any(f"rustpar: gw{n} (process" in line for line in terminal.text) for n in range(2))


def test_tests_can_use_the_signal_themselves(suite: Suite) -> None:
    suite.test(
        """
        import os
        import signal

        def test_it():
            assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
            got = []
            signal.signal(signal.SIGUSR1, lambda number, frame: got.append(number))
            os.kill(os.getpid(), signal.SIGUSR1)
            assert got == [signal.SIGUSR1]

        def test_all_other_signals_are_as_in_a_new_interpreter():
            handled = {number for number in signal.valid_signals() if signal.getsignal(number) is not signal.SIG_DFL}
            assert handled <= {signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGUSR1}
        """
    )
    assert suite.run().counts() == {"passed": 2}


def test_a_handler_of_a_plugin_is_kept(suite: Suite) -> None:
    suite.test(WAITING)
    suite.conftest(
        """
        import signal
        import support

        def pytest_configure(config):
            if not hasattr(config, "workerinput"):
                signal.signal(signal.SIGUSR1, lambda number, frame: support.arrive("let go"))
        """
    )
    process = suite.start()
    suite.wait_for("waits0", "waits1")
    process.send_signal(signal.SIGUSR1)
    run = suite.wait_for_exit(process)
    assert (run.ret, run.counts()) == (0, {"passed": 2})
    assert "has been running" not in run.text
