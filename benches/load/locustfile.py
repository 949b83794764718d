"""Locust's users: with requests, as is usual, and with the standard library's client."""

from __future__ import annotations

import http.client
import os
import time

from locust import HttpUser, User, constant, task

PORT = int(os.environ["LOAD_PORT"])
PAUSE = float(os.environ["LOAD_PAUSE"])


class Requests(HttpUser):
    """Locust's own client, which is one of requests."""

    host = f"http://127.0.0.1:{PORT}"
    wait_time = constant(PAUSE)

    @task
    def get(self) -> None:
        """Make a request."""
        assert self.client.get("/").status_code == 200


class Standard(User):
    """A client of the standard library, measured as Locust's documentation shows."""

    wait_time = constant(PAUSE)

    def on_start(self) -> None:
        """Make a connection."""
        self.connection = http.client.HTTPConnection("127.0.0.1", PORT)

    @task
    def get(self) -> None:
        """Make a request."""
        begin = time.perf_counter()
        self.connection.request("GET", "/")
        response = self.connection.getresponse()
        body = response.read()
        self.environment.events.request.fire(
            request_type="GET",
            name="/",
            response_time=(time.perf_counter() - begin) * 1000,
            response_length=len(body),
            exception=None,
            context={},
        )
        assert response.status == 200
