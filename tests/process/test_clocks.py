"""Tests that replace Python's clocks change neither a run nor its durations."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

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
    names_of = {id(function): name for name, function in REAL.items()}

    def freeze(value=5.0, names=NAMES, only_in_time=False):
        def fake(name):
            return lambda *args: int(value) if name.endswith("_ns") else value

        fakes = {id(REAL[name]): fake(name) for name in names}
        for module in list(sys.modules.values()):
            if module is sys.modules[__name__] or only_in_time and module is not time:
                continue
            for name, found in list(getattr(module, "__dict__", {}).items()):
                if id(found) in fakes:
                    setattr(module, name, fakes[id(found)])

    def break_names():
        def refuse(*args): raise RuntimeError("no time")
        for name in REAL:
            setattr(time, name, refuse)
"""

TESTS = """
    import freezer
    import pytest

    @pytest.fixture(scope="module")
    def shared():
        freezer.REAL["sleep"](0.05)

    @pytest.mark.parametrize("n", range(4))
    def test_it(n, shared):
        {begin}
        freezer.REAL["sleep"](0.1)

    def test_crash(): pass
"""

# Lines at the start of a test, or at the end of a conftest.
SETTINGS = {
    "frozen": "freezer.freeze()",
    "frozen long ago": "freezer.freeze(-1e9)",
    "frozen in the future": "freezer.freeze(4e9)",
    "only in time": "freezer.freeze(only_in_time=True)",
    "broken": "freezer.break_names()",
}


def recorded_durations(suite: Suite, run_with: tuple[str, ...]) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Return the durations in the history, and the call phases in the journal."""
    history = json.loads((suite.path / "history.json").read_text())
    journal = [json.loads(line) for line in (suite.path / "journal.jsonl").read_text().splitlines()]
    assert history, run_with
    return history, [event for event in journal if event["e"] == "call"]


@pytest.mark.parametrize("run_mode", ["plain", "template", "early"])
@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("place", ["test", "conftest", "fixture"])
def test_a_replaced_clock_changes_neither_the_run_nor_its_durations(
    suite: Suite, run_mode: str, setting: str, place: str
) -> None:
    begin = SETTINGS[setting]
    if setting == "broken" and place != "test":
        pytest.skip("plain pytest needs these names, too")
    suite.write({"freezer.py": FREEZER, "pytest.ini": "[pytest]\nrustpar_slow = 50ms\npythonpath = .\n"})
    suite.test(TESTS.replace("{begin}", begin if place == "test" else "pass"))
    if place == "conftest":
        suite.conftest(f"import freezer\n\ndef pytest_configure(config):\n    {begin}\n")
    elif place == "fixture":
        suite.conftest(f"import freezer\nimport pytest\n\n@pytest.fixture(autouse=True)\ndef freezes():\n    {begin}\n")
    files = ("--rustpar-history", "history.json", "--rustpar-journal", "journal.jsonl")
    run = suite.run_in(run_mode, *files)
    assert run.ret == 0, run.text
    assert run.counts()["passed"] == 5
    _, calls = recorded_durations(suite, files)
    took = sorted(call["us"] / 1e6 for call in calls)
    assert len(took) == 5
    # The upper limits allow for a busy machine.
    assert all(0.09 < seconds < 20 for seconds in took[1:]), took
    assert took[0] < 20
    assert all(call["at"] / 1e6 < 60 for call in calls)
    slow = run.section("slow tests (50.0 ms and more)")
    assert sum("test_it[" in line for line in slow) == 4, run.text
