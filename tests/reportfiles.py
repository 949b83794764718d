"""Functions for tests of reports: running the commands, reading journals, and validating the formats.

Each format is validated with its schema in ``schemas/`` if there is one, otherwise by the rules of its specification.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
from lxml import etree

from tests.harness import RUN_LIMIT
from tests.journals import events

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.harness import Suite

SCHEMAS = Path(__file__).parent / "schemas"

# Tests of every outcome, in several forms.
EVERY_OUTCOME = """
    import pytest

    def test_passes(): pass
    def test_fails():
        print("printed \\x1b[31m & <x> \\x00")
        assert 0, "100%: one, two"
    def test_skips(): pytest.skip("why not")

    @pytest.mark.xfail(reason="known")
    def test_xfails(): assert 0

    @pytest.mark.xfail
    def test_xpasses(): pass

    @pytest.mark.xfail(strict=True)
    def test_xpasses_strictly(): pass

    @pytest.fixture
    def broken(): raise ValueError("early")

    @pytest.fixture
    def broken_late():
        yield
        raise ValueError("late")

    def test_errs(broken): pass
    def test_errs_late(broken_late): pass
    def test_fails_and_errs_late(broken_late): assert 0

    class TestClass:
        class TestInner:
            @pytest.mark.parametrize("x", ["a.b", "c/d", "e::f", "g[h]"])
            def test_it(self, x): pass
"""


def words(*args: str) -> list[str]:
    """Return the words of a `rustpar` command."""
    return [sys.executable, "-m", "rustpar.cli", *args]


def command(suite: Suite, *args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `rustpar` in the suite's directory."""
    run = words(*args)
    variables = {**os.environ, **environment}
    return subprocess.run(run, cwd=suite.path, env=variables, capture_output=True, text=True, timeout=RUN_LIMIT)


def output_of(suite: Suite, *args: str, **environment: str) -> str:
    """Run a command that must succeed and return its output."""
    done = command(suite, *args, **environment)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout


def error_of(suite: Suite, *args: str) -> str:
    """Run a command that must fail and return its error line."""
    done = command(suite, *args)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    return line


def phases(journal: Path) -> list[dict[str, Any]]:
    """Return the phases of tests in a journal."""
    return [event for event in events(journal) if event["e"] in ("setup", "call", "teardown")]


def micros(journal: Path) -> int:
    """Return the total duration of all phases in a journal, in microseconds."""
    return sum(phase["us"] for phase in phases(journal))


def junit_suites(path: Path) -> list[Any]:
    """Return the suites in a JUnit XML file as lxml elements."""
    return list(etree.parse(path).getroot())


def check_junit(path: Path) -> None:
    """Validate a file with the schema that pytest's own tests use."""
    etree.XMLSchema(etree.parse(SCHEMAS / "junit-10.xsd")).assertValid(etree.parse(path))


def ctrf(path: Path) -> dict[str, Any]:
    """Validate a file of the Common Test Report Format with its schema and return the results."""
    schema = json.loads((SCHEMAS / "ctrf-schema-0.0.json").read_text(encoding="utf-8"))
    document = json.loads(path.read_text(encoding="utf-8"))
    validator = jsonschema.Draft7Validator(schema)
    validator.check_schema(schema)
    validator.validate(document)
    results: dict[str, Any] = document["results"]
    summary = results["summary"]
    assert summary["tests"] == len(results["tests"])
    for status in ("passed", "failed", "skipped", "pending", "other"):
        assert summary[status] == sum(test["status"] == status for test in results["tests"])
    return results


def trace(path: Path) -> list[dict[str, Any]]:
    """Validate a file by the rules of the Trace Event Format and return the events."""
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["displayTimeUnit"] in ("ms", "ns")
    found: list[dict[str, Any]] = document["traceEvents"]
    for event in found:
        _check_event(event)
    lanes: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for event in found:
        if event["ph"] == "X":
            lanes.setdefault((event["pid"], event["tid"]), []).append(event)
    named = {(event["pid"], event["tid"]) for event in found if event["name"] == "thread_name"}
    assert set(lanes) <= named
    assert {pid for pid, _ in lanes} <= {event["pid"] for event in found if event["name"] == "process_name"}
    for lane in lanes.values():
        _check_nesting(lane)
    _check_counters(event for event in found if event["ph"] == "C")
    return found


def _check_event(event: dict[str, Any]) -> None:
    """Assert that an event has exactly the fields of its kind, with the right types."""
    required = {"name": str, "ph": str, "ts": int, "pid": int, "tid": int}
    more: dict[str, dict[str, type]] = {"X": {"dur": int}, "M": {"args": dict}, "C": {"args": dict}, "i": {"s": str}}
    required |= more[event["ph"]]
    for name, type_ in required.items():
        assert type(event[name]) is type_, event
    assert event.keys() <= required.keys() | {"cat", "args"}, event
    assert event["ts"] >= 0
    assert event.get("dur", 0) >= 0
    if event["ph"] == "M":
        assert event["name"] in ("process_name", "thread_name")
        assert type(event["args"]["name"]) is str
    if event["ph"] == "C":
        assert event["args"]
        assert all(type(value) is int for value in event["args"].values())
    if event["ph"] == "i":
        assert event["s"] in "gpt"


def _check_nesting(lane: list[dict[str, Any]]) -> None:
    """Assert that complete events of a thread are nested or disjoint."""
    ends: list[int] = []
    last = 0
    for event in lane:
        assert event["ts"] >= last, "the events of a lane are in order"
        last = event["ts"]
        # An event of duration 0 may begin where another ends.
        while ends and (ends[-1] < last or (ends[-1] == last and event["dur"] > 0)):
            ends.pop()
        end = event["ts"] + event["dur"]
        assert not ends or end <= ends[-1], f"{event} ends after what it lies in"
        ends.append(end)


def _check_counters(counters: Iterable[dict[str, Any]]) -> None:
    """Assert that the values of a counter are in chronological order."""
    last: dict[tuple[int, str], int] = {}
    for event in counters:
        key = (event["pid"], event["name"])
        assert event["ts"] >= last.get(key, 0)
        last[key] = event["ts"]
