"""When fixtures that are set up once per run are set up and torn down, and in which processes."""

from __future__ import annotations

import os
import signal
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.harness import RUN_MODES
from tests.once.suites import MANY, WORKER_MODES, events, write

if TYPE_CHECKING:
    from tests.harness import Suite


@pytest.mark.parametrize("mode", RUN_MODES)
def test_a_fixture_is_set_up_once_and_torn_down_once_after_all_others(suite: Suite, mode: str) -> None:
    write(suite, MANY)
    run = suite.run_in(mode, n="3")
    assert run.ret == 0
    assert run.counts() == {"passed": 31}
    happened = events(suite)
    count = Counter(happened)
    assert count["server-up"] == count["server-down"] == 1
    # Databases that workers create are gone before the server is.
    downs = [index for index, what in enumerate(happened) if what == "database-down"]
    assert len(downs) == count["database-up"]
    assert all(index < happened.index("server-down") for index in downs)
    last = len(happened) - 1 - happened[::-1].index("settings-down")
    assert happened.index("server-down") < last


def test_what_such_a_fixture_needs_is_set_up_with_it(suite: Suite) -> None:
    write(suite, MANY)
    run = suite.run("--rustpar-start=template", n="3")
    count = Counter(events(suite))
    assert count["settings-up"] == count["settings-down"] == 1
    assert "rustpar: set up once: settings, server" in run.text


@pytest.mark.parametrize("mode", WORKER_MODES)
def test_a_fixture_that_no_test_needs_is_not_set_up(suite: Suite, mode: str) -> None:
    write(suite, MANY)
    run = suite.run_in(mode, "-k", "without")
    assert run.ret == 0
    assert not (suite.path / "events").exists()
    assert "set up once" not in run.text


@pytest.mark.parametrize("mode", WORKER_MODES)
@pytest.mark.parametrize("ending", ["-x", "crash", "usage"])
def test_it_is_torn_down_however_the_run_ends(suite: Suite, mode: str, ending: str) -> None:
    write(
        suite,
        f"""
        import os, pytest

        @pytest.mark.parametrize("number", range(20))
        def test_it(server, number):
            if number == 5:
                assert {ending != "-x"}, "fails"
                if {ending == "crash"}:
                    os.kill(os.getpid(), 11)
                if {ending == "usage"}:
                    pytest.exit("enough", returncode=7)
        """,
    )
    run = suite.run_in(mode, *(["-x"] if ending == "-x" else []))
    count = Counter(events(suite))
    if ending == "crash" and mode == "template":
        assert run.counts() == {"passed": 19, "failed": 1}
    # The worker that crashed may be the one that has set it up.
    assert count["server-up"] >= count["server-down"] >= (0 if ending == "crash" and mode != "template" else 1)
    assert count["server-up"] == 1


@pytest.mark.parametrize("mode", ["template", "early"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_is_torn_down_after_an_interrupt(suite: Suite, mode: str, number: signal.Signals) -> None:
    write(
        suite,
        """
        import time

        def test_first(server):
            open("running.here", "w").close()
            time.sleep(60)

        def test_second(server):
            time.sleep(60)
        """,
    )
    process = suite.start(f"--rustpar-start={mode}")
    suite.wait_for("running")
    process.send_signal(number)
    suite.wait_for_exit(process)
    assert Counter(events(suite))["server-down"] == 1


@pytest.mark.parametrize("mode", ["template", "early"])
def test_it_is_torn_down_if_the_controller_is_killed(suite: Suite, mode: str) -> None:
    write(
        suite,
        """
        import time

        def test_first(server):
            open("running.here", "w").close()
            time.sleep(60)

        def test_second(server):
            time.sleep(60)
        """,
    )
    process = suite.start(f"--rustpar-start={mode}")
    suite.wait_for("running")
    process.kill()
    # The pipes are closed when all processes have exited.
    suite.wait_for_exit(process)
    assert Counter(events(suite))["server-down"] == 1


def test_a_worker_that_replaces_another_has_the_same_fixture(suite: Suite) -> None:
    write(
        suite,
        """
        import os, pytest

        @pytest.mark.parametrize("number", range(20))
        def test_it(server, number):
            if number in (3, 9):
                os._exit(1)
            assert server["port"] == 1
        """,
    )
    run = suite.run("--rustpar-start=template")
    assert run.counts() == {"passed": 18, "failed": 2}
    assert Counter(events(suite))["server-up"] == Counter(events(suite))["server-down"] == 1


def test_an_interrupt_during_the_set_up_tears_down_what_is_set_up(suite: Suite) -> None:
    write(
        suite,
        "def test_it(server): pass",
        """
        import time
        import pytest
        from events import note

        @pytest.fixture(scope="session")
        def settings():
            note("up")
            yield
            note("down")

        @pytest.fixture(scope="session")
        def server(settings):
            open("running.here", "w").close()
            time.sleep(60)
        """,
    )
    process = suite.start("--rustpar-start=template")
    suite.wait_for("running")
    process.send_signal(signal.SIGINT)
    assert suite.wait_for_exit(process).ret == 2
    assert events(suite) == ["up", "down"]


@pytest.mark.parametrize("is_group", [False, True])
def test_an_interrupt_of_the_set_up_waits_for_the_teardown(suite: Suite, is_group: bool) -> None:
    conftest = """
        import time
        import pytest
        from events import note

        @pytest.fixture(scope="session")
        def settings():
            yield
            time.sleep(2)
            note("down")

        @pytest.fixture(scope="session")
        def server(settings):
            open("running.here", "w").close()
            time.sleep(60)
        """
    write(suite, "def test_it(server): pass", conftest)
    process = suite.start("--rustpar-start=template")
    suite.wait_for("running")
    if is_group:
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.SIGINT)
    assert suite.wait_for_exit(process).ret == 2
    assert events(suite) == ["down"]


def test_an_interrupt_of_the_teardown_lets_it_end(suite: Suite) -> None:
    conftest = """
        import time
        import pytest
        from events import note

        @pytest.fixture(scope="session")
        def server():
            yield
            open("running.here", "w").close()
            time.sleep(3)
            note("down")
        """
    write(suite, "def test_it(server): pass", conftest)
    process = suite.start("--rustpar-start=template")
    suite.wait_for("running")
    process.send_signal(signal.SIGINT)
    run = suite.wait_for_exit(process)
    assert run.ret == 2
    assert run.counts() == {"passed": 1}
    assert events(suite) == ["down"]
