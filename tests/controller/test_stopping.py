"""``-x``, ``--maxfail`` and ``pytest.exit`` end a run as they do in plain pytest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Suite

# One failure, and one test that runs at the same time; no other test may start after that.
FAILS_EARLY = """
    import time
    import pytest
    from support import meet, note

    def test_fails():
        meet("a", "b")
        assert False

    def test_takes_a_while():
        meet("b", "a")
        time.sleep(0.7)

    @pytest.mark.parametrize("n", range(20))
    def test_later(n):
        note("later")
"""


def test_x_runs_no_test_after_the_first_failure(suite: Suite) -> None:
    suite.test(FAILS_EARLY)
    run = suite.run("-x", "--maxschedchunk=1")
    assert run.ret == pytest.ExitCode.INTERRUPTED
    assert "stopping after 1 failures" in run.out
    assert suite.notes() == []
    assert run.counts() == {"failed": 1, "passed": 1}


def test_maxfail_stops_after_the_given_number_of_failures_and_errors_in_fixtures(suite: Suite) -> None:
    suite.test(
        """
        import pytest

        @pytest.fixture
        def broken(): raise ValueError

        @pytest.mark.parametrize("n", range(2))
        def test_it(n):
            assert False

        @pytest.mark.parametrize("n", range(30))
        def test_other(n, broken): pass
        """
    )
    run = suite.run("--maxfail=4", n="1")
    assert run.ret == pytest.ExitCode.INTERRUPTED
    assert "stopping after 4 failures" in run.out
    assert run.counts() == {"failed": 2, "errors": 2}


def test_x_tears_fixtures_down(suite: Suite) -> None:
    suite.test(
        """
        import pytest
        from support import note

        @pytest.fixture(scope="session", autouse=True)
        def session():
            note("up")
            yield
            note("down")

        @pytest.mark.parametrize("n", range(10))
        def test_it(n):
            assert n
        """
    )
    suite.run("-x")
    notes = suite.notes()
    for worker in {note.split()[0] for note in notes}:
        assert [note for note in notes if note.startswith(worker)] == [f"{worker} up", f"{worker} down"]
    assert "gw0 up" in notes


def test_x_with_an_error_in_collection_runs_nothing(suite: Suite) -> None:
    suite.write(
        {
            "test_a.py": "import does_not_exist\n",
            "test_b.py": "from support import note\ndef test_it(): note('ran')\n",
        }
    )
    run = suite.run("-x")
    assert run.ret == pytest.ExitCode.INTERRUPTED
    assert suite.notes() == []
    assert run.counts() == {"errors": 1}


@pytest.mark.parametrize("returncode", [None, 7])
def test_exit_in_a_test_ends_the_run_with_its_message(suite: Suite, returncode: int | None) -> None:
    suite.test(
        f"""
        import pytest

        def test_exits():
            pytest.exit("enough now", returncode={returncode})

        @pytest.mark.parametrize("n", range(100))
        def test_later(n):
            pass
        """
    )
    run = suite.run("--maxschedchunk=1")
    assert run.ret == (2 if returncode is None else 7)
    assert "enough now" in run.line("Exit: ")


def test_exit_in_a_fixture_ends_the_run_with_its_message(suite: Suite) -> None:
    suite.test(
        """
        import pytest

        @pytest.fixture(scope="session")
        def server():
            pytest.exit("no server", returncode=5)

        def test_it(server): pass
        def test_other(server): pass
        """
    )
    run = suite.run()
    assert run.ret == 5
    assert "no server" in run.line("Exit: ")


def test_exit_during_the_import_of_a_module_behaves_as_in_plain_pytest(suite: Suite) -> None:
    suite.test("import pytest\npytest.exit('not on this machine', returncode=9)\n")
    plain, run = suite.plain(), suite.run()
    # In pytest 9 it is a collection error: plain pytest is interrupted, a distributed run continues.
    assert run.ret == (1 if plain.ret == pytest.ExitCode.INTERRUPTED else plain.ret)
    assert run.counts() == plain.counts()
    assert "not on this machine" in run.out


def test_exit_during_the_import_of_a_conftest_behaves_as_in_plain_pytest(suite: Suite) -> None:
    suite.conftest("import pytest\npytest.exit('not at all', returncode=3)\n")
    suite.test("def test_it(): pass")
    run = suite.run()
    assert run.ret == suite.plain().ret
    assert run.ret in (3, pytest.ExitCode.USAGE_ERROR)
    assert "not at all" in run.text


def test_shouldstop_set_by_a_plugin_in_a_worker_ends_the_run(suite: Suite) -> None:
    suite.conftest(
        """
        import pytest

        @pytest.hookimpl
        def pytest_runtest_teardown(item):
            if item.name == "test_it[3]":
                item.session.shouldstop = "a plugin says so"
        """
    )
    suite.test(
        """
        import pytest

        @pytest.mark.parametrize("n", range(100))
        def test_it(n): pass
        """
    )
    run = suite.run(n="1")
    assert run.ret == pytest.ExitCode.INTERRUPTED
    assert run.counts() == {"passed": 4}
    assert "a plugin says so" in run.text


# Conftests that end a session before workers get tests, and the expected exit status.
HASTY = {
    "usage": ("import pytest", "pytest_collection(session)", "raise pytest.UsageError('bad')", 4),
    "usage of the scheduler": ("import pytest", "pytest_xdist_make_scheduler()", "raise pytest.UsageError('bad')", 4),
    "an interrupt": ("import pytest", "pytest_collection(session)", "raise KeyboardInterrupt", 2),
    "an exit": ("import pytest", "pytest_collection(session)", "pytest.exit('enough', 7)", 7),
    "an error": ("import pytest", "pytest_collection(session)", "raise ValueError('mine')", 3),
}


# A session of the controller: it ends in each way with workers of one kind, and in two with those of the other.
@pytest.mark.parametrize(
    ("end", "run_mode"), [*((end, "template") for end in HASTY), ("usage", "early"), ("an error", "early")]
)
def test_a_session_may_end_before_there_is_a_scheduler(suite: Suite, end: str, run_mode: str) -> None:
    imports, hook, statement, status = HASTY[end]
    suite.conftest(
        f"""
        {imports}
        import os
        import time

        @pytest.hookimpl(tryfirst=True)
        def {hook}:
            if "PYTEST_XDIST_WORKER" in os.environ:
                raise pytest.UsageError("bad in a worker, too")
            time.sleep(1)
            {statement}
        """
    )
    suite.test("def test_it(): pass\n")
    run = suite.run_in(run_mode)
    assert run.ret == status, run.text
    assert "AttributeError" not in run.text


def test_a_usage_error_of_early_workers_is_one_line(suite: Suite) -> None:
    suite.write({"pytest.ini": "[pytest]\nfoo = nope\n"})
    suite.test("def test_it(): pass\n")
    for _ in range(2):
        run = suite.run_in("early", "--strict-config", n="4")
        assert run.ret == 4, run.text
        assert "Traceback" not in run.text


@pytest.mark.parametrize("run_mode", ["template", "early"])
def test_an_internal_error_of_a_worker_is_passed_to_plugins(suite: Suite, run_mode: str) -> None:
    suite.conftest(
        """
        import os

        def pytest_runtest_logreport(report):
            if report.when == "call" and "PYTEST_XDIST_WORKER" in os.environ:
                raise RuntimeError("out of order")
        """
    )
    suite.test("def test_it(): pass\n")
    run = suite.run_in(run_mode, "--junitxml=junit.xml", n="1")
    assert run.ret == 3, run.text
    text = (suite.path / "junit.xml").read_text()
    assert text.count('<testcase classname="pytest" name="internal"') == 1
    assert "RuntimeError: out of order" in text
    assert "controller.py" not in text
