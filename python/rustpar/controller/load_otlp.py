"""Sends the figures of load tests to an OpenTelemetry collector, each second, with OTLP over HTTP.

The hazard it handles: a collector can be slow or missing, and neither the load test nor its result may depend on it. A
thread sends, what it could not send is given up, and one line of the summary says so.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import re
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rustpar import _core

# Seconds for one request, with its retries, unless OpenTelemetry's variables say otherwise.
_TIMEOUT = 2.0

# Seconds for which the end of the run waits for what is left to send: for one request and one more.
_END_LIMIT = 4.0

_TIMEOUT_VARIABLES = ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")
_TEMPORALITY_VARIABLE = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
_PATH = "/v1/metrics"

# The metrics, with their units.
_SUMS = {
    "rustpar.load.iterations": "{iteration}",
    "rustpar.load.started": "{iteration}",
    "rustpar.load.dropped": "{iteration}",
    "rustpar.load.count": "1",
    "rustpar.load.failed": "1",
    "rustpar.load.sum": "1",
}
_GAUGES = {
    "rustpar.load.users": "{user}",
    "rustpar.load.target": "1",
    "rustpar.load.duration": "s",
    "rustpar.load.value": "1",
}

_QUANTILES = ("0.5", "0.95", "0.99", "1")

# A text of OpenTelemetry can be long, and repeat the text of an error of the operating system several times.
_MOST_LETTERS = 200
_SYSTEM_ERROR = re.compile(r"\[Errno -?\d+\] ([^\"')\]]+)")

_Values = list[tuple["str | None", str, int, int, "tuple[int, int, int, int] | None", "float | None"]]
_Attributes = tuple[tuple[str, str], ...]


def check(config: pytest.Config) -> None:
    """Check that figures can be sent, if they are to be.

    Raises:
        pytest.UsageError: A package is missing.
    """
    if config.getoption("rustpar_load_otlp", None) is None:
        return
    try:
        import opentelemetry.exporter.otlp.proto.http.metric_exporter
        import opentelemetry.sdk.metrics.export  # noqa: F401
    except ImportError as error:
        raise pytest.UsageError(
            f"--rustpar-load-otlp needs OpenTelemetry: pip install pytest-rustpar[otel] ({error})"
        ) from None


def exporter_of(config: pytest.Config) -> OtlpExport | None:
    """Return what sends the figures of this run; None if nothing is to be sent."""
    url: str | None = config.getoption("rustpar_load_otlp", None)
    return None if url is None else OtlpExport(endpoint_of(url, os.environ))


def endpoint_of(url: str, variables: Mapping[str, str]) -> str:
    """Return where metrics are sent.

    Args:
        url: That of the collector, or with a path that of its metrics; empty for that of OpenTelemetry's variables.
        variables: The environment.
    """
    of_metrics = variables.get("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")
    if not url and of_metrics:
        return of_metrics
    base = url or variables.get("OTEL_EXPORTER_OTLP_ENDPOINT") or "http://localhost:4318"
    if url and urlsplit(url).path not in ("", "/"):
        return url
    return base.removesuffix("/") + _PATH


class OtlpExport:
    """Sends the seconds of load tests."""

    def __init__(self, endpoint: str) -> None:
        """Send to this URL, from the first second on."""
        self._endpoint = endpoint
        self._queue: queue.SimpleQueue[tuple[int, str, _Values, Any] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._given = 0
        self._sent = 0
        self._reason = ""
        self._exporter: Any = None

    def send(self, node_id: str, seconds: _core.LoadSeconds) -> None:
        """Send a second, soon."""
        self._given += 1
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="load-otlp", daemon=True)
            try:
                self._thread.start()
            except RuntimeError as error:
                self._reason = str(error)
        if self._thread.ident is not None:
            self._queue.put((time.time_ns(), node_id, seconds.values(), seconds.level()))

    def close(self) -> None:
        """Wait a little for what is left to send."""
        if self._thread is None or self._thread.ident is None:
            return
        self._queue.put(None)
        try:
            self._thread.join(_END_LIMIT)
            if self._thread.is_alive() and self._exporter is not None:
                self._exporter.shutdown()
                self._thread.join(_END_LIMIT / 4)
        except KeyboardInterrupt:
            self._reason = self._reason or "interrupted"

    def problem(self) -> str | None:
        """Return the line about seconds that were not sent, if there are any."""
        if self._sent == self._given:
            return None
        lost = f"{self._given - self._sent} of {self._given} seconds"
        reason = self._reason or f"no answer within {_END_LIMIT:g} s"
        return f"OTLP: {lost} could not be sent to {_without_password(self._endpoint)}: {reason}"

    def _serve(self) -> None:
        with _captured_log() as messages:
            try:
                self._exporter = exporter = _exporter(self._endpoint)
                series = _Series()
            except Exception as error:
                self._reason = f"{type(error).__name__}: {error}"
                return
            for batch in self._batches():
                messages.clear()
                try:
                    has_sent = exporter.export(series.metrics(batch)).name == "SUCCESS"
                except Exception as error:
                    has_sent = False
                    messages.append(f"{type(error).__name__}: {error}")
                if has_sent:
                    self._sent += len(batch)
                elif messages:
                    self._reason = messages[0]
            exporter.shutdown()

    def _batches(self) -> Iterator[list[tuple[int, str, _Values, Any]]]:
        """Yield what has been given since the last time, until the end."""
        is_open = True
        while is_open:
            batch = [self._queue.get()]
            while not self._queue.empty():
                batch.append(self._queue.get())
            is_open = batch[-1] is not None
            seconds = [second for second in batch if second is not None]
            if seconds:
                yield seconds


class _Series:
    """Makes OpenTelemetry's metrics; sums are cumulative, as Prometheus needs them, or as a variable asks."""

    def __init__(self) -> None:
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource

        self._resource = Resource({"service.name": "pytest-rustpar"}).merge(OTELResourceDetector().detect())
        self._is_delta = os.environ.get(_TEMPORALITY_VARIABLE, "").strip().lower() == "delta"
        self._sums: dict[tuple[str, _Attributes], float] = {}
        self._times: dict[tuple[str, _Attributes], int] = {}
        # When each test began.
        self._began: dict[str, int] = {}

    def metrics(self, batch: list[tuple[int, str, _Values, Any]]) -> Any:
        from opentelemetry.sdk.metrics import export
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope

        points: dict[str, list[export.NumberDataPoint]] = {}
        for at, test, values, level in batch:
            self._began.setdefault(test, at - 1_000_000_000)
            for name, attributes, value in _figures(test, values, level):
                point = self._point(name, attributes, value, at, self._began[test])
                points.setdefault(name, []).append(point)
        kind = export.AggregationTemporality.DELTA if self._is_delta else export.AggregationTemporality.CUMULATIVE
        metrics = [
            export.Metric(
                name=name,
                description="",
                unit=_SUMS.get(name) or _GAUGES[name],
                data=export.Sum(of_name, kind, is_monotonic=True) if name in _SUMS else export.Gauge(of_name),
            )
            for name, of_name in points.items()
        ]
        scope = export.ScopeMetrics(InstrumentationScope("pytest-rustpar"), metrics, "")
        return export.MetricsData([export.ResourceMetrics(self._resource, [scope], "")])

    def _point(self, name: str, attributes: _Attributes, value: float, at: int, began: int) -> Any:
        from opentelemetry.sdk.metrics.export import NumberDataPoint

        start = began
        key = (name, attributes)
        if name in _SUMS and self._is_delta:
            start = self._times.get(key, began)
            self._times[key] = at
        elif name in _SUMS:
            value = self._sums[key] = self._sums.get(key, 0) + value
        return NumberDataPoint(dict(attributes), start, at, value)


def _figures(test: str, values: _Values, level: Any) -> Iterator[tuple[str, _Attributes, float]]:
    of_test: _Attributes = (("test", test),)
    if level is not None:
        users, target, started, dropped = level
        yield "rustpar.load.users", of_test, users
        yield "rustpar.load.target", of_test, target
        yield "rustpar.load.started", of_test, started
        yield "rustpar.load.dropped", of_test, dropped
    for name, kind, count, failed, took, number in values:
        attributes: _Attributes = (*of_test, ("metric", "iteration" if name is None else name))
        if name is None:
            yield "rustpar.load.iterations", of_test, count
        yield "rustpar.load.count", attributes, count
        if kind in ("time", "rate", "check"):
            yield "rustpar.load.failed", attributes, failed
        if kind == "time" and took is not None:
            for quantile, micros in zip(_QUANTILES, took, strict=True):
                yield "rustpar.load.duration", (*attributes, ("quantile", quantile)), micros / 1e6
        if number is not None:
            yield f"rustpar.load.{'sum' if kind == 'counter' else 'value'}", attributes, number


def _exporter(endpoint: str) -> Any:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    is_set = any(os.environ.get(name) for name in _TIMEOUT_VARIABLES)
    # An integer, as older versions want it.
    return OTLPMetricExporter(endpoint=endpoint, timeout=None if is_set else int(_TIMEOUT))


class _Messages(logging.Handler):
    """Keeps what OpenTelemetry logs, which would otherwise appear in the output of the run."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = " ".join(record.getMessage().split())
        error = _SYSTEM_ERROR.search(text)
        if error is not None:
            text = error[1]
        self.texts.append(text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS - 3]}...")


@contextlib.contextmanager
def _captured_log() -> Iterator[list[str]]:
    handler = _Messages()
    loggers = [logging.getLogger(name) for name in ("opentelemetry", "urllib3")]
    before = [logger.propagate for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.propagate = False
    try:
        yield handler.texts
    finally:
        for logger, propagate in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.propagate = propagate


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
