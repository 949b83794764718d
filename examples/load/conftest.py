"""Fixtures of the shop's tests: one server, and a client that is logged in for each test or virtual user."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


class Client:
    """A client with one connection."""

    def __init__(self, address: str) -> None:
        """Connect to the shop."""
        self._connection = http.client.HTTPConnection(address)

    def request(self, method: str, path: str, **body: object) -> tuple[int, dict[str, object]]:
        """Return status and body of the answer."""
        self._connection.request(method, path, json.dumps(body) if body else None)
        response = self._connection.getresponse()
        return response.status, json.loads(response.read())

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Start the shop; return its address."""
    command = [sys.executable, str(Path(__file__).with_name("shop_server.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


@pytest.fixture
def client(server: str) -> Iterator[Client]:
    """Return a client that is logged in."""
    client = Client(server)
    status, _ = client.request("POST", "/login")
    assert status == 200
    yield client
    client.close()
