"""Options that use pytest's cache: ``--lf`` and ``--sw``; those that change the order are in `test_order_kept.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Suite

SIX = """
    import pathlib
    import pytest

    @pytest.mark.parametrize("n", range(6))
    def test_it(n):
        assert n not in (2, 4) or pathlib.Path("fixed").exists()
"""


def test_lf_runs_the_last_failures_and_says_so(suite: Suite) -> None:
    suite.test(SIX)
    assert suite.run().counts() == {"passed": 4, "failed": 2}
    run = suite.run("--lf")
    assert run.counts() == {"failed": 2}
    assert "run-last-failure: rerun previous 2 failures" in run.lines
    (suite.path / "fixed").touch()
    assert suite.run("--lf").counts() == {"passed": 2}
    assert suite.run("--lf").counts() == {"passed": 6}


def test_lf_knows_failures_of_plain_runs(suite: Suite) -> None:
    suite.test(SIX)
    suite.plain()
    assert suite.run("--lf").counts() == {"failed": 2}


def test_lf_skips_whole_files_as_plain_pytest_does(suite: Suite) -> None:
    suite.write({"test_bad.py": "def test_it(): assert 0\n", "test_good.py": "def test_it(): pass\n"})
    suite.run()
    run = suite.run("--lf")
    assert run.counts() == {"failed": 1}
    assert "run-last-failure: rerun previous 1 failure (skipped 1 file)" in run.lines


def test_a_crashed_test_is_a_last_failure(suite: Suite) -> None:
    suite.test("import os\ndef test_bad(): os._exit(1)\ndef test_good(): pass\n")
    suite.run()
    run = suite.run("--lf")
    assert run.counts() == {"failed": 1}


def test_sw_stops_at_a_failure_and_continues_from_there(suite: Suite) -> None:
    suite.test(SIX)
    first = suite.run("--sw", n="1")
    assert first.ret == pytest.ExitCode.INTERRUPTED
    assert first.counts() == {"passed": 2, "failed": 1}
    (suite.path / "fixed").touch()
    second = suite.run("--sw", n="1")
    assert second.ret == 0
    assert second.counts() == {"passed": 4, "deselected": 2}


def test_the_cache_fixture_keeps_values_of_workers(suite: Suite) -> None:
    suite.test("def test_it(cache): cache.set('ours/value', cache.get('ours/value', 0) + 1)\n")
    suite.run()
    suite.run()
    assert (suite.path / ".pytest_cache/v/ours/value").read_text() == "2"
