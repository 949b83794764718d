"""`rustpar report --github`: annotations and the job summary."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.journals import events, journals
from tests.reportfiles import (
    EVERY_OUTCOME,
    output_of,
)

if TYPE_CHECKING:
    from tests.harness import Suite


def test_annotations_are_escaped_and_placed_at_the_failing_line(suite: Suite) -> None:
    suite.test(EVERY_OUTCOME)
    suite.run("-k", "test_fails and not late")
    summary = suite.path / "summary.md"
    summary.write_text("before\n")
    (line,) = output_of(suite, "report", "--github", GITHUB_STEP_SUMMARY=str(summary)).splitlines()
    (detail,) = [event for event in events(journals(suite)[-1]) if event["e"] == "detail"]
    place = f"file=test_it.py,line={detail['line']}"
    assert line == (f"::error {place},title=test_it.py%3A%3Atest_fails failed::AssertionError: 100%25: one, two")
    text = summary.read_text()
    assert text.startswith("before\n### pytest: 1 failed in ")
    assert "<code>test_it.py::test_fails: failed</code>" in text
    assert "&lt;x&gt;" in text


@pytest.mark.parametrize("n", [None, "2"])
def test_annotations_are_placed_in_files_of_the_project(suite: Suite, n: str | None) -> None:
    suite.write(
        {
            "lib/helper.py": "def fails():\n    raise ValueError('in a helper')\n",
            "site-packages/installed.py": "def fails():\n    raise ValueError('in a package')\n",
            "test_name.py": "\n\nnowhere\n",
            "test_import.py": "import nowhere\n",
            "test_dies.py": "import os\n\ndef test_dies(): os._exit(1)\n",
            "words.txt": "A test.\n\n>>> 1 + 1\n3\n",
        }
    )
    suite.test(
        """
        import json, sys, unittest, unittest.mock
        import pytest
        sys.path += ["lib", "site-packages"]

        class TestUnit(unittest.TestCase):
            def test_equal(self):
                self.assertEqual(1, 2)

        def test_mock():
            unittest.mock.Mock().assert_called()

        def test_json():
            json.loads("{")

        def test_helper():
            import helper
            helper.fails()

        def test_package():
            import installed
            installed.fails()

        @pytest.mark.xfail(strict=True)
        def test_strict(): pass

        def test_no_fixture(nope): pass

        def test_without_traceback():
            pytest.fail("why", pytrace=False)
        """
    )
    ignored = ["--ignore=test_dies.py"] if n is None else []
    suite.run("--doctest-glob=*.txt", "--continue-on-collection-errors", *ignored, n=n)
    found = re.findall(
        r"^::error (?:file=(.*?),)?(?:line=(\d+),)?title=(\S+)", output_of(suite, "report", "--github"), re.MULTILINE
    )
    places = {title.rpartition("%3A")[2]: (file, line) for file, line, title in found}
    if n is not None:
        assert places.pop("test_dies") == ("test_dies.py", "")
    # pytest counts lines from 0 in a file that is not a module.
    assert places.pop("words.txt")[0] == "words.txt"
    assert places == {
        "test_name.py": ("test_name.py", "3"),
        "test_import.py": ("test_import.py", ""),
        "test_equal": ("test_it.py", "8"),
        "test_mock": ("test_it.py", "11"),
        "test_json": ("test_it.py", "14"),
        "test_helper": ("lib/helper.py", "2"),
        "test_package": ("test_it.py", "22"),
        "test_strict": ("test_it.py", "24"),
        "test_no_fixture": ("test_it.py", "27"),
        "test_without_traceback": ("test_it.py", "30"),
    }


def test_without_a_summary_file_only_annotations_are_written(suite: Suite) -> None:
    suite.test("def test_it(): pass\n")
    suite.run()
    assert output_of(suite, "report", "--github", GITHUB_STEP_SUMMARY="") == ""


def test_the_summary_shows_failures_with_concurrent_tests(suite: Suite) -> None:
    suite.test(
        """
        from support import meet

        def test_fails():
            meet("failing", "there")
            print("a printed word")
            meet("failed", "beside")
            assert 0

        def test_beside():
            meet("there", "failing")
            meet("beside", "failed")
        """
    )
    run = suite.run()
    text = output_of(suite, "report")
    (worker,) = run.workers["test_it.py::test_beside"]
    assert f"running at the same time: test_it.py::test_beside ({worker})" in text
    assert ">           assert 0" in text or ">       assert 0" in text
    assert "a printed word" in text
    assert "1 passed, 1 failed in " in text
    assert "exit status 1" in text


def test_a_crashed_test_is_listed_as_concurrent_with_an_earlier_failure(suite: Suite) -> None:
    suite.test(
        """
        import os
        from support import meet

        def test_hog():
            meet("hog", "victim")
            meet("hog_goes", "victim_gone")
            os._exit(1)

        def test_victim():
            meet("victim", "hog")
            try:
                assert 0
            finally:
                meet("victim_gone", "hog_goes")
        """
    )
    run = suite.run()
    (worker,) = run.workers["test_it.py::test_hog"]
    assert f"running at the same time: test_it.py::test_hog ({worker})" in output_of(suite, "report")
