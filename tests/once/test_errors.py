"""Errors of fixtures that are set up once per run, and other outcomes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.harness import RUN_MODES
from tests.once.suites import MANY_TESTS, SERVER, events, write

if TYPE_CHECKING:
    from tests.harness import Suite


ENDS = {
    "RuntimeError('no')": {"passed": 6, "errors": 1},
    "SystemExit(3)": {"passed": 6, "errors": 1},
    "pytest.fail('no')": {"passed": 6, "errors": 1},
    "pytest.skip('no')": {"passed": 6, "skipped": 1},
}


@pytest.mark.parametrize("mode", RUN_MODES)
def test_an_error_in_the_set_up_is_that_of_each_test_and_is_shown_once_in_full(suite: Suite, mode: str) -> None:
    write(
        suite,
        """
        import pytest

        @pytest.mark.parametrize("number", range(6))
        def test_it(server, number):
            pass

        def test_without():
            pass
        """,
        """
        import pytest
        from events import note

        @pytest.fixture(scope="session")
        def server():
            note("up")
            raise RuntimeError("no port\\nis free")
        """,
    )
    run = suite.run_in(mode)
    assert run.ret == 1
    assert run.counts() == {"passed": 1, "errors": 6}
    assert events(suite) == ["up"]
    if mode != "plain":
        assert sum('raise RuntimeError("no port' in line for line in run.lines) == 1
        short = (
            "which is set up once per run, has failed: RuntimeError: no port",
            "(its fixture is set up once per run;",
        )
        assert sum(any(text in line for text in short) for line in run.lines) >= (
            5 if sys.version_info >= (3, 11) else 0
        )


@pytest.mark.parametrize("mode", ["template", "xdist"])
def test_a_skip_in_the_set_up_skips_each_test(suite: Suite, mode: str) -> None:
    write(
        suite,
        """
        import pytest

        @pytest.mark.parametrize("number", range(6))
        def test_it(server, number):
            pass
        """,
        """
        import pytest
        from events import note

        @pytest.fixture(scope="session")
        def server():
            note("up")
            pytest.skip("there is no docker")
        """,
    )
    run = suite.run_in(mode, "-rs")
    assert run.counts() == {"skipped": 6}
    assert events(suite) == ["up"]
    assert "there is no docker" in run.text


@pytest.mark.parametrize("mode", ["plain", "template", "xdist"])
def test_an_error_in_the_teardown_fails_the_run(suite: Suite, mode: str) -> None:
    write(
        suite,
        """
        import pytest

        @pytest.mark.parametrize("number", range(6))
        def test_it(server, number):
            pass
        """,
        """
        import pytest

        @pytest.fixture(scope="session")
        def server():
            yield
            raise RuntimeError("it does not stop")
        """,
    )
    run = suite.run_in(mode)
    assert run.ret == 1
    assert run.counts() == {"passed": 6, "errors": 1}
    assert "RuntimeError: it does not stop" in run.text
    assert "ERROR at teardown of test_it" in run.text


@pytest.mark.parametrize("phase", ["set-up", "teardown"])
def test_a_time_limit_ends_a_set_up_or_a_teardown(suite: Suite, phase: str) -> None:
    wait = "    time.sleep(120)  # the line\n"
    conftest = f"""
import pytest, time
@pytest.fixture(scope="session")
def server():
{wait if phase == "set-up" else ""}
    yield
{wait if phase == "teardown" else ""}
"""
    write(suite, "def test_it(server): pass\ndef test_other(server): pass", conftest)
    run = suite.run("--rustpar-start=template", "--rustpar-timeout=500ms", limit=60)
    assert run.ret == 1
    assert run.counts() == ({"errors": 2} if phase == "set-up" else {"passed": 2, "errors": 1})
    assert f"the {phase} of the fixture server took longer than its limit of 500 ms (--rustpar-timeout)" in run.text
    assert "# the line" in run.text


@pytest.mark.parametrize("mode", ["template", "early"])
@pytest.mark.parametrize("what", ENDS)
def test_whatever_a_teardown_raises_is_reported_and_the_others_follow(suite: Suite, mode: str, what: str) -> None:
    conftest = f"""
        import pytest
        from events import note

        @pytest.fixture(scope="session")
        def below():
            yield
            note("below-down")

        @pytest.fixture(scope="session")
        def server(below):
            yield
            note("server-down")
            {what if what.startswith("pytest") else "raise " + what}
        """
    write(suite, MANY_TESTS, conftest, once="server, below")
    run = suite.run_in(mode)
    assert run.counts() == ENDS[what], run.text
    assert run.ret == (0 if "skip" in what else 1)
    assert events(suite) == ["server-down", "below-down"]


@pytest.mark.parametrize("mode", ["template", "early"])
def test_a_set_up_that_exits_is_the_error_of_each_test(suite: Suite, mode: str) -> None:
    conftest = """
        import pytest

        @pytest.fixture(scope="session")
        def server():
            raise SystemExit(3)
        """
    write(suite, MANY_TESTS, conftest)
    run = suite.run_in(mode)
    assert run.ret == 1
    assert run.counts() == {"errors": 6}


def test_a_process_that_dies_in_the_set_up_names_the_fixture(suite: Suite) -> None:
    write(suite, MANY_TESTS, SERVER.replace('note("server-up")', "os.abort()"))
    run = suite.run_in("template")
    assert run.ret == 1
    assert "the template process died while setting up the fixture server (" in run.text


@pytest.mark.parametrize("mode", ["template", "early"])
@pytest.mark.parametrize("raised", ["pytest.xfail('known')", "raise unittest.SkipTest('x')"])
def test_expected_failures_and_skips_of_a_set_up_stay_what_they_are(suite: Suite, mode: str, raised: str) -> None:
    conftest = f"""
        import unittest
        import pytest

        @pytest.fixture(scope="session")
        def server():
            {raised}
        """
    write(suite, MANY_TESTS, conftest)
    run = suite.run_in(mode)
    assert run.ret == 0
    assert run.counts() == ({"xfailed": 6} if "xfail" in raised else {"skipped": 6})


def test_the_class_of_an_error_is_the_same_for_each_test(suite: Suite) -> None:
    tests = MANY_TESTS.replace("def test_it", "@pytest.mark.xfail(raises=ConnectionError)\ndef test_it")
    conftest = """
        import pytest

        @pytest.fixture(scope="session")
        def server():
            raise ConnectionError("no")
        """
    write(suite, tests, conftest)
    assert suite.run("--rustpar-start=template").counts() == {"xfailed": 6}


@pytest.mark.parametrize("mode", ["plain", "template"])
def test_a_set_up_that_has_failed_is_tried_again_with_a_test(suite: Suite, mode: str) -> None:
    conftest = """
        import os
        import pytest

        @pytest.fixture(scope="session")
        def server():
            if not os.path.exists("tried"):
                open("tried", "w").close()
                raise ConnectionError("no")
        """
    write(suite, "def test_it(server): pass", conftest)
    assert suite.run_in(mode, "--rustpar-retries=2").counts() == {"flaky": 1, "rerun": 1}
