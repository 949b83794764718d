"""A client for the supplier's service, which retries requests after temporary failures."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

RETRIED = frozenset({429, 500, 502, 503, 504})
SAFE = frozenset({"GET", "HEAD", "PUT", "DELETE"})


@dataclass(frozen=True)
class Response:
    """A response of the service."""

    status: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class ServiceError(Exception):
    """The service refused a request, or did not recover in time."""

    def __init__(self, response: Response, attempts: int) -> None:
        """Keep the last response."""
        super().__init__(f"status {response.status} after {attempts} attempts")
        self.response, self.attempts = response, attempts


@dataclass
class Client:
    """Sends requests through ``transport``; after each failed attempt it pauses twice as long."""

    transport: Callable[[str, str], Response]
    attempts: int = 4
    first_pause: float = 0.1
    longest_pause: float = 5.0
    sleep: Callable[[float], None] = time.sleep

    def pause(self, attempt: int, response: Response) -> float:
        """Return the pause after attempt number ``attempt``, from 0; the service may request a longer one."""
        asked = response.headers.get("Retry-After", "")
        own = self.first_pause * 2**attempt
        return min(float(asked) if asked else own, self.longest_pause)

    def request(self, method: str, path: str) -> Response:
        """Send a request until it succeeds, fails permanently, or has reached the limit of attempts."""
        for attempt in range(self.attempts):
            response = self.transport(method, path)
            if response.status < 400:
                return response
            again = response.status in RETRIED and (method in SAFE or response.status == 429)
            if not again or attempt + 1 == self.attempts:
                raise ServiceError(response, attempt + 1)
            self.sleep(self.pause(attempt, response))
        raise ValueError("a client needs at least one attempt")

    def stock(self, isbn: str) -> int:
        """Ask how many copies the supplier has."""
        return int(self.request("GET", f"/stock/{isbn}").body)

    def order(self, isbn: str, copies: int) -> str:
        """Order copies; returns the supplier's order number."""
        return self.request("POST", f"/orders/{isbn}?copies={copies}").body
