"""Suites with a fixture that is set up once, and what happens in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.harness import RUN_MODES

if TYPE_CHECKING:
    from tests.harness import Suite

WORKER_MODES = RUN_MODES[1:]

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

MANY = """
import pytest

@pytest.mark.parametrize("number", range(30))
def test_it(server, database, number):
    assert server["port"] == 1

def test_without():
    pass
"""

MANY_TESTS = """
import pytest

@pytest.mark.parametrize("number", range(6))
def test_it(server, number):
    pass
"""


def write(suite: Suite, tests: str, conftest: str = SERVER, once: str = "server") -> None:
    """Write a suite in which a fixture is set up once."""
    suite.write({"events.py": EVENTS, "pytest.ini": f"[pytest]\nrustpar_once = {once}\nmarkers = slow\n"})
    suite.conftest(conftest)
    suite.test(tests)


def events(suite: Suite) -> list[str]:
    """What has happened, without the processes."""
    return [line.split()[0] for line in (suite.path / "events").read_text().splitlines()]
