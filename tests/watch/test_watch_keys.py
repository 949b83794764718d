"""Keys, and the terminal."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from tests.changed.project import commit
from tests.watch.watching import BROKEN, HIGH, PACKAGE, WHOLE, watching

if TYPE_CHECKING:
    from tests.harness import Suite

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pseudo-terminals and processes are looked at in /proc")

WAITS = """
    import pathlib, time
    def test_waits():
        while not pathlib.Path("go").exists():
            time.sleep(0.01)
"""


def test_enter_runs_all_tests_and_f_those_that_failed(suite: Suite) -> None:
    commit(suite, {**PACKAGE, "low.py": BROKEN})
    with watching(suite) as watch:
        watch.wait_for_run(1)
        assert "f: failed" in watch.last()
        watch.terminal.type(b"f")
        watch.wait_for_run(2)
        assert watch.ran() == ["test_high"]
        for key in (b"\r", b"a"):
            watch.terminal.type(key)
            before = watch.runs
            watch.wait_for_run(before + 1)
            assert watch.ran() == [*HIGH, "test_other"]
        watch.change(low=WHOLE)
        watch.wait_for_run(5)
        assert "f: failed" not in watch.last()
        assert watch.quit() == 0
        assert watch.terminal.is_restored()


def test_a_filter_holds_until_it_is_taken_away(suite: Suite) -> None:
    commit(suite, PACKAGE)
    with watching(suite, "-k", "not too") as watch:
        watch.wait_for_run(1)
        assert watch.ran() == ["test_high", "test_other"]
        watch.terminal.type(b"p")
        watch.wait_for("empty for all): ")
        assert watch.terminal.is_restored()
        watch.terminal.type(b"othrr\x7f\x7fer\n")
        watch.wait_for_run(2)
        assert watch.ran() == ["test_other"]
        watch.wait_for("filter: -k 'other'")
        watch.change(low=BROKEN)
        watch.wait_for_run(3)
        assert watch.ran() == []
        watch.terminal.type(b"/")
        watch.wait_for("empty for all): ")
        watch.terminal.type(b"\n")
        # What the filter has hidden.
        watch.wait_for_run(4)
        assert watch.ran() == ["test_high"]
        assert "filter: -k" not in watch.last()


def test_ctrl_c_leaves_the_filter_as_it_is(suite: Suite) -> None:
    commit(suite, PACKAGE)
    with watching(suite) as watch:
        watch.wait_for_run(1)
        watch.terminal.type(b"p")
        watch.wait_for("empty for all): ")
        watch.terminal.type(b"other\x03")
        watch.terminal.wait(lambda: watch.last().count("waiting for changes") == 2)
        watch.terminal.type(b"?")
        watch.wait_for("run the tests that have failed")
        assert watch.runs == 1
        watch.terminal.type(b"\x1b[A")
        assert watch.quit() == 0


def test_a_filter_that_pytest_does_not_accept_can_be_changed(suite: Suite) -> None:
    commit(suite, PACKAGE)
    with watching(suite) as watch:
        watch.wait_for_run(1)
        for run, (expression, told) in enumerate({"high (": "does not accept", "other": "1 passed in"}.items(), 2):
            watch.terminal.type(b"p")
            watch.wait_for("empty for all): ")
            watch.terminal.type(f"{expression}\n".encode())
            watch.wait_for_run(run)
            watch.wait_for(f"filter: -k '{expression}'")
            assert told in watch.last()


def test_ctrl_c_ends_a_run_and_then_the_command(suite: Suite) -> None:
    commit(suite, {**PACKAGE, "tests/test_waits.py": WAITS})
    with watching(suite) as watch:
        watch.wait_for("test_waits.py")
        watch.terminal.type(b"\x03")
        watch.wait_for_run(1)
        watch.wait_for("rustpar watch: interrupted after")
        assert "Traceback" not in watch.text
        watch.terminal.type(b"\x03")
        assert watch.terminal.wait_for_exit() == 0
        assert watch.terminal.is_restored()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
@pytest.mark.parametrize("is_running", [False, True])
def test_a_signal_ends_it_and_its_run_and_restores_the_terminal(
    suite: Suite, number: signal.Signals, is_running: bool
) -> None:
    commit(suite, {**PACKAGE, "tests/test_waits.py": WAITS})
    if not is_running:
        (suite.path / "go").touch()
    with watching(suite) as watch:
        watch.wait_for("test_waits.py" if is_running else "waiting for changes")
        watch.terminal.process.send_signal(number)
        assert watch.terminal.wait_for_exit() == -number
        assert watch.terminal.is_restored()
        assert "Traceback" not in watch.text


def test_a_run_is_killed_with_it(suite: Suite) -> None:
    commit(suite, {**PACKAGE, "tests/test_waits.py": WAITS})
    with watching(suite) as watch:
        watch.wait_for("test_waits.py")
        watch.terminal.process.kill()
        # The fixtures of all tests check that nothing is left running.
        watch.terminal.wait_for_exit()


def test_ctrl_z_restores_the_terminal_until_it_goes_on(suite: Suite) -> None:
    commit(suite, PACKAGE)
    with watching(suite) as watch:
        watch.wait_for_run(1)
        assert not watch.terminal.is_restored()
        process = watch.terminal.process
        # No shell has to be there: its group would be orphaned, and then Ctrl-Z does nothing.
        watch.terminal.type(b"\x1a")
        watch.terminal.wait(lambda: watch.last().count("waiting for changes") == 2)
        watch.terminal.wait(lambda: not watch.terminal.is_restored())
        os.kill(process.pid, signal.SIGCONT)
        watch.change(low=BROKEN)
        watch.wait_for_run(2)
        assert watch.ran() == HIGH
        assert watch.quit() == 0
        assert watch.terminal.is_restored()


def test_the_last_failure_stays_on_the_screen_until_the_next_run(suite: Suite) -> None:
    commit(suite, {**PACKAGE, "low.py": BROKEN})
    with watching(suite) as watch:
        watch.wait_for_run(1)
        watch.terminal.wait_to_show("assert 100 < 10", "1 failed, 2 passed in", "tests/test_high.py::test_high$")
        watch.change(low=WHOLE)
        watch.wait_for_run(2)
        watch.terminal.wait_to_show("^rustpar watch: 2 passed in .*, after the change of low.py")
        assert not watch.terminal.shows("assert 100 < 10")
        # It can be scrolled back to.
        assert any("assert 100 < 10" in line for line in watch.terminal.text)
