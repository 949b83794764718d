"""Failures of tests in the quarantine are shown and do not fail the run, until a date."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest

from tests.harness import RUN_MODES
from tests.suite_modules import REMEMBER

if TYPE_CHECKING:
    from tests.harness import Suite

FILE = """
    # Comment
    test_it.py::test_call*     2999-12-31  slow mirror
    test_it.py::TestClass      2999-12-31  a class
    test_it.py::test_passing   2999-12-31  it passes
    test_it.py::test_crash     2999-12-31  it crashes
    test_it.py::test_both      2999-12-31  both
    test_it.py::test_nothing   2999-12-31  there is none
"""

SHAPES = """
    import os
    import pytest

    @pytest.mark.parametrize("number", [1, 2])
    def test_call(number):
        raise ConnectionError(f"refused {number}")

    @pytest.fixture
    def broken():
        raise OSError("port in use")

    @pytest.fixture
    def torn(request):
        yield
        # Code in a teardown is still told that its test has failed.
        assert request.node.report.failed == ("both" in request.node.name)
        raise ValueError("torn")

    class TestClass:
        def test_setup(self, broken):
            pass

        def test_teardown(self, torn):
            pass

    def test_both(torn):
        assert 1 == 2

    def test_passing():
        pass
"""


@pytest.mark.parametrize("mode", RUN_MODES)
def test_failures_in_the_quarantine_are_shown_and_do_not_fail_the_run(suite: Suite, mode: str) -> None:
    suite.conftest(REMEMBER)
    suite.write({"quarantine.txt": FILE})
    suite.test(SHAPES)
    run = suite.run_in(mode, "--rustpar-quarantine=quarantine.txt", "--junitxml=report.xml", "-x", "-v")
    assert run.ret == 0, run.text
    assert run.counts() == {"passed": 2, "quarantined": 6}, run.text
    section = run.section("quarantined tests")
    assert "QUARANTINED test_it.py::test_call[1]: until 2999-12-31, slow mirror" in section
    assert "    ConnectionError: refused 1" in section
    assert "    ValueError: torn" in section
    assert "    OSError: port in use" in section
    unused = "rustpar: quarantine.txt:8: the entry 'test_it.py::test_nothing' applies to no test: remove it"
    assert unused in run.lines
    assert not (suite.path / ".pytest_cache/v/cache/lastfailed").exists()
    root = ET.parse(suite.path / "report.xml").getroot()[0]
    assert (root.get("failures"), root.get("errors"), root.get("skipped")) == ("0", "0", "6")
    cases = {case.get("name"): [child.tag for child in case] for case in root.iter("testcase")}
    assert cases["test_passing"] == []
    assert cases["test_call[1]"] == cases["test_setup"] == cases["test_teardown"] == ["skipped"]
    assert "failure" not in cases["test_both"]
    assert 'message="quarantined until 2999-12-31, slow mirror"' in (suite.path / "report.xml").read_text()


def test_other_failures_and_expired_entries_fail_the_run(suite: Suite) -> None:
    suite.write({"quarantine.txt": "test_it.py::test_old 2020-01-31 long ago\ntest_it.py::test_none 2020-01-31 x"})
    suite.write({"pytest.ini": "[pytest]\nrustpar_quarantine = quarantine.txt\n"})
    suite.test("def test_old(): assert 0\ndef test_new(): pass")
    for n in (None, "2"):
        run = suite.run(n=n)
        assert run.ret == 1
        assert run.counts() == {"failed": 1, "passed": 1}
        found = [line for line in run.lines if line.startswith("rustpar: quarantine.txt")]
        text = "the entry 'test_it.py::test_old' expired on 2020-01-31: fix the test, or change the date"
        assert found == [f"rustpar: quarantine.txt:1: {text}"]


def test_crashes_time_limits_and_failures_in_every_attempt_are_excused(suite: Suite) -> None:
    suite.write({"quarantine.txt": "test_it.py 2999-12-31 all"})
    suite.test(
        """
        import os
        import time
        import pathlib

        def test_crash():
            os._exit(3)

        def test_hang():
            time.sleep(600)

        def test_assertion():
            assert 1 == 2

        def test_flaky():
            tried = pathlib.Path(__file__).with_name("tried")
            is_first = not tried.exists()
            tried.touch()
            assert not is_first
        """
    )
    options = ("--rustpar-quarantine=quarantine.txt", "--rustpar-timeout=3s", "--junitxml=report.xml")
    run = suite.run(*options, "--rustpar-retries=1", "--rustpar-retry-on=AssertionError", "--maxfail=1")
    assert run.ret == 0, run.text
    assert run.counts() == {"quarantined": 3, "rerun": 2, "flaky": 1}, run.text
    cases = ET.parse(suite.path / "report.xml").getroot()[0].iter("testcase")
    tags = {case.get("name"): sorted(child.tag for child in case) for case in cases}
    assert "FAILED test_it.py::test_assertion: in every attempt" in run.section("retried tests")
    assert tags["test_assertion"] == ["rerunFailure", "skipped"]
    assert tags["test_crash"] == tags["test_hang"] == ["skipped"]
    assert tags["test_flaky"] == ["flakyFailure"]


@pytest.mark.parametrize("mode", RUN_MODES)
def test_a_failed_subtest_is_excused_with_its_test(suite: Suite, mode: str) -> None:
    pytest.importorskip("_pytest.subtests")
    suite.write({"quarantine.txt": "test_it.py 2999-12-31 all"})
    suite.test(
        """
        def test_it(subtests):
            with subtests.test("one"): assert 0
            with subtests.test("two"): pass
        """
    )
    run = suite.run_in(mode, "--rustpar-quarantine=quarantine.txt", "-x")
    assert run.ret == 0, run.text
    assert run.counts() == {"quarantined": 2}, run.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("test_it.py 2999-12-31", "quarantine file quarantine.txt: line 1: no reason after the date of 'test_it.py'"),
        ("test_it.py 2999-02-29 x", "quarantine file quarantine.txt: line 1: invalid date '2999-02-29'"),
        (None, "could not read the quarantine file quarantine.txt: No such file or directory"),
    ],
)
def test_an_invalid_file_is_explained(suite: Suite, text: str | None, message: str) -> None:
    suite.test("def test_it(): pass")
    if text is not None:
        suite.write({"quarantine.txt": text})
    run = suite.run("--rustpar-quarantine=quarantine.txt", n=None)
    assert run.ret == 4
    assert message in run.text
