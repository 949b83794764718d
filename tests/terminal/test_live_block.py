"""The live block on a terminal: its contents during a run, and that nothing of it remains."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.pseudoterminal import Terminal, on_terminal

if TYPE_CHECKING:
    from tests.harness import Suite

# Tests of each kind of outcome, and two that wait until they are released.
WAITING = """
    import pytest
    from support import wait_for

    @pytest.mark.parametrize("n", range(2))
    def test_passes(n): pass

    def test_fails(): assert False

    def test_skips(): pytest.skip("not today")

    @pytest.mark.parametrize("n", range(2))
    def test_waits(n): wait_for("let go", limit=150)
"""

# The same for one worker, with text of all kinds around the test that waits.
TALKING = """
    import logging
    import pytest
    from support import wait_for

    def talk():
        logging.getLogger().info("a word in the log")
        print("a printed word")

    @pytest.mark.parametrize("n", range(5))
    def test_before(n): talk()

    def test_waits():
        talk()
        wait_for("let go", limit=150)
        talk()

    @pytest.mark.parametrize("n", range(5))
    def test_after(n): talk()

    def test_fails(): assert False
"""

BAR = "[━╸─]{6,}"


def release_tests(suite: Suite) -> None:
    """Release tests that wait."""
    (suite.path / "let go.here").touch()


def has_block(terminal: Terminal) -> bool:
    """Return whether any part of a block is visible."""
    return any(re.search(BAR, line) for line in terminal.text)


def shown_without_block(suite: Suite, *args: str, columns: int = 80, lines: int = 24) -> list[str]:
    """Return the screen of a run without the block, whose tests do not wait."""
    release_tests(suite)
    with on_terminal(suite, *args, "--rustpar-progress=off", columns=columns, lines=lines) as terminal:
        terminal.wait_for_exit()
        assert not has_block(terminal)
        return without_times(terminal)


def without_times(terminal: Terminal) -> list[str]:
    """Return the output without durations and without sections that only contain durations."""
    lines = [re.sub(r"^=* ?(.*) in [\d.]+s.*$", r"\1", line) for line in terminal.text]
    sections = [place for place, line in enumerate(lines) if re.match("=+ (memory|timing) =", line)]
    ends = [place for place, line in enumerate(lines) if re.match(r"=+ short|\d+ (failed|passed)", line)]
    return lines[: sections[0]] + lines[ends[0] :] if sections else lines


def test_the_block_shows_a_bar_counts_and_the_longest_running_tests(suite: Suite) -> None:
    suite.test(WAITING)
    with on_terminal(suite, "-n2") as terminal:
        terminal.wait_to_show(
            rf"^ 66% {BAR}  4/6  2 passed  1 failed  1 skipped",
            r"^gw[01] +[\d.]+ m?s  test_it\.py::test_waits\[0\]$",
            r"^gw[01] +[\d.]+ m?s  test_it\.py::test_waits\[1\]$",
        )
        line, _ = terminal.cursor
        assert re.fullmatch("[.Fs]{4}", terminal.screen[line])
        release_tests(suite)
        assert terminal.wait_for_exit() == pytest.ExitCode.TESTS_FAILED
        assert not has_block(terminal)
        assert terminal.shows("1 failed, 4 passed, 1 skipped in")


@pytest.mark.parametrize("in_python", [False, True], ids=["native", "in Python"])
def test_a_crashed_test_that_runs_again_counts_as_not_run(suite: Suite, in_python: bool) -> None:
    if in_python:
        suite.use_xdist_scheduler("Load")
    suite.write(
        {
            "retrying.py": """
                def pytest_handlecrashitem(crashitem, report, sched):
                    report.outcome = "rerun"
                    sched.mark_test_pending(crashitem)
            """
        }
    )
    suite.test(
        """
        import os
        import pytest
        from support import wait_for

        @pytest.mark.parametrize("n", range(3))
        def test_passes(n): pass

        def test_crashes():
            try:
                os.mkdir("been here")
            except FileExistsError:
                wait_for("let go", limit=150)
            else:
                os._exit(1)
        """
    )
    with on_terminal(suite, "-n1", "-p", "retrying") as terminal:
        terminal.wait_to_show(rf"^ 75% {BAR}  3/4", r"^gw1 +[\d.]+ m?s  test_it\.py::test_crashes$")
        release_tests(suite)
        assert terminal.wait_for_exit() == 0


@pytest.mark.parametrize(
    "args",
    [[], ["-v"], ["-q"], ["-x"], ["--rustpar-start=early"], ["-o", "console_output_style=classic"]],
    ids=" ".join,
)
def test_the_final_screen_is_the_same_as_without_the_block(suite: Suite, args: list[str]) -> None:
    suite.test(TALKING)
    with on_terminal(suite, "-n1", *args) as terminal:
        terminal.wait_to_show(BAR, r"^gw0 +[\d.]+ m?s  test_it\.py::test_waits$")
        release_tests(suite)
        assert terminal.wait_for_exit() in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)
        line, column = terminal.cursor
        assert (terminal.screen[line], column) == ("", 0)
        assert without_times(terminal) == shown_without_block(suite, "-n1", *args)


@pytest.mark.parametrize(
    "args", [["-s"], ["--setup-show"], ["-o", "log_cli=true", "--log-cli-level=INFO"]], ids=" ".join
)
def test_output_of_workers_is_shown_in_whole_lines_above_the_block(suite: Suite, args: list[str]) -> None:
    def written(terminal: Terminal) -> list[str]:
        # Its position between the dots is random.
        return sorted(line for line in terminal.text if re.search("word|live log|SETUP|TEARDOWN", line))

    suite.test(TALKING)
    args = ["-n1", *args]
    with on_terminal(suite, "--rustpar-progress=on", *args) as terminal:
        terminal.wait_to_show(BAR, r"^gw0 +[\d.]+ m?s  test_it\.py::test_waits$")
        release_tests(suite)
        terminal.wait_for_exit()
        assert not has_block(terminal)
        with on_terminal(suite, "--rustpar-progress=off", *args) as other:
            other.wait_for_exit()
            assert written(terminal) == written(other) != []


@pytest.mark.parametrize("tests", [19, 20, 21])
def test_the_block_is_below_lines_of_any_length(suite: Suite, tests: int) -> None:
    suite.test(
        f"""
        import pytest
        from support import wait_for

        @pytest.mark.parametrize("n", range({tests}))
        def test_before(n): pass

        def test_waits(): wait_for("let go", limit=150)

        @pytest.mark.parametrize("n", range(30))
        def test_after(n): pass
        """
    )
    args = ("-n1", "-o", "console_output_style=classic")
    with on_terminal(suite, *args, columns=20, lines=8) as terminal:
        terminal.wait_to_show("^gw0.*waits")
        release_tests(suite)
        assert terminal.wait_for_exit() == 0
        assert without_times(terminal) == shown_without_block(suite, *args, columns=20, lines=8)


def test_the_block_fits_a_small_terminal_and_wide_characters(suite: Suite) -> None:
    suite.test(
        """
        from support import wait_for

        def test_日本語の長い名前を持つテスト(): wait_for("let go", limit=150)
        """
    )
    with on_terminal(suite, "-n1", columns=30, lines=6) as terminal:
        terminal.wait_to_show("^  0%.* 0/1$", r"^gw0  [\d.]+ m?s  ….*テスト$")
        last, _ = terminal.cursor
        assert len([line for line in terminal.screen[last + 1 :] if line]) == 2
        release_tests(suite)
        assert terminal.wait_for_exit() == 0
        assert not terminal.shows("gw0")


def test_a_terminal_that_is_too_small_shows_no_block(suite: Suite) -> None:
    suite.test("import time\ndef test_it(): time.sleep(0.5)\n")
    with on_terminal(suite, "-n1", lines=2) as terminal:
        assert terminal.wait_for_exit() == 0
        assert "━".encode() not in terminal.raw


def test_no_part_of_the_block_remains_after_a_resize(suite: Suite) -> None:
    suite.test(WAITING)
    with on_terminal(suite, "-n2") as terminal:
        terminal.wait_to_show(BAR, "^gw0 .*waits", "^gw1 .*waits")
        for columns, lines in ((100, 30), (60, 12), (80, 24)):
            terminal.resize(columns, lines)
            terminal.wait_for_more(1000)
            assert len([line for line in terminal.screen if re.search(BAR, line)]) == 1
        release_tests(suite)
        terminal.wait_for_exit()
        assert not has_block(terminal)


def test_ctrl_c_leaves_the_screen_clean(suite: Suite) -> None:
    suite.test(WAITING)
    with on_terminal(suite, "-n2") as terminal:
        terminal.wait_to_show(BAR, "^gw0 .*waits", "^gw1 .*waits")
        terminal.type(b"\x03")
        assert terminal.wait_for_exit() == pytest.ExitCode.INTERRUPTED
        assert not has_block(terminal)
        assert terminal.shows("KeyboardInterrupt", "1 failed, 2 passed, 1 skipped in")
        assert terminal.cursor[1] == 0


def test_an_internal_error_leaves_the_screen_clean(suite: Suite) -> None:
    suite.test(WAITING)
    suite.conftest(
        """
        def pytest_runtest_logfinish(nodeid):
            assert "waits" not in nodeid, "a broken hook"
        """
    )
    with on_terminal(suite, "-n2") as terminal:
        terminal.wait_to_show(BAR, "^gw0 .*waits", "^gw1 .*waits")
        release_tests(suite)
        assert terminal.wait_for_exit() == pytest.ExitCode.INTERNAL_ERROR
        assert not has_block(terminal)
        assert any("INTERNALERROR> AssertionError: a broken hook" in line for line in terminal.text)


def test_a_crash_of_a_worker_leaves_the_screen_clean(suite: Suite) -> None:
    suite.test(
        WAITING + '    def test_crashes():\n        wait_for("let go", limit=150)\n        os._exit(3)\n    import os\n'
    )
    with on_terminal(suite, "-n2") as terminal:
        terminal.wait_to_show(BAR, "^gw0 .*test_it", "^gw1 .*test_it")
        release_tests(suite)
        assert terminal.wait_for_exit() == pytest.ExitCode.TESTS_FAILED
        assert not has_block(terminal)
        assert terminal.shows("2 failed, 4 passed, 1 skipped in")


def test_output_of_the_controller_is_shown_above_the_block(suite: Suite) -> None:
    suite.test(WAITING)
    suite.conftest(
        """
        import sys

        def pytest_runtest_logfinish(nodeid):
            if "waits[0]" in nodeid:
                print()
                print("printed past the reporter")
                print("a complaint past the reporter", file=sys.stderr)
        """
    )
    with on_terminal(suite, "-n2") as terminal:
        terminal.wait_to_show(BAR, "^gw0 .*waits", "^gw1 .*waits")
        release_tests(suite)
        terminal.wait_for_exit()
        assert not has_block(terminal)
        position = terminal.text.index("printed past the reporter")
        assert terminal.text[position + 1] == "a complaint past the reporter"


@pytest.mark.parametrize(
    ("args", "environment"),
    [
        (["--rustpar-progress=off"], {}),
        (["-s"], {}),
        ([], {"CI": "true"}),
        ([], {"NO_COLOR": "1"}),
        ([], {"TERM": "dumb"}),
    ],
    ids=["off", "-s", "CI", "NO_COLOR", "dumb"],
)
def test_no_block_is_shown(suite: Suite, args: list[str], environment: dict[str, str]) -> None:
    suite.test("import time\ndef test_it(): time.sleep(0.5)\n")
    with on_terminal(suite, "-n1", "--rustpar-slow=0", *args, environment=environment) as terminal:
        assert terminal.wait_for_exit() == 0
        assert b"\x1b7" not in terminal.raw
        assert b"\x1bD" not in terminal.raw
        assert not any("has been running" in line for line in terminal.text)


def test_output_to_a_file_has_no_escape_codes(suite: Suite) -> None:
    suite.test("import time\ndef test_it(): time.sleep(0.3)\n")
    run = suite.run("--rustpar-progress=on", "--rustpar-slow=100ms")
    assert "\x1b" not in run.text
    assert "has been running" not in run.text


def test_a_running_test_over_the_slow_limit_is_reported_once(suite: Suite) -> None:
    suite.test(WAITING)
    with on_terminal(suite, "-n2", "--rustpar-slow=100ms") as terminal:
        lines = [rf"rustpar: gw[01] has been running test_it\.py::test_waits\[{n}\] for [\d.]+ m?s$" for n in range(2)]
        terminal.wait_to_show(*lines, r"^gw[01] +[\d.]+ s  test_it\.py::test_waits\[0\]$")
        release_tests(suite)
        terminal.wait_for_exit()
        for line in lines:
            assert len([shown for shown in terminal.text if re.match(line, shown)]) == 1


def test_invalid_values_are_usage_errors(suite: Suite) -> None:
    form = "expected for example 500ms, 1s or 1.5m"
    complaints = {
        "slow option": (["--rustpar-slow=5 apples"], f"invalid duration '5 apples': {form}"),
        "slow entry": (["-o", "rustpar_slow=-1s"], f"rustpar_slow: invalid duration '-1s': {form}"),
        "progress option": (["--rustpar-progress=never"], "--rustpar-progress"),
        "progress entry": (["-o", "rustpar_progress=never"], "rustpar_progress = never: use auto, on or off"),
    }
    for name in complaints:
        suite.part(name).test("def test_it(): pass")
    for name, run in suite.run_each({name: ["-n2", *args] for name, (args, _) in complaints.items()}).items():
        assert run.ret == pytest.ExitCode.USAGE_ERROR, name
        assert complaints[name][1] in run.err
        assert "Traceback" not in run.text
