"""The same users as load tests."""

from __future__ import annotations

import http.client
import os
from typing import TYPE_CHECKING

import pytest
import requests

if TYPE_CHECKING:
    from collections.abc import Iterator

PORT = int(os.environ["LOAD_PORT"])

users = pytest.mark.load(
    users=int(os.environ["LOAD_USERS"]), duration=os.environ["LOAD_TIME"], think=float(os.environ["LOAD_PAUSE"])
)


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """Return a session as Locust configures it."""
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture
def connection() -> Iterator[http.client.HTTPConnection]:
    """Return a connection."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT)
    yield connection
    connection.close()


@users
def test_requests(session: requests.Session) -> None:
    """Make a request with requests."""
    assert session.get(f"http://127.0.0.1:{PORT}/").status_code == 200


@users
def test_standard(connection: http.client.HTTPConnection) -> None:
    """Make a request with the standard library."""
    connection.request("GET", "/")
    response = connection.getresponse()
    response.read()
    assert response.status == 200
