"""Tests that replace Python's clocks change neither a run nor its durations."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Suite

# Replaces the clock in each module, including pytest's, like freezegun.
FREEZER = """
    import datetime
    import sys
    import time

    NAMES = ("time", "monotonic", "perf_counter", "time_ns", "monotonic_ns", "perf_counter_ns", "sleep")
    REAL = {name: getattr(time, name) for name in (*NAMES, "localtime", "gmtime", "strftime")}
    # All functions that were ever in their places; kept, so that no other has the same id.
    KNOWN = {id(function): (name, function) for name, function in REAL.items()}

    def replace(functions, only_in_time=False):
        KNOWN.update({id(function): (name, function) for name, function in functions.items()})
        for module in list(sys.modules.values()):
            if module is sys.modules[__name__] or only_in_time and module is not time:
                continue
            for name, found in list(getattr(module, "__dict__", {}).items()):
                known, _ = KNOWN.get(id(found), ("", None))
                if known in functions:
                    setattr(module, name, functions[known])

    def freeze(value=5.0, only_in_time=False):
        def fake(name):
            return lambda *args: int(value) if name.endswith("_ns") else value

        replace({name: fake(name) for name in NAMES}, only_in_time)

    def break_names():
        def refuse(name):
            def no(*args): raise RuntimeError("no time")
            return no

        replace({name: refuse(name) for name in REAL}, only_in_time=True)
"""

TESTS = """
    import freezer
    import pytest

    @pytest.fixture(scope="module")
    def shared():
        freezer.REAL["sleep"](0.05)

    @pytest.mark.parametrize("n", range(4))
    @pytest.mark.parametrize("setting", SETTINGS)
    def test_it(setting, n, shared):
        BEGIN
        freezer.REAL["sleep"](0.1)

    def test_crash(): pass
"""

# Called at the start of a test, in its set-up, or at the end of a conftest.
SETTINGS = {
    "frozen": "freezer.freeze()",
    "frozen long ago": "freezer.freeze(-1e9)",
    "frozen in the future": "freezer.freeze(4e9)",
    "only in time": "freezer.freeze(only_in_time=True)",
    "broken": "freezer.break_names()",
}

# Plain pytest needs the broken names everywhere else.
PLACES = [("test", list(SETTINGS)), ("fixture", list(SETTINGS)[:-1]), *(("conftest", [one]) for one in SETTINGS)][:-1]

# All with the template; in the other run modes, each place with the first setting.
CASES = [
    *((*place, "template") for place in PLACES),
    *((*place, mode) for place in PLACES[:3] for mode in ("plain", "early")),
]


@pytest.mark.parametrize(("place", "settings", "run_mode"), CASES, ids=str)
def test_a_replaced_clock_changes_neither_the_run_nor_its_durations(
    suite: Suite, place: str, settings: list[str], run_mode: str
) -> None:
    suite.write({"freezer.py": FREEZER, "pytest.ini": "[pytest]\nrustpar_slow = 50ms\npythonpath = .\n"})
    # Each test begins with the clocks that the one before has left, and takes them off again.
    change = f"freezer.replace(freezer.REAL); eval({SETTINGS}[setting])"
    suite.test(TESTS.replace("SETTINGS", str(settings)).replace("BEGIN", change if place == "test" else "pass"))
    if place == "conftest":
        suite.conftest(f"import freezer\n\ndef pytest_configure(config):\n    {SETTINGS[settings[0]]}\n")
    elif place == "fixture":
        suite.conftest(
            "import freezer\nimport pytest\n\n@pytest.fixture(autouse=True)\ndef freezes(request):\n"
            f"    setting = getattr(request.node, 'callspec', None) and request.node.callspec.params['setting']\n"
            f"    if setting: {change}\n"
        )
    run = suite.run_in(run_mode, "--rustpar-history", "history.json", "--rustpar-journal", "journal.jsonl")
    assert run.ret == 0, run.text
    assert run.counts()["passed"] == 4 * len(settings) + 1
    assert json.loads((suite.path / "history.json").read_text())
    events = [json.loads(line) for line in (suite.path / "journal.jsonl").read_text().splitlines()]
    (ids,) = [event["ids"] for event in events if event["e"] == "collected"]
    calls = {ids[event["t"]]: event for event in events if event["e"] == "call"}
    assert len(calls) == 4 * len(settings) + 1
    # The upper limits allow for a busy machine.
    least = {node_id: 0.09 if "test_it[" in node_id else 0 for node_id in calls}
    took = {node_id: call["us"] / 1e6 for node_id, call in calls.items()}
    assert {node_id: seconds for node_id, seconds in took.items() if not least[node_id] <= seconds < 20} == {}
    assert all(call["at"] / 1e6 < 60 for call in calls.values())
    slow = [line.partition("::")[2] for line in run.section("slow tests (50.0 ms and more)")]
    expected = {node_id.partition("::")[2] for node_id in calls if "test_it[" in node_id}
    assert sorted(name for name in slow if "test_it[" in name) == sorted(expected)
