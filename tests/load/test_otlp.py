"""``--rustpar-load-otlp``: figures of load tests for an OpenTelemetry collector."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

from tests.load.server import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness import Run, Suite
    from tests.load.server import Server

pytest.importorskip("opentelemetry.exporter.otlp.proto.http")

# The sessions that install OpenTelemetry also install plugins that change how tests run.
ENVIRONMENT = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}

LOAD = """
    import pytest

    @pytest.mark.load(users=2, duration="1500ms", think="20ms", thresholds="error_rate<100%")
    def test_it(load):
        with load.step("first"):
            pass
        load.counter("bytes").add(10)
        load.gauge("depth").add(7)
        load.trend("items").add(2.5)
        load.rate("hit").add(load.iteration % 2)
"""


@pytest.fixture
def collector() -> Iterator[Server]:
    with serving() as server:
        yield server


def run(suite: Suite, *args: str, **environment: str) -> Run:
    return suite.run_with(ENVIRONMENT | environment, "-p", "xdist", "-p", "rustpar", "--rustpar-load", *args)


def points(collector: Server) -> dict[tuple[str, str, str], list[Any]]:
    """Return the data points that arrived, by the metric of OpenTelemetry, that of the load test, and quantile."""
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    found: dict[tuple[str, str, str], list[Any]] = {}
    for asked in collector.asked:
        for resource in ExportMetricsServiceRequest.FromString(asked.body).resource_metrics:
            for metric in resource.scope_metrics[0].metrics:
                for point in (metric.sum if metric.HasField("sum") else metric.gauge).data_points:
                    attributes = {one.key: one.value.string_value for one in point.attributes}
                    assert attributes["test"] == "test_it.py::test_it"
                    key = (metric.name, attributes.get("metric", ""), attributes.get("quantile", ""))
                    found.setdefault(key, []).append(point)
    return found


def value(point: Any) -> float:
    number: float = getattr(point, point.WhichOneof("value"))
    return number


def services(collector: Server) -> set[str]:
    """Return the names of the services that sent something."""
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    return {
        attribute.value.string_value
        for asked in collector.asked
        for resource in ExportMetricsServiceRequest.FromString(asked.body).resource_metrics
        for attribute in resource.resource.attributes
        if attribute.key == "service.name"
    }


def test_each_second_is_sent(suite: Suite, collector: Server) -> None:
    suite.test(LOAD)
    ended = run(suite, f"--rustpar-load-otlp={collector.url}")
    assert ended.counts() == {"passed": 1}, ended.text
    assert "OTLP" not in ended.text
    assert collector.lines() == {"POST /v1/metrics"}
    assert services(collector) == {"pytest-rustpar"}
    found = points(collector)
    assert {key[0] for key in found} == {
        f"rustpar.load.{name}"
        for name in (
            *("users", "target", "iterations", "started", "dropped"),
            *("count", "failed", "duration", "sum", "value"),
        )
    }
    assert {key[2] for key in found if key[0] == "rustpar.load.duration"} == {"0.5", "0.95", "0.99", "1"}
    assert {key[1] for key in found if key[0] == "rustpar.load.duration"} == {"iteration", "first"}
    names = {"iteration", "first", "bytes", "depth", "items", "hit"}
    assert {key[1] for key in found if key[0] == "rustpar.load.count"} == names
    iterations = [value(point) for point in found["rustpar.load.iterations", "", ""]]
    assert len(iterations) == 2
    assert 0 < iterations[0] < iterations[1]
    assert [value(point) for point in found["rustpar.load.sum", "bytes", ""]] == [10 * count for count in iterations]
    assert {value(point) for point in found["rustpar.load.value", "depth", ""]} == {7}
    (target,) = {value(point) for point in found["rustpar.load.target", "", ""]}
    assert target == 2


def test_the_variables_of_opentelemetry_are_used(suite: Suite, collector: Server) -> None:
    suite.test(LOAD)
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_HEADERS": "x-key=secret",
        "OTEL_SERVICE_NAME": "shop",
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta",
    }
    ended = run(suite, "--rustpar-load-otlp", **variables)
    assert ended.counts() == {"passed": 1}, ended.text
    assert {asked.headers.get("x-key") for asked in collector.asked} == {"secret"}
    assert services(collector) == {"shop"}
    found = points(collector)
    first, second = found["rustpar.load.count", "bytes", ""]
    assert second.start_time_unix_nano == first.time_unix_nano
    assert [value(point) for point in found["rustpar.load.sum", "bytes", ""]] == [10 * value(first), 10 * value(second)]


def test_a_collector_that_is_not_there_is_one_line(suite: Suite) -> None:
    suite.test(LOAD)
    ended = run(suite, "--rustpar-load-otlp=http://user:password@127.0.0.1:1")
    assert ended.counts() == {"passed": 1}
    line = ended.line("OTLP: ")
    assert "2 of 2 seconds could not be sent to http://127.0.0.1:1/v1/metrics: " in line
    assert "refused" in line
    assert "password" not in ended.text
    assert ended.err == ""


def test_a_collector_that_does_not_answer_does_not_hold_the_run_up(suite: Suite) -> None:
    suite.test(LOAD)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        ended = run(suite, f"--rustpar-load-otlp=http://127.0.0.1:{silent.getsockname()[1]}")
    assert ended.counts() == {"passed": 1}
    assert ended.line("2 of 2 seconds could not be sent")
    assert ended.err == ""


def test_a_collector_that_refuses_is_one_line(suite: Suite, collector: Server) -> None:
    suite.test(LOAD)
    ended = run(suite, f"--rustpar-load-otlp={collector.url}/status/404")
    assert ended.counts() == {"passed": 1}
    assert "404" in ended.line("2 of 2 seconds could not be sent")


def test_a_missing_package_is_named(suite: Suite) -> None:
    suite.test(LOAD)
    suite.write({"blocked.py": "import sys\nsys.modules['opentelemetry'] = None\n"})
    ended = run(suite, "-p", "blocked", "--rustpar-load-otlp")
    assert ended.ret == pytest.ExitCode.USAGE_ERROR
    assert "pip install pytest-rustpar[otel]" in ended.err


def test_something_else_than_a_url_is_refused(suite: Suite) -> None:
    suite.test(LOAD)
    ended = run(suite, "--rustpar-load-otlp", "test_it.py")
    assert ended.ret == pytest.ExitCode.USAGE_ERROR
    assert "invalid URL 'test_it.py': expected for example http://localhost:4318" in ended.err
