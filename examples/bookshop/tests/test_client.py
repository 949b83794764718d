"""The supplier's client with a slow service: these tests mostly wait."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from bookshop.client import RETRIED, SAFE, Client, Response, ServiceError

pytestmark = pytest.mark.io
LATENCY = 0.003
PAUSE = 0.005


@dataclass
class Service:
    """Returns prepared answers, each after a delay; the last answer is repeated."""

    answers: list[Response]
    latency: float = LATENCY
    requests: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, method: str, path: str) -> Response:
        """Answer one request."""
        time.sleep(self.latency)
        self.requests.append((method, path))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def client_of(service: Service, **settings: int | float) -> Client:
    """Make a client with short pauses."""
    return Client(service, first_pause=PAUSE, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", sorted(RETRIED))
class TestRecovery:
    @pytest.mark.parametrize("failures", [0, 1, 2, 3])
    @pytest.mark.parametrize("method", sorted(SAFE))
    def test_a_safe_request_is_repeated_until_it_succeeds(
        self, method: str, failures: int, status: int
    ) -> None:
        service = Service([Response(status)] * failures + [Response(200, "fine")])
        assert client_of(service).request(method, "/stock/1").body == "fine"
        assert len(service.requests) == failures + 1

    @pytest.mark.parametrize("attempts", [1, 2, 3])
    def test_the_client_gives_up_after_the_maximum_of_attempts(self, attempts: int, status: int) -> None:
        service = Service([Response(status)])
        with pytest.raises(ServiceError, match=f"status {status} after {attempts} attempts"):
            client_of(service, attempts=attempts).request("GET", "/stock/1")

    def test_an_order_is_repeated_only_when_it_was_certainly_not_taken(self, status: int) -> None:
        service = Service([Response(status), Response(201, "4711")])
        if status == 429:
            assert client_of(service).order("isbn", 2) == "4711"
        else:
            with pytest.raises(ServiceError, match="after 1 attempts"):
                client_of(service).order("isbn", 2)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 422])
@pytest.mark.parametrize("method", [*sorted(SAFE), "POST"])
def test_a_refusal_is_final(method: str, status: int) -> None:
    service = Service([Response(status)])
    with pytest.raises(ServiceError, match=f"status {status} after 1 attempts"):
        client_of(service).request(method, "/stock/1")


@pytest.mark.parametrize("attempt", range(10))
def test_each_pause_is_twice_the_last_up_to_a_limit(attempt: int) -> None:
    assert Client(Service([])).pause(attempt, Response(503)) == min(0.1 * 2**attempt, 5.0)


@pytest.mark.parametrize("seconds", [0, 0.01, 0.05])
def test_a_pause_that_the_service_requests_is_respected(seconds: float) -> None:
    service = Service([Response(429, headers={"Retry-After": str(seconds)}), Response(200)])
    start = time.monotonic()
    client_of(service).request("GET", "/")
    assert time.monotonic() - start >= seconds + 2 * LATENCY


@pytest.fixture(scope="module")
def supplier() -> Iterator[Service]:
    """A supplier's service that takes a while to start and stop."""
    time.sleep(0.1)
    yield Service([Response(200, "12")], latency=0.005)
    time.sleep(0.1)


@pytest.mark.parametrize("number", range(100))
def test_the_supplier_reports_its_stock(supplier: Service, number: int) -> None:
    assert Client(supplier).stock(f"isbn {number}") == 12
    assert supplier.requests[-1] == ("GET", f"/stock/isbn {number}")
