"""The command `rustpar flaky`, which lists tests that changed their mind without a change of code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.reportfiles import error_of, output_of

if TYPE_CHECKING:
    from tests.harness import Suite

LIBRARY = "def is_right(): return True\n"

SUITE = """
    import os
    import library

    def test_flaky():
        if os.environ.get("WRONG"):
            raise ConnectionError("refused")

    def test_of_library():
        assert library.is_right()

    def test_steady(): pass
"""


def run(suite: Suite, *args: str, wrong: str = "", n: str | None = "2") -> None:
    """Run the suite; with `wrong`, a test fails."""
    suite.run_with({"WRONG": wrong}, *args, n=n)


def found(suite: Suite, *args: str) -> dict[str, dict[str, Any]]:
    """Return the flaky tests by node id."""
    return {test["id"]: test for test in json.loads(output_of(suite, "flaky", "--json", *args))}


def test_a_test_that_changed_its_mind_is_listed_and_one_whose_code_changed_is_not(suite: Suite) -> None:
    suite.write({"library.py": LIBRARY, "test_other.py": "def test_other(): pass\n"})
    suite.test(SUITE)
    run(suite)
    run(suite, wrong="1", n=None)
    # The file of other tests changes, and a test is skipped.
    suite.write({"test_other.py": "def test_other(): assert 0\n"})
    run(suite)
    assert list(found(suite)) == ["test_it.py::test_flaky"]
    # A module of the project changes: now a failure proves nothing.
    suite.write({"library.py": LIBRARY.replace("True", "False")})
    run(suite, wrong="1")
    (test,) = found(suite).values()
    assert (test["changes"], test["compared"], test["executions"], test["failures"]) == (2, 2, 4, 2)
    assert test["last_failure"]["error"] == "ConnectionError: refused"
    text = output_of(suite, "flaky")
    assert "\n2 of 2  test_it.py::test_flaky\n" in text
    assert f"failed 2 of 4 times, last in run {test['last_failure']['run']}: ConnectionError: refused" in text


def test_a_retry_that_passes_is_a_change_and_journals_of_other_machines_are_read(suite: Suite) -> None:
    suite.test(
        """
        import pathlib

        def test_second_try():
            tried = pathlib.Path(__file__).with_name("tried")
            is_first = not tried.exists()
            tried.touch()
            assert not is_first
        """
    )
    run(suite, "--rustpar-retries=2", "--rustpar-journal=one.jsonl")
    (test,) = found(suite, "one.jsonl").values()
    assert (test["changes"], test["compared"], test["executions"], test["failures"]) == (1, 1, 2, 1)
    run(suite, "--rustpar-journal=two.jsonl")
    (test,) = found(suite, "two.jsonl", "one.jsonl").values()
    assert (test["changes"], test["compared"]) == (1, 2)
    assert not found(suite, "two.jsonl")
    assert "no test passed and failed with the same code" in output_of(suite, "flaky", "two.jsonl")


def test_without_journals_one_line_says_so(suite: Suite) -> None:
    assert "there is no journal" in error_of(suite, "flaky")
    suite.write({"text.jsonl": "no journal\n"})
    assert "text.jsonl is not the journal of a run" in error_of(suite, "flaky", "text.jsonl")
