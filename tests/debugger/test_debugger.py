"""A debugger in a worker, on a real terminal."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import pytest

from tests.pseudoterminal import on_terminal

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness import Suite
    from tests.pseudoterminal import Terminal

STARTS = ("template", "early")

PROMPT = "(Pdb)"


# How many prompts have been answered.
ANSWERED: WeakKeyDictionary[Terminal, int] = WeakKeyDictionary()


def answer(terminal: Terminal, *lines: str) -> None:
    """Type lines, each when a new prompt has appeared."""
    for line in lines:
        expected = ANSWERED.get(terminal, 0) + 1
        terminal.wait(prompts(terminal, expected))
        ANSWERED[terminal] = expected
        terminal.type(f"{line}\n".encode())


def prompts(terminal: Terminal, count: int) -> Callable[[], bool]:
    """Whether so many prompts have been written."""
    return lambda: terminal.raw.count(PROMPT.encode()) >= count


STOPS = """
import time

def test_stops():
    value = 41
    breakpoint()
    value += 1
    print("the value is", value)
    assert value == 42

def test_other():
    time.sleep(0.3)

def test_more():
    pass

def test_last():
    pass
"""


@pytest.mark.parametrize(
    ("start", "options"),
    [("template", []), ("early", []), ("template", ["-s"]), ("early", ["--capture=sys", "--rustpar-progress=off"])],
)
def test_a_breakpoint_stops_the_test_in_its_worker(suite: Suite, start: str, options: list[str]) -> None:
    suite.test(STOPS)
    with on_terminal(suite, "-n2", f"--rustpar-start={start}", *options, columns=120, lines=50) as terminal:
        answer(terminal, "p value * 100", "n", "n", "p __import__('os').environ['PYTEST_XDIST_WORKER']", "c")
        assert terminal.wait_for_exit() == 0
        text = "\n".join(terminal.text)
    (worker,) = re.findall(
        r"a debugger has stopped test_it.py::test_stops in (gw\d); other workers start no test", text
    )
    assert "4100" in text
    assert f"'{worker}'" in text
    assert "4 passed" in text
    assert "PDB set_trace" in text
    assert "PDB continue" in text


@pytest.mark.parametrize("start", STARTS)
def test_failures_are_debugged_one_after_the_other(suite: Suite, start: str) -> None:
    suite.test(
        """
        def test_one():
            print("printed by one")
            name = "first"
            assert name == "other"

        def test_two():
            name = "second"
            assert name == "other"

        def test_three():
            pass
        """
    )
    with on_terminal(suite, "-n2", "--pdb", f"--rustpar-start={start}", columns=120, lines=90) as terminal:
        answer(terminal, "p 'is ' + name", "c", "p 'is ' + name", "c")
        assert terminal.wait_for_exit() == 1
        text = "\n".join(terminal.text)
    assert "'is first'" in text
    assert "'is second'" in text
    assert text.count("entering PDB") == 2
    assert text.count("captured stdout") == 1
    assert "2 failed, 1 passed" in text
    # The screen is whole: the live block has gone, and the closing line is the last one.
    assert "2 failed" in text.splitlines()[-1]


def test_quitting_ends_the_run_in_order(suite: Suite) -> None:
    suite.conftest(
        """
        import pytest

        @pytest.fixture
        def resource():
            yield
            open("torn-down", "w").close()
        """
    )
    suite.test(
        """
        import os
        import time

        import pytest

        def test_one(resource):
            open("started", "w").close()
            assert False

        # Whichever test the debugger shows, the resource exists.
        @pytest.mark.parametrize("number", range(50))
        def test_other(number):
            while not os.path.exists("started"):
                time.sleep(0.01)
            assert number < 0
        """
    )
    with on_terminal(suite, "-n2", "--pdb", columns=120, lines=60) as terminal:
        answer(terminal, "q")
        assert terminal.wait_for_exit() == 2
        text = "\n".join(terminal.text)
    assert "Exit: Quitting debugger" in text
    assert terminal.raw.count(PROMPT.encode()) == 1
    assert (suite.path / "torn-down").exists()


def test_quitting_at_a_breakpoint_ends_the_run(suite: Suite) -> None:
    suite.test(STOPS)
    with on_terminal(suite, "-n2", columns=120, lines=50) as terminal:
        answer(terminal, "q")
        assert terminal.wait_for_exit() == 2
        assert "Exit: Quitting debugger" in "\n".join(terminal.text)


def test_trace_stops_at_the_start_of_each_test(suite: Suite) -> None:
    suite.test("def test_one():\n    a = 1\n\ndef test_two():\n    b = 2\n")
    with on_terminal(suite, "-n2", "--trace", columns=120, lines=60) as terminal:
        answer(terminal, "c", "c")
        assert terminal.wait_for_exit() == 0
        text = "\n".join(terminal.text)
    assert "-> a = 1" in text
    assert "-> b = 2" in text
    assert "2 passed" in text


def test_a_test_may_stop_several_times(suite: Suite) -> None:
    suite.test("def test_it():\n    for number in range(3):\n        breakpoint()\n        number += 10\n")
    with on_terminal(suite, "-n1", columns=120, lines=60) as terminal:
        answer(terminal, "p 'at', number", "c", "p 'at', number", "c", "c")
        terminal.wait_for_exit()
        text = "\n".join(terminal.text)
    assert "('at', 0)" in text
    assert "('at', 1)" in text


def test_time_limits_do_not_run_while_a_test_is_stopped(suite: Suite) -> None:
    suite.test(STOPS)
    limits = ("--rustpar-timeout=1s", "--rustpar-run-timeout=4s")
    with on_terminal(suite, "-n2", *limits, columns=120, lines=50) as terminal:
        terminal.wait(prompts(terminal, 1))
        time.sleep(5)
        answer(terminal, "c")
        assert terminal.wait_for_exit() == 0
        text = "\n".join(terminal.text)
    assert "4 passed" in text
    assert "has been busy" not in text
    assert "Timeout" not in text


def test_ctrl_c_reaches_only_the_debugger(suite: Suite) -> None:
    suite.test(STOPS)
    with on_terminal(suite, "-n2", columns=120, lines=50) as terminal:
        terminal.wait(prompts(terminal, 1))
        terminal.type(b"while True: pass\n\n")
        time.sleep(0.5)
        terminal.type(b"\x03")
        terminal.wait(prompts(terminal, 2))
        terminal.type(b"c\n")
        assert terminal.wait_for_exit() == 0
        assert "4 passed" in "\n".join(terminal.text)


def test_a_crash_in_the_debugger_gives_the_terminal_back(suite: Suite) -> None:
    suite.test(STOPS)
    with on_terminal(suite, "-n2", columns=120, lines=50) as terminal:
        answer(terminal, "import os; os.kill(os.getpid(), 9)")
        assert terminal.wait_for_exit() == 1
        text = "\n".join(terminal.text)
    assert "1 failed, 3 passed" in text
    assert "crashed while running 'test_it.py::test_stops'" in text


def test_the_terminal_is_that_of_the_shell_afterwards(suite: Suite) -> None:
    suite.test(STOPS)
    suite.conftest(
        """
        import os, termios

        def pytest_unconfigure(config):
            if not hasattr(config, "workerinput"):
                terminal = os.open("/dev/tty", os.O_RDWR)
                is_ours = os.tcgetpgrp(terminal) == os.getpgrp()
                echoes = bool(termios.tcgetattr(terminal)[3] & termios.ECHO)
                print(f"in the foreground: {is_ours}, echo: {echoes}")
        """
    )
    with on_terminal(suite, "-n2", columns=120, lines=50) as terminal:
        answer(terminal, "c")
        assert terminal.wait_for_exit() == 0
        assert "in the foreground: True, echo: True" in "\n".join(terminal.text)


def test_without_a_terminal_pytest_xdist_refuses_pdb(suite: Suite) -> None:
    suite.test("def test_it(): pass")
    run = suite.run("--pdb")
    assert run.ret == 4
    assert "--pdb is incompatible with distributing tests" in run.text
