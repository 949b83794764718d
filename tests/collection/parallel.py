"""Suites that are collected in parallel, for the tests of that."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.harness import Run, Suite


PARALLEL = "--rustpar-collect=parallel"

COMPARED = "it is compared with a parallel collection"

SAME = "a parallel collection has the same tests"


# Notes which process imports which file.
NOTING = """
    from support import note
    note(f"imports {__name__}")
"""

FOUR_FILES = {f"test_{name}.py": f"{NOTING}\n    def test_one(): pass\n    def test_two(): pass\n" for name in "abcd"}


def collected(suite: Suite, *args: str) -> list[str]:
    """Return the node ids that plain pytest collects, in order."""
    run = suite.plain("--collect-only", "-q", *args)
    return [line for line in run.lines if "::" in line]


def run_twice(suite: Suite, *args: str, n: str = "2") -> tuple[Run, Run]:
    """Run a suite for the first time, which compares, and again, which collects in parallel."""
    first = suite.run(PARALLEL, *args, n=n)
    assert SAME in first.text, first.text
    assert f"collect: serial ({COMPARED})" in first.text
    second = suite.run(PARALLEL, *args, n=n)
    assert f"collect: parallel ({n} workers)" in second.text, second.text
    return first, second


def assert_serial(run: Run, reason: str) -> None:
    assert reason in run.line("collect: serial"), run.text
    assert "start: template" in run.text
