"""Generated load tests for the timeline page, deterministic for given arguments, in the format of its data."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Any

from tests.browser.rundata import STARTED, a_run

if TYPE_CHECKING:
    from tests.browser.rundata import Data

STEPS = ("iteration", "log in", "search", "size of the answer")
PERCENTILES = ("p50", "p95", "p99")
# Median of each metric: seconds, and bytes.
MEDIANS = (0.05, 0.02, 0.03, 2400.0)


def _curves(seconds: int, factor: float, saturated: range, dice: random.Random) -> Data:
    """Return curves that ramp up, hold and ramp down; with a second in which nothing has ended."""
    points = range(seconds)
    users = [max(1, round(50 * min(1, 3 * (point + 1) / seconds, 3 * (seconds - point) / seconds))) for point in points]
    started = [round(20 * number * dice.uniform(0.9, 1.1)) for number in users]
    series = []
    for name, median in zip(STEPS, MEDIANS, strict=True):
        level = [median * factor * (1 + number / 40) * dice.uniform(0.9, 1.1) for number in users]
        one: Data = {
            "name": name,
            "is_time": median < 1,
            "n": list(started),
            "failed": [int(0.01 * number * dice.uniform(0, 2)) for number in started] if median < 1 else [0] * seconds,
            "p50": [round(value, 6) for value in level],
            "p95": [round(value * dice.uniform(1.8, 2.2), 6) for value in level],
            "p99": [round(value * dice.uniform(2.5, 4.5), 6) for value in level],
        }
        for column in PERCENTILES:
            one[column][seconds // 2] = None
        one["n"][seconds // 2] = one["failed"][seconds // 2] = 0
        series.append(one)
    return {
        "every": 1,
        "at": [point + 1.0 for point in points],
        "users": users,
        "target": [float(number) for number in users],
        "started": started,
        "dropped": [3 if point in saturated else 0 for point in points],
        "lag": [0.08 if point in saturated else 0.0004 for point in points],
        "cpu": [99.0 if point in saturated else 45.0 for point in points],
        "saturated": list(saturated),
        "series": series,
    }


def _metric(series: Data, kind: str) -> Data:
    known = [value for value in series["p50"] if value is not None]
    highest = [max(value for value in series[name] if value is not None) for name in PERCENTILES]
    average = sum(known) / len(known)
    values = [average, min(known) / 4, *(average * factor for factor in (0.9, 1.6, 2, 3)), highest[-1]]
    return {
        "name": series["name"],
        "kind": kind,
        "count": sum(series["n"]),
        "part": sum(series["failed"]),
        "value": None,
        "values": values,
        "intended": [value * 1.5 for value in values] if series["name"] == "iteration" else None,
    }


def _simple(name: str, kind: str, count: int, part: int = 0, value: float | None = None) -> Data:
    none = {"values": None, "intended": None}
    return {"name": name, "kind": kind, "count": count, "part": part, "value": value, **none}


def measured(seconds: int, factor: float = 1, saturated: range = range(0), seed: int = 0) -> Data:
    """Return what a load test has measured; durations grow with the factor."""
    curves = _curves(seconds, factor, saturated, random.Random(f"{seconds} {factor} {seed}"))
    iterations = curves["series"][0]
    kinds = ["time" if one["is_time"] else "trend" for one in curves["series"]]
    count = sum(iterations["n"])
    return {
        "seconds": float(seconds),
        "users": 50,
        "generators": 2,
        "iterations": count,
        "failed": sum(iterations["failed"]),
        "dropped": sum(curves["dropped"]),
        "metrics": [
            *(_metric(series, kind) for series, kind in zip(curves["series"], kinds, strict=True)),
            _simple("status is 200", "check", count, count - 3),
            _simple("orders", "counter", 90, value=1234.5),
        ],
        "curves": curves,
    }


def a_load_test(seconds: int = 20, *, earlier: bool = True, saturated: range = range(0), **more: Any) -> Data:
    """Return a load test of the closed model, by default with the same one in an earlier run, which was slower."""
    before = {"run": "51c09e", "started": STARTED - 86_400, **measured(seconds, 1.25, seed=1)}
    return {
        "id": "tests/load/test_shop.py::test_buys",
        "run": "",
        "start": 0.25,
        "end": "complete",
        "why": "",
        "planned": float(seconds),
        "model": "closed",
        "plan": f"up to 50 users in 3 stages for {seconds}.0 s",
        "interrupted": 0,
        "saturated": f"a process used 99 % of a CPU in {len(saturated)} of {seconds} seconds" if saturated else "",
        "remark": "",
        "thresholds": [
            {"text": "p(95)<500ms", "value": "201 ms", "broken": False},
            {"text": "error_rate<0.5%", "value": "0.97 %", "broken": True},
            {"text": "search:p(99)<1s", "value": "300 ms"},
        ],
        "problems": ["error_rate<0.5% is exceeded: 0.97 %"],
        **measured(seconds, saturated=saturated),
        "before": before if earlier else None,
        **more,
    }


def a_load_run(*tests: Data) -> Data:
    """Return a run with these load tests."""
    seconds = sum(math.ceil(test["seconds"]) for test in tests)
    data = a_run(3, 2)
    data["run"]["seconds"] = seconds + 1.0
    return {**data, "load": list(tests)}
