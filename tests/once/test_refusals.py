"""Which fixtures are set up once per run: patterns, and what is refused."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.once.suites import MANY, events, write

if TYPE_CHECKING:
    from tests.harness import Run, Suite


def refused(run: Run, *parts: str) -> bool:
    """Whether the run was refused, with a line that has these parts and without a traceback."""
    (line,) = [line for line in (*run.lines, *run.err.splitlines()) if line.startswith("ERROR: ")]
    return run.ret == 4 and all(part in line for part in parts) and "Traceback" not in run.text


UNSHAREABLE = {
    "thread": "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\nyield 1",
    "value of a socket": "import socket\nwith socket.socket() as found: yield {'socket': found}",
    "a socket": "import socket\nwith socket.create_server(('127.0.0.1', 0)): yield 1",
    "a lock": "import threading\nyield [threading.Lock()]",
    "an event loop": "import asyncio\nloop = asyncio.new_event_loop()\nyield 1\nloop.close()",
    "a pool": "import concurrent.futures\nyield concurrent.futures.ThreadPoolExecutor()",
    "a database connection": "import sqlite3\nyield sqlite3.connect(':memory:')",
}


@pytest.mark.parametrize("mode", ["template"])
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
    assert count["server-up"] == count["server-down"] == (1 if is_once else 2)


@pytest.mark.parametrize("mode", ["plain", "template"])
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


@pytest.mark.parametrize("mode", ["plain", "early"])
def test_a_fixture_with_function_scope_is_refused_if_it_is_named(suite: Suite, mode: str) -> None:
    conftest = "import pytest\n@pytest.fixture\ndef server(): pass"
    write(suite, "def test_it(server): pass", conftest)
    assert refused(suite.run_in(mode), "conftest.py::server has function scope")
    write(suite, "def test_it(server): pass", conftest, once="serv*")
    assert suite.run_in(mode).counts() == {"passed": 1}


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


@pytest.mark.parametrize("mode", ["plain", "template"])
def test_an_automatic_fixture_has_to_be_asked_for(suite: Suite, mode: str) -> None:
    conftest = """
        import os
        import pytest

        @pytest.fixture(scope="session", autouse=True)
        def environment():
            os.environ["APP_MODE"] = "test"

        @pytest.fixture(scope="session")
        def server():
            return os.environ.get("APP_MODE", "production")
        """
    tests = "def test_it(server): assert server == 'test'\ndef test_other(server): assert server == 'test'"
    write(suite, tests, conftest)
    assert refused(suite.run_in(mode), "conftest.py::server would be set up before conftest.py::environment")
    write(suite, tests, conftest.replace("def server()", "def server(environment)"))
    assert suite.run_in(mode).counts() == {"passed": 2}


def test_a_pattern_that_matches_nothing_is_warned_about(suite: Suite) -> None:
    write(suite, MANY, once="sevrer, server")
    run = suite.run("--rustpar-start=template")
    assert run.counts()["warnings"] == 1
    assert "PytestConfigWarning: rustpar_once: no fixture matches 'sevrer'" in run.text
    # Another selection may have other fixtures.
    assert "warnings" not in suite.run("--rustpar-start=template", "test_it.py").counts()
