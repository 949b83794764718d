"""``rustpar_once``: fixtures that are set up once per run and torn down once, however workers start."""

from __future__ import annotations

import json
import signal
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.harness import RUN_MODES

if TYPE_CHECKING:
    from tests.harness import Run, Suite

WORKER_MODES = RUN_MODES[1:]

# What happens, in which process. `events` writes with one system call, so lines of several processes do not mix.
EVENTS = """
import os

def note(what):
    file = os.open("events", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, f"{what} {os.getpid()}\\n".encode())
    os.close(file)
"""

SERVER = """
import os, pytest
from events import note

@pytest.fixture(scope="session")
def settings():
    note("settings-up")
    yield {"port": 1}
    note("settings-down")

@pytest.fixture(scope="session")
def server(settings):
    note("server-up")
    try:
        yield {"pid": os.getpid(), "port": settings["port"]}
    finally:
        note("server-down")

@pytest.fixture(scope="session")
def database(server):
    note("database-up")
    yield
    note("database-down")
"""


def write(suite: Suite, tests: str, conftest: str = SERVER, once: str = "server") -> None:
    """Write a suite in which a fixture is set up once."""
    suite.write({"events.py": EVENTS, "pytest.ini": f"[pytest]\nrustpar_once = {once}\nmarkers = slow\n"})
    suite.conftest(conftest)
    suite.test(tests)


def events(suite: Suite) -> list[str]:
    """What has happened, without the processes."""
    return [line.split()[0] for line in (suite.path / "events").read_text().splitlines()]


MANY = """
import pytest

@pytest.mark.parametrize("number", range(30))
def test_it(server, database, number):
    assert server["port"] == 1

def test_without():
    pass
"""


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
        assert sum("which is set up once per run, has failed: RuntimeError: no port" in line for line in run.lines) >= 5


@pytest.mark.parametrize("mode", RUN_MODES)
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


@pytest.mark.parametrize("mode", RUN_MODES)
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


@pytest.mark.parametrize("mode", RUN_MODES)
def test_each_parameter_is_set_up_once(suite: Suite, mode: str) -> None:
    write(
        suite,
        """
        import pytest

        @pytest.mark.parametrize("number", range(10))
        def test_it(client, number):
            assert client == "client of " + "ab"[0 if "a" in client[-1] else 1]
        """,
        """
        import pytest
        from events import note

        @pytest.fixture(scope="session", params=["a", "b"])
        def server(request):
            note(f"up-{request.param}")
            yield request.param
            note(f"down-{request.param}")

        @pytest.fixture
        def client(server):
            return f"client of {server}"
        """,
    )
    run = suite.run_in(mode, n="3")
    assert run.counts() == {"passed": 20}
    assert Counter(events(suite)) == {"up-a": 1, "up-b": 1, "down-a": 1, "down-b": 1}


@pytest.mark.parametrize("mode", WORKER_MODES)
def test_package_and_module_fixtures_are_set_up_once_each(suite: Suite, mode: str) -> None:
    files = {
        f"{name}/test_{name}.py": """
            import pytest
            from events import note

            @pytest.fixture(scope="module")
            def of_module(of_package):
                note("module-up")
                yield __name__
                note("module-down")

            @pytest.mark.parametrize("number", range(5))
            def test_it(of_module, number):
                assert of_module == __name__
            """
        for name in ("one", "two")
    }
    suite.write(files | {"one/__init__.py": "", "two/__init__.py": ""})
    write(
        suite,
        "",
        """
        import pytest
        from events import note

        @pytest.fixture(scope="package")
        def of_package():
            note("package-up")
            yield
            note("package-down")
        """,
        once="of_*",
    )
    run = suite.run_in(mode, n="3")
    assert run.counts() == {"passed": 10}
    # A fixture of package scope that is defined in the root belongs to each package.
    counts = Counter(events(suite))
    assert counts["module-up"] == counts["module-down"] == 2
    assert counts["package-up"] == counts["package-down"]


@pytest.mark.parametrize("mode", RUN_MODES)
@pytest.mark.parametrize(
    ("once", "is_once"),
    [
        ("serv*", True),
        ("other, server", True),
        ("conftest.py::server", True),
        ("sub/conftest.py::server", False),
        ("*/test_it.py::*", False),
    ],
)
def test_a_pattern_names_fixtures_or_files_and_fixtures(suite: Suite, mode: str, once: str, is_once: bool) -> None:
    write(suite, MANY, once=once)
    run = suite.run_in(mode, "--dist=each", "-k", "without or 0", n="2")
    assert run.ret == 0
    count = Counter(events(suite))
    assert count["server-up"] == count["server-down"] == (1 if is_once or mode == "plain" else 2)


def refused(run: Run, *parts: str) -> bool:
    """Whether the run was refused, with a line that has these parts and without a traceback."""
    (line,) = [line for line in (*run.lines, *run.err.splitlines()) if line.startswith("ERROR: ")]
    return run.ret == 4 and all(part in line for part in parts) and "Traceback" not in run.text


@pytest.mark.parametrize("mode", RUN_MODES[:-1])
@pytest.mark.parametrize(
    "conftest",
    [
        '@pytest.fixture(scope="session")\ndef server(worker_id): pass',
        '@pytest.fixture(scope="session")\ndef name(worker_id): pass\n'
        '@pytest.fixture(scope="session")\ndef server(name): pass',
    ],
)
def test_a_fixture_that_asks_for_the_worker_is_refused(suite: Suite, mode: str, conftest: str) -> None:
    write(suite, "def test_it(server): pass", f"import pytest\n{conftest}")
    run = suite.run_in(mode)
    assert refused(run, "rustpar_once: conftest.py::server asks for worker_id")


def test_the_workers_of_pytest_xdist_warn_instead(suite: Suite) -> None:
    write(
        suite,
        "def test_it(server): pass",
        "import pytest\n@pytest.fixture(scope='session')\ndef server(worker_id): pass",
    )
    run = suite.run("--rustpar-start=xdist")
    assert run.counts() == {"passed": 1, "warnings": 2}
    assert "PytestConfigWarning: rustpar_once: conftest.py::server asks for worker_id" in run.text


def test_a_fixture_that_asks_for_the_worker_while_it_is_set_up_is_refused(suite: Suite) -> None:
    write(
        suite,
        "def test_it(server): pass",
        """
        import pytest

        @pytest.fixture(scope="session")
        def server(request):
            try:
                yield request.getfixturevalue("worker_id")
            finally:
                open("torn-down", "w").close()
        """,
    )
    assert refused(suite.run("--rustpar-start=template"), "conftest.py::server asks for worker_id")
    assert (suite.path / "torn-down").exists()


@pytest.mark.parametrize("mode", RUN_MODES[:-1])
def test_a_fixture_with_function_scope_is_refused_if_it_is_named(suite: Suite, mode: str) -> None:
    conftest = "import pytest\n@pytest.fixture\ndef server(): pass"
    write(suite, "def test_it(server): pass", conftest)
    assert refused(suite.run_in(mode), "conftest.py::server has function scope")
    write(suite, "def test_it(server): pass", conftest, once="serv*")
    assert suite.run_in(mode).counts() == {"passed": 1}


UNSHAREABLE = {
    "thread": "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\nyield 1",
    "value of a socket": "import socket\nwith socket.socket() as found: yield {'socket': found}",
    "a socket": "import socket\nwith socket.create_server(('127.0.0.1', 0)): yield 1",
    "a lock": "import threading\nyield [threading.Lock()]",
    "an event loop": "import asyncio\nloop = asyncio.new_event_loop()\nyield 1\nloop.close()",
    "a pool": "import concurrent.futures\nyield concurrent.futures.ThreadPoolExecutor()",
    "a database connection": "import sqlite3\nyield sqlite3.connect(':memory:')",
}


@pytest.mark.parametrize("what", UNSHAREABLE)
def test_what_forks_cannot_share_is_refused(suite: Suite, what: str) -> None:
    body = "\n".join(f"    {line}" for line in UNSHAREABLE[what].splitlines())
    write(
        suite,
        "def test_it(server): pass",
        f'import pytest\n@pytest.fixture(scope="session")\ndef server():\n{body}\n    open("down", "w").close()\n',
    )
    run = suite.run("--rustpar-start=template")
    assert refused(
        run, "rustpar_once: conftest.py::server", what.removeprefix("value of "), "which workers cannot share"
    )
    assert (suite.path / "down").exists()


@pytest.mark.parametrize("mode", ["early", "xdist"])
def test_workers_that_collect_for_themselves_need_a_plain_value(suite: Suite, mode: str) -> None:
    write(
        suite,
        "import pytest\n@pytest.mark.parametrize('number', range(4))\ndef test_it(server, number): pass",
        """
        import pytest

        class Server:
            pass

        @pytest.fixture(scope="session")
        def server():
            yield Server()
            open("down", "w").close()
        """,
    )
    run = suite.run_in(mode)
    assert run.counts() == {"errors": 4}
    assert (
        "rustpar_once: conftest.py::server returns a conftest.Server, which cannot be sent to the other workers"
        in run.text
    )
    assert (suite.path / "down").exists()
    assert suite.run("--rustpar-start=template").counts() == {"passed": 4}


def test_output_logs_and_warnings_of_the_set_up_belong_to_the_first_test(suite: Suite) -> None:
    tests = """
        import pytest

        @pytest.mark.parametrize("number", range(4))
        def test_it(server, number):
            assert number

        def test_other(server):
            assert False
        """
    conftest = """
        import logging, sys, warnings
        import pytest

        @pytest.fixture(scope="session")
        def server():
            print("starting on standard output")
            print("starting on standard error", file=sys.stderr)
            logging.getLogger("server").warning("starting in the log")
            warnings.warn("an old server")
        """
    write(suite, tests, conftest)
    for mode in ("plain", "template"):
        run = suite.run_in(mode)
        assert run.counts() == {"passed": 3, "failed": 2, "warnings": 1}, mode
        assert run.text.count("starting on standard output") == 1
        assert run.text.count("starting on standard error") == 1
        assert run.text.count("starting in the log") == 1
        assert run.text.count("UserWarning: an old server") == 1
        begin = run.lines.index(run.line("starting on standard output"))
        assert "Captured stdout setup" in run.lines[begin - 1]


def test_temporary_directories_of_such_a_fixture_belong_to_the_run(suite: Suite) -> None:
    write(
        suite,
        """
        import pytest

        @pytest.mark.parametrize("number", range(6))
        def test_it(server, tmp_path_factory, tmp_path, number):
            assert server.joinpath("file").read_text() == "content"
            assert server.parent.parent == tmp_path_factory.getbasetemp().parent
            assert server.parent != tmp_path_factory.getbasetemp()
        """,
        """
        import pytest

        @pytest.fixture(scope="session")
        def server(tmp_path_factory):
            directory = tmp_path_factory.mktemp("data")
            directory.joinpath("file").write_text("content")
            return directory
        """,
    )
    run = suite.run("--rustpar-start=template", n="3")
    assert run.counts() == {"passed": 6}


def test_exit_functions_and_children_of_such_a_fixture_stay_with_the_process_that_has_set_it_up(suite: Suite) -> None:
    write(
        suite,
        """
        import os, pytest

        @pytest.mark.parametrize("number", range(6))
        def test_it(server, number):
            os.kill(server["pid"], 0)
            assert os.path.isdir(server["directory"])
        """,
        """
        import atexit, multiprocessing, subprocess, sys, tempfile
        import pytest
        from events import note

        @pytest.fixture(scope="session")
        def server():
            atexit.register(note, "exit-function")
            directory = tempfile.TemporaryDirectory()
            child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
            yield {"pid": child.pid, "directory": directory.name}
            child.communicate(b"\\n")
            note(f"child-{child.returncode}")
        """,
    )
    run = suite.run("--rustpar-start=template", n="3")
    assert run.counts() == {"passed": 6}, run.text
    assert Counter(events(suite)) == {"child-0": 1, "exit-function": 1}


def test_a_set_up_counts_in_durations_history_and_journal(suite: Suite) -> None:
    write(
        suite,
        "import pytest\n@pytest.mark.parametrize('number', range(4))\ndef test_it(server, number): pass",
        """
        import time
        import pytest

        @pytest.fixture(scope="session")
        def server():
            time.sleep(0.3)
        """,
    )
    files = ("--rustpar-journal=journal", "--rustpar-history=history")
    run = suite.run("--rustpar-start=template", "--durations=2", *files)
    assert run.counts() == {"passed": 4}
    assert run.line("s setup    ::server").startswith("0.3")
    assert '"once":true' in (suite.path / "journal").read_text()
    assert '"::server"' in (suite.path / "history").read_text()
    # Workers that collect for themselves: the time is part of a test's, or another one's who waits for it.
    run = suite.run("--rustpar-start=early", "--durations=2", *files)
    assert run.line("s setup    test_it.py::test_it[0]").startswith("0.3")
    assert run.line("set up once: server (3")
    history = json.loads((suite.path / "history").read_text())
    assert all(sum(filter(None, test["a"])) < 200_000 for test in history["tests"].values())


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


def test_plugins_see_the_fixture_as_set_up(suite: Suite) -> None:
    write(
        suite,
        """
        import pytest

        def test_first(server, request):
            assert request.getfixturevalue("server") is server

        def test_second(request):
            assert "server" not in request.fixturenames
            assert request.getfixturevalue("server")["port"] == 1

        @pytest.mark.usefixtures("server")
        class TestThird:
            def test_it(self):
                pass
        """,
    )
    run = suite.run("--rustpar-start=template")
    assert run.counts() == {"passed": 3}
    assert Counter(events(suite))["server-up"] == 1
