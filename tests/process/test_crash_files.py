"""The report of a crash begins with xdist's message and has the stack and the output of the test."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Run, Suite

TESTS = """
    import faulthandler
    import os
    import sys
    import pytest

    @pytest.fixture
    def talks():
        print("said in set-up")
        if os.environ["WHEN"] == "setup":
            print("last words")
            sink()
        yield
        print("said in teardown")
        if os.environ["WHEN"] == "teardown":
            print("last words")
            sink()

    def sink():
        print("also to errors", file=sys.stderr)
        os.write(1, b"past Python\\n")
        faulthandler._sigsegv()

    def test_before(): print("of another test")

    def test_deadly(talks):
        print("said in the call")
        if os.environ["WHEN"] == "call":
            print("last words")
            sink()

    def test_after(): pass
"""


def crash_report(suite: Suite, run_mode: str, when: str, *args: str, n: str = "1") -> tuple[dict[str, str], str, Run]:
    """Return the captured sections and the text of the crash's report."""
    run = suite.run_with({"WHEN": when}, f"--rustpar-start={run_mode}", *args, n=n)
    # If it crashed in its teardown, the call has passed.
    assert run.counts() == {"passed": 3 if when == "teardown" else 2, "failed": 1}, run.text
    assert run.ret == 1
    report = run.report("test_deadly", "???")
    assert report["longrepr"].splitlines()[0] == (
        f"worker '{report['worker']}' crashed while running 'test_it.py::test_deadly'"
    )
    return dict(report["sections"]), report["longrepr"], run


# What is written does not depend on how the worker was forked, where it is written does.
@pytest.mark.parametrize(
    ("when", "run_mode"), [("setup", "template"), ("call", "template"), ("teardown", "template"), ("call", "early")]
)
def test_a_crash_report_has_the_stack_and_the_output(suite: Suite, run_mode: str, when: str) -> None:
    suite.test(TESTS)
    sections, text, run = crash_report(suite, run_mode, when)
    assert "Segmentation fault" in text
    assert " in sink" in text
    assert "_pytest" not in text
    assert f"Captured stdout {when}" in sections
    assert sections[f"Captured stdout {when}"].endswith("last words\npast Python\n")
    assert sections[f"Captured stderr {when}"] == "also to errors\n"
    if when != "setup":
        assert sections["Captured stdout setup"] == "said in set-up\n"
    assert "of another test" not in str(sections)
    assert "last words" in run.out
    assert run.out.count(" in sink") == 1
    assert " in sink" not in run.err


@pytest.mark.parametrize(
    ("args", "run_mode"),
    [
        (("-s",), "template"),
        (("-s",), "early"),
        (("--capture=sys",), "template"),
        (("-p", "no:capture"), "early"),
    ],
)
def test_a_crash_report_has_the_stack_with_other_capture_modes(
    suite: Suite, run_mode: str, args: tuple[str, ...]
) -> None:
    suite.test(TESTS)
    _, text, run = crash_report(suite, run_mode, "call", *args)
    assert " in sink" in text
    assert "past Python" in run.out or args == ("--capture=sys",)


def test_without_faulthandler_the_report_has_the_output(suite: Suite) -> None:
    suite.test(TESTS)
    sections, text, _ = crash_report(suite, "early", "call", "-p", "no:faulthandler")
    assert "it was killed by SIGSEGV (segmentation fault) in the call of the test; its memory was " in text
    assert "most recent call" not in text
    assert sections["Captured stdout call"] == "said in the call\nlast words\npast Python\n"


def test_a_crash_without_a_stack_is_reported_with_its_output(suite: Suite) -> None:
    suite.test(TESTS.replace("faulthandler._sigsegv()", "os._exit(3)"))
    sections, text, _ = crash_report(suite, "template", "call")
    assert "it exited with code 3 in the call of the test; its memory was " in text
    assert "Without workers: pytest -n0 test_it.py::test_" in text
    assert sections["Captured stdout call"].endswith("past Python\n")


def test_a_crash_in_the_first_test_of_a_worker_is_reported_completely(suite: Suite) -> None:
    suite.test(TESTS.replace("def test_before", "def test_later"))
    for _ in range(2):
        sections, text, _ = crash_report(suite, "template", "call", n="3")
        assert " in sink" in text
        assert "last words" in sections["Captured stdout call"]


def test_a_crash_outside_of_tests_shows_its_stack(suite: Suite) -> None:
    suite.conftest(
        """
        import faulthandler

        def pytest_sessionfinish(session):
            if hasattr(session.config, "workerinput"):
                at_the_end()

        def at_the_end(): faulthandler._sigsegv()
        """
    )
    suite.test("def test_one(): pass\n")
    run = suite.run("--max-worker-restart", "0", n="1")
    assert run.text.count(" in at_the_end") == 1


def test_long_output_is_shortened(suite: Suite) -> None:
    suite.test(TESTS.replace('print("said in the call")', 'print("x" * 1_000_000)'))
    sections, _, _ = crash_report(suite, "template", "call")
    text = sections["Captured stdout call"]
    assert text.startswith("(7")
    assert text.endswith("last words\npast Python\n")
    assert len(text) < 300_000


def test_a_file_that_the_suite_gave_faulthandler_gets_the_stack(suite: Suite) -> None:
    suite.test("import faulthandler\nfaulthandler.enable(open('own', 'w'))\n" + "from inner import *\n")
    suite.write({"inner.py": textwrap.dedent(TESTS)})
    _, text, _ = crash_report(suite, "template", "call")
    assert " in sink" not in text
    assert " in sink" in (suite.path / "own").read_text()
