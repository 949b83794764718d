"""``rustpar report --load-json`` and ``--load-csv``."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

from tests.reportfiles import output_of

if TYPE_CHECKING:
    from tests.harness import Suite

LOAD = """
    import pytest

    @pytest.mark.load(users=2, duration="1500ms", think="50ms", thresholds="count>0, bytes:count>0")
    @pytest.mark.parametrize("page", ['a,"b"'])
    def test_it(load, page):
        with load.step("first"):
            pass
        load.counter("bytes").add(10)
        load.trend("items").add(2.5)
        load.check("fine", load.iteration < 100)
"""


def test_load_tests_are_exported_as_json(suite: Suite) -> None:
    suite.test(LOAD)
    assert suite.run("--rustpar-load").ret == 0
    document = json.loads(output_of(suite, "report", "--load-json=-"))
    assert (document["format"], document["version"]) == ("rustpar-load", 1)
    (test,) = document["load_tests"]
    assert test["test"] == """test_it.py::test_it[a,"b"]"""
    result = test["result"]
    assert (result["passed"], result["users"], result["processes"]) == (True, 2, 2)
    assert [(one["threshold"], one["passed"]) for one in result["thresholds"]] == [
        ("count>0", True),
        ("bytes:count>0", True),
    ]
    metrics = {metric["metric"]: metric for metric in result["metrics"]}
    assert {name: metric["kind"] for name, metric in metrics.items()} == {
        "iteration": "time",
        "first": "time",
        "bytes": "counter",
        "items": "trend",
        "fine": "check",
    }
    assert metrics["iteration"]["durations_us"]["max"] > 0
    assert metrics["items"]["numbers"]["max"] == 2.5
    assert metrics["bytes"]["value"] == 10 * result["iterations"]
    assert [second["second"] for second in test["seconds"]] == list(range(1, len(test["seconds"]) + 1))
    for second in test["seconds"]:
        of_second = {metric["metric"]: metric for metric in second["metrics"]}
        assert of_second["bytes"]["value"] == 10 * of_second["bytes"]["count"]
        assert second["target"] == 2


def test_the_seconds_of_load_tests_are_exported_as_csv(suite: Suite) -> None:
    suite.test(LOAD)
    assert suite.run("--rustpar-load").ret == 0
    output_of(suite, "report", "--load-csv=load.csv", "--load-json=load.json")
    text = (suite.path / "load.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text), strict=True))
    assert {row["test"] for row in rows} == {"""test_it.py::test_it[a,"b"]"""}
    assert {row["metric"] for row in rows} == {"iteration", "first", "bytes", "items", "fine"}
    iterations = [row for row in rows if row["metric"] == "iteration"]
    assert [row["second"] for row in iterations] == [str(number + 1) for number in range(len(iterations))]
    document = json.loads((suite.path / "load.json").read_text(encoding="utf-8"))
    seconds = document["load_tests"][0]["seconds"]
    assert [int(row["started"]) for row in iterations] == [second["started"] for second in seconds]
    assert all(row["users"] and row["target"] and row["started"] for row in iterations)
    assert all(int(row["value"]) == 10 * int(row["count"]) for row in rows if row["metric"] == "bytes")
    assert all(bool(row["p50_us"]) == (row["metric"] in ("iteration", "first")) for row in rows)


def test_a_run_without_load_tests_has_no_rows(suite: Suite) -> None:
    suite.test("def test_it(): pass\n")
    suite.run()
    assert len(output_of(suite, "report", "--load-csv=-").splitlines()) == 1
