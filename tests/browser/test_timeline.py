"""The timeline page in Chromium: drawing, search, details, and use with the keyboard alone."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.browser.page import Page
from tests.browser.rundata import BAD, HOSTILE, OUTCOMES, PHASES, a_run, empty_run
from tests.harness import RUN_LIMIT

if TYPE_CHECKING:
    from pathlib import Path

    from selenium.webdriver import Chrome


@pytest.mark.parametrize(("tests", "workers"), [(50, 2), (5_000, 8), (5_000, 64), (100_000, 8)])
def test_each_outcome_is_drawn_in_its_own_colour(page: Page, tests: int, workers: int) -> None:
    data = a_run(tests, workers)
    page.open(data)
    assert page.get("visible") == tests
    assert page.pixels("passed") > 1000
    for outcome in BAD:
        assert (page.pixels(outcome) > 0) == (outcome in data["counts"]), outcome
    assert page.pixels("skipped", "overview") > 1000
    page.run("window.rustpar.select(arguments[0])", tests - 1)
    assert page.pixels("accent", "memory") > 0


def test_one_failure_among_a_hundred_thousand_tests_is_visible(page: Page) -> None:
    data = a_run(100_000)
    data["tests"]["outcome"] = [0] * 100_000
    data["tests"]["outcome"][54_321] = OUTCOMES.index("failed")
    data |= {"failures": [], "marks": []}
    page.open(data)
    assert page.pixels("failed") >= 20


def test_the_figures_are_those_of_the_data(page: Page) -> None:
    data = a_run(5_000)
    page.open(data)
    tests = data["tests"]
    for name, number in data["counts"].items():
        assert f"{number:,} {name if name != 'error' else 'errors'}" in page.text("#headline")
        assert page.text(f"[data-outcome={name}]") == f"{name} {number:,}"
    assert page.figure("tests") == 5_000
    assert page.figure("seconds") == data["run"]["seconds"]
    assert page.figure("bound") == data["bound"]["seconds"]
    assert page.figure("p95") == data["durations"]["test"]["p95"]
    assert page.figure("busy") == pytest.approx(sum(tests["end"]) - sum(tests["start"]))
    for phase in (*PHASES, "test"):
        shown = page.at(f"[data-percentile='{phase} p99']").get_attribute("data-value")
        assert float(shown or 0) == data["durations"][phase]["p99"]
    by_worker = [int(text.replace(",", "")) for text in page.texts("#workers [data-tests]")]
    assert by_worker == [tests["worker"].count(worker) for worker in range(len(data["workers"]))]
    bars = page.run("return Array.from(document.querySelectorAll('#histogram rect'), (bar) => +bar.dataset.count)")
    assert sum(bars) == 5_000


def test_the_slowest_tests_come_first(page: Page) -> None:
    data = a_run(5_000)
    page.open(data)
    tests = data["tests"]
    seconds = [sum(phases) for phases in zip(*(tests[phase] for phase in PHASES), strict=True)]
    slowest = sorted(range(5_000), key=lambda test: -seconds[test])
    assert page.texts("#slowest tr .id")[:25] == [tests["id"][test] for test in slowest[:25]]
    shown = [float(cell.get_attribute("data-seconds") or 0) for cell in page.all("#slowest [data-seconds]")]
    assert shown == pytest.approx([seconds[test] for test in slowest[:25]])
    page.at("#slowest .more").click()
    assert len(page.texts("#slowest tr .id")) == 50
    over = sum(one > data["run"]["slow"] for one in seconds)
    assert page.text("#over").startswith(f"{over} tests took more than")


def test_the_run_is_compared_with_the_previous_run(page: Page) -> None:
    data = a_run(500)
    page.open(data)
    fresh = sum(seconds is None for seconds in data["tests"]["previous"])
    assert f"{500 - fresh} tests ran in both, {fresh} only in this one" in page.text("#in-both")
    assert "+3" in page.texts("#previous td")
    assert len(page.texts("#previous .columns tr .id")) == 20


def test_keys_zoom_and_move_the_range(page: Page) -> None:
    page.open(a_run(5_000))
    whole = page.span()
    page.focus_lanes()
    page.press("+", "+")
    assert page.span() < whole / 2
    shown, visible = page.get("view"), page.get("visible")
    assert visible < 5_000
    ActionChains(page.chrome).key_down(Keys.SHIFT).send_keys(Keys.ARROW_LEFT).key_up(Keys.SHIFT).perform()
    assert page.get("view.from") < shown["from"]
    page.press("-")
    assert page.span() > shown["to"] - shown["from"]
    page.press("0")
    assert page.span() == pytest.approx(whole)


def test_buttons_and_the_wheel_zoom(page: Page) -> None:
    page.open(a_run(5_000))
    whole = page.span()
    page.at("#zoom-in").click()
    assert page.span() < whole
    page.at("#zoom-all").click()
    assert page.span() == pytest.approx(whole)
    page.wheel(-200)
    page.wait(lambda: page.span() < whole)
    middle = page.get("view")
    assert 0 < middle["from"] < middle["to"] < whole
    page.wheel(100)
    page.wait(lambda: page.span() > middle["to"] - middle["from"])


def test_a_drag_moves_the_range_and_a_click_selects(page: Page) -> None:
    data = a_run(50, 2)
    page.open(data)
    longest = max(range(50), key=lambda test: data["tests"]["end"][test] - data["tests"]["start"][test])
    x, y = page.place(longest)
    lanes = page.at("#lanes")
    ActionChains(page.chrome).move_to_element_with_offset(lanes, x, y).perform()
    assert data["tests"]["id"][longest] in page.text("#tip")
    ActionChains(page.chrome).click().perform()
    assert page.get("selected") == longest
    page.run("window.rustpar.select(null); window.rustpar.zoom(0.25)")
    before = page.get("view.from")
    ActionChains(page.chrome).move_to_element(lanes).click_and_hold().move_by_offset(-120, 0).release().perform()
    assert page.get("view.from") > before
    assert page.get("selected") is None


def test_the_search_finds_tests_and_says_how_many(page: Page) -> None:
    data = a_run(5_000)
    page.open(data)
    page.focus_lanes()
    page.press("/", *"MODULE_003 case[12")
    wanted = [test for test, name in enumerate(data["tests"]["id"]) if "module_003" in name and "case[12" in name]
    page.wait(lambda: page.text("#found") == f"{len(wanted)} of 5,000 tests")
    assert page.get("found") == len(wanted)
    page.press(Keys.ENTER)
    assert page.get("selected") in wanted
    page.wait(lambda: len(page.texts("#slowest tr .id")) == len(wanted))
    assert page.pixels("faint") > 1000
    page.at("#search").clear()
    page.at("#search").send_keys("no such test")
    page.wait(lambda: page.text("#found") == "0 of 5,000 tests")
    page.wait(lambda: page.text("#slowest") == "No test matches the search.")
    assert page.pixels("passed") == 0


def test_tests_can_be_filtered_by_outcome(page: Page) -> None:
    data = a_run(5_000)
    page.open(data)
    page.at("[data-outcome=failed]").click()
    page.at("[data-outcome=error]").click()
    assert page.get("found") == data["counts"]["failed"] + data["counts"]["error"]
    assert page.at("[data-outcome=error]").get_attribute("aria-pressed") == "true"
    page.at("[data-outcome=failed]").click()
    assert page.get("found") == data["counts"]["error"]


def test_failures_show_their_text_and_captured_output(page: Page) -> None:
    data = a_run(5_000)
    page.open(data)
    failures = data["failures"]
    place = next(at for at, failure in enumerate(failures) if failure["sections"])
    texts = page.unfold(f"[data-failure='{place}']")
    assert texts == [failures[place]["text"], *(text for _, text in failures[place]["sections"])]
    assert page.texts(f"[data-failure='{place}'] h3")[1:] == [title for title, _ in failures[place]["sections"]]


def test_markup_in_captured_output_is_shown_as_text_and_not_executed(page: Page) -> None:
    data = a_run(50, 2)
    data["tests"]["id"][0] += HOSTILE
    data["tests"]["outcome"][0] = OUTCOMES.index("failed")
    sections = [[HOSTILE, HOSTILE], ["Captured stdout call", "x" * 100_000]]
    data["failures"] = [{"test": 0, "phase": "call", "text": HOSTILE, "sections": sections}]
    data["environments"][0]["details"]["shell"] = HOSTILE
    data["marks"] = [{"at": 0.1, "worker": 0, "kind": "warning", "text": HOSTILE}]
    data["run"]["command"] = HOSTILE
    page.open(data)
    shown = page.unfold("[data-failure='0']")
    assert shown[0] == (
        "</script><script>window.broken = true</script><!-- <img src=x onerror='window.broken = true'>"
        "\u2028\u2029\u2400red \ufffd ok"
    )
    assert shown[2].endswith("… 98,000 more characters")
    page.at("[data-failure='0'] pre + .more").click()
    assert page.texts("[data-failure='0'] pre")[2] == "x" * 100_000
    page.run("window.rustpar.select(0)")
    assert page.run("return window.broken") is None
    assert page.all("img") == []


def test_the_page_can_be_used_with_the_keyboard_alone(page: Page) -> None:
    data = a_run(500, 4)
    page.open(data)
    tests = data["tests"]
    tabs = 0
    while page.run("return document.activeElement.id") != "lanes":
        page.press(Keys.TAB)
        tabs += 1
        assert tabs < 40, "Tab does not lead to the timeline"
    page.press(Keys.ARROW_RIGHT)
    first = page.get("selected")
    page.press(Keys.ARROW_RIGHT)
    second = page.get("selected")
    assert tests["worker"][second] == tests["worker"][first]
    assert tests["start"][second] > tests["start"][first]
    page.press(Keys.ARROW_DOWN)
    assert tests["worker"][page.get("selected")] != tests["worker"][second]
    page.press(Keys.ARROW_UP, Keys.HOME)
    assert page.get("selected") == first
    page.press("f")
    failed = page.get("selected")
    assert OUTCOMES[tests["outcome"][failed]] in BAD
    assert tests["id"][failed] in page.text("#spoken")
    page.press(Keys.ENTER)
    assert page.run("return document.activeElement.id") == "details"
    assert tests["id"][failed] in page.text("#details")
    shown = [float(cell.get_attribute("data-seconds") or 0) for cell in page.all("#details [data-phase]")]
    assert shown == [tests[phase][failed] for phase in PHASES]
    page.press(Keys.ESCAPE)
    assert page.get("selected") is None
    assert page.run("return document.activeElement.id") == "lanes"
    page.press("?")
    assert page.at("#help").is_displayed()
    page.press(Keys.ESCAPE)
    assert not page.at("#help").is_displayed()


def test_tests_at_the_same_time_and_other_attempts_are_named(page: Page) -> None:
    data = a_run(500, 4)
    tests = data["tests"]
    longest = max(range(500), key=lambda test: tests["end"][test] - tests["start"][test])
    tests["id"][499 if longest != 499 else 0] = tests["id"][longest]
    page.open(data)
    page.run("window.rustpar.select(arguments[0])", longest)
    beside = [
        test
        for test in range(500)
        if tests["worker"][test] != tests["worker"][longest]
        and tests["end"][test] > tests["start"][longest]
        and tests["start"][test] < tests["end"][longest]
    ]
    assert f"Ran at the same time: {len(beside)} test" in page.text("#details")
    assert "This test ran 2 times" in page.text("#details")


def test_what_a_test_has_left_behind_is_in_its_details(page: Page) -> None:
    data = a_run(50, 2)
    data["leaks"] = [{"test": 7, "text": "a thread: retry-1"}, {"test": 7, "text": "a file: <b>/tmp/x</b>"}]
    page.open(data)
    page.run("window.rustpar.select(7)")
    for text in ("Left behind", "a thread: retry-1", "a file: <b>/tmp/x</b>"):
        assert text in page.text("#details")
    page.run("window.rustpar.select(8)")
    assert "Left behind" not in page.text("#details")


def test_a_run_without_tests_says_so(page: Page) -> None:
    page.open(empty_run())
    assert page.text("#headline") == "No tests ran in 500 ms"
    assert page.text("#failures") == "No test has run."
    assert page.text("#previous") == "There is no previous run to compare with."
    assert "not measured" in page.text("#memory-title")
    page.focus_lanes()
    page.press("+", "f", "n", Keys.ARROW_RIGHT, Keys.ARROW_DOWN, Keys.ENTER)
    assert page.get("visible") == 0


def test_missing_data_is_reported_as_missing(page: Page) -> None:
    data = a_run(50, 2)
    data |= {"failures": [], "marks": [], "previous": None, "bound": None, "thresholds": []}
    data["run"] |= {"complete": False, "exit": None, "collected": 80, "slow": None}
    for worker in data["workers"]:
        worker |= {"memory": [], "end": None, "ended": None, "pid": None}
    page.open(data)
    assert "50 of 80 tests" in page.text("#incomplete")
    assert page.text("#failures") == "No test failed."
    assert page.text("#events").startswith("No worker crashed")
    assert not page.at("#thresholds-section").is_displayed()
    assert not page.at("#once-section").is_displayed()
    assert not page.at("#memory").is_displayed()


def test_fixtures_that_were_set_up_once_are_listed(page: Page) -> None:
    data = a_run(50, 2)
    data["once"] = [{"key": "tests/conftest.py::<server>", "seconds": 1.25}, {"key": "::model", "seconds": 0.004}]
    page.open(data)
    assert page.text("#once") == "FixtureSet-uptests/conftest.py::<server>1.25 s::model4.0 ms"


def test_environments_of_a_merged_run_are_shown_separately(page: Page) -> None:
    data = a_run(500, 4, environments=2)
    page.open(data)
    names = [environment["name"] for environment in data["environments"]]
    assert page.texts("#environments h3") == names
    assert set(names) <= set(page.texts("#workers td"))


def test_dark_colour_scheme_uses_other_colours(page: Page) -> None:
    page.open(a_run(500, 4))
    light = page.pixels("passed"), page.run("return getComputedStyle(document.body).backgroundColor")
    scheme = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    page.chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", scheme)
    try:
        page.wait(lambda: page.run("return getComputedStyle(document.body).backgroundColor") != light[1])
        page.wait(lambda: page.pixels("passed") > 1000)
    finally:
        page.chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_data_of_another_version_is_refused(chrome: Chrome, tmp_path: Path) -> None:
    page = Page(chrome, tmp_path)
    page.write({**empty_run(), "version": 2})
    assert "version 2" in page.text("#headline")


def test_the_page_of_a_real_run_shows_what_its_journal_says(page: Page, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import os, pytest\n"
        "@pytest.mark.parametrize('n', range(40))\n"
        "def test_passes(n): pass\n"
        "def test_fails(): assert 'this' == 'that'\n"
        "def test_dies(): os._exit(3)\n"
        "@pytest.mark.skip\n"
        "def test_skipped(): pass\n"
    )
    arguments = ["-n", "2", "--rustpar-timeline=report.html", "--rustpar-journal=run.jsonl"]
    command = [sys.executable, "-m", "pytest", *arguments]
    subprocess.run(command, cwd=tmp_path, timeout=RUN_LIMIT, check=False, capture_output=True)
    events = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()]
    page.load()
    assert page.figure("tests") == 43
    for name, number in {"passed": 40, "failed": 1, "crashed": 1, "skipped": 1}.items():
        assert page.text(f"[data-outcome={name}]") == f"{name} {number}"
    assert page.figure("seconds") == next(event["at"] for event in events if event["e"] == "end") / 1e6
    workers = {event["w"] for event in events if event["e"] == "worker"}
    assert len(page.texts("#workers [data-tests]")) == len(workers) == 3
    took = {event["t"]: 0 for event in events if event["e"] == "setup"}
    for event in events:
        if event["e"] in ("setup", "call", "teardown"):
            took[event["t"]] += event["us"]
    slowest = page.at("#slowest [data-seconds]").get_attribute("data-seconds")
    assert float(slowest or 0) == pytest.approx(max(took.values()) / 1e6)
    held = [event["rss"] for event in events if event["e"] in ("memory", "peak")]
    assert page.figure("memory") == max(held)
    texts = [page.unfold(f"[data-failure='{place}']")[0] for place in range(2)]
    assert sum("assert 'this' == 'that'" in text for text in texts) == 1
