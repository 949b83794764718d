"""Load tests on the timeline page in Chromium: curves, the second under the pointer, figures, the earlier run."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from tests.browser.loaddata import a_load_run, a_load_test
from tests.browser.rundata import HOSTILE, a_run
from tests.harness import RUN_LIMIT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.page import Page
    from tests.browser.rundata import Data

PANELS = "return Array.from(document.querySelectorAll('#load-0 [data-panel]'), (one) => one.dataset.panel)"
# Names of the lines of a run in a panel, with the number of points of each.
LINES = """
const [panel, run] = arguments;
const found = document.querySelectorAll(`#load-0 [data-panel=${panel}] [data-run=${run}]`);
return Object.fromEntries(Array.from(found, (one) => [
  one.dataset.line, one.getAttribute("d").match(/[ML]/g)?.length ?? 0,
]));
"""


def lines(page: Page, panel: str, run: str = "this") -> dict[str, int]:
    """Return the number of points of each line in a panel of the first load test."""
    return dict(page.run(LINES, panel, run))


def value(page: Page, name: str) -> str:
    """Return the value of a line in the second under the pointer."""
    return page.text(f"#load-0 .load-tip [data-value='{name}'] .number")


def point_at(page: Page, second: int, seconds: int) -> None:
    """Move the pointer to the middle of a second of the first load test."""
    page.run("document.querySelector('.load-box').scrollIntoView({ block: 'center' })")
    # The plot begins 66 pixels from the left and ends 14 from the right.
    width = page.at("#load-0 .load-box").size["width"]
    x = 66 + (width - 80) * (second - 0.5) / seconds
    box = page.at("#load-0 .load-box")
    ActionChains(page.chrome).move_to_element_with_offset(box, round(x - width / 2), 0).perform()
    page.wait(lambda: page.at("#load-0 .load-tip").is_displayed())


def test_a_load_test_has_curves_on_one_axis_above_the_timeline(page: Page) -> None:
    page.open(a_load_run(a_load_test(20)))
    assert page.run("return document.getElementById('timeline-section').previousElementSibling.id") == "load-0"
    assert page.text("#sections a") == "Load tests (1)"
    assert page.run(PANELS) == ["users", "rate", "percentiles", "errors"]
    assert lines(page, "users") == {"users": 20, "target": 20}
    assert lines(page, "rate") == {"ended": 20, "started": 20}
    # In one second, nothing has ended.
    assert lines(page, "percentiles") == {"p50": 19, "p95": 19, "p99": 19}
    assert lines(page, "errors") == {"failed": 20}


def test_a_page_without_load_tests_has_no_trace_of_them(page: Page) -> None:
    page.open(a_run(50, 2))
    assert page.all(".load") == []
    assert "LoadChart" not in page.file.read_text()


def test_the_target_of_the_open_model_is_beside_its_rate(page: Page) -> None:
    page.open(a_load_run(a_load_test(20, model="open")))
    assert set(lines(page, "rate")) == {"ended", "started", "target"}
    assert set(lines(page, "users")) == {"running"}


def test_each_load_test_has_its_own_section(page: Page) -> None:
    tests = [a_load_test(seconds, id=f"a.py::test_{seconds}") for seconds in (10, 600, 40)]
    page.open(a_load_run(*tests))
    assert page.texts(".load h2 .id") == [test["id"] for test in tests]
    assert page.text("#sections a") == "Load tests (3)"
    assert len(page.all("[data-line=p95][data-run=this]")) == 3


def test_the_pointer_shows_the_values_of_its_second(page: Page) -> None:
    test = a_load_test(20)
    page.open(a_load_run(test))
    assert not page.at("#load-0 .load-tip").is_displayed()
    point_at(page, 5, 20)
    curves = test["curves"]
    assert page.text("#load-0 .load-tip strong") == "4.00 s to 5.00 s"
    assert value(page, "users") == str(curves["users"][4])
    assert value(page, "p95") == f"{curves['series'][0]['p95'][4] * 1000:.0f} ms"
    assert value(page, "failed") == f"{curves['series'][0]['failed'][4]}/s"
    before = test["before"]["curves"]["series"][0]["p95"][4]
    assert page.texts("#load-0 .load-tip [data-value=p95] .number")[1] == f"{before * 1000:.0f} ms"
    point_at(page, 11, 20)
    assert value(page, "p95") == "\N{EN DASH}"


def test_the_charts_can_be_read_with_the_keyboard_alone(page: Page) -> None:
    page.open(a_load_run(a_load_test(20)))
    tabs = 0
    while not page.run("return document.activeElement.matches('.load-box')"):
        page.press(Keys.TAB)
        tabs += 1
        assert tabs < 40, "Tab does not lead to the charts"
    page.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert "1.00 s to 2.00 s" in page.text("#spoken")
    assert "p95" in page.text("#spoken")
    page.press(Keys.END, Keys.ARROW_LEFT)
    assert "18.0 s to 19.0 s" in page.text("#spoken")
    ActionChains(page.chrome).key_down(Keys.SHIFT).send_keys(Keys.ARROW_LEFT).key_up(Keys.SHIFT).perform()
    assert "8.00 s to 9.00 s" in page.text("#spoken")
    page.press(Keys.ESCAPE)
    assert not page.at("#load-0 .load-tip").is_displayed()
    assert page.get("selected") is None
    page.press("?")
    assert "second before, second after" in page.text("#help-keys")
    page.press(Keys.ESCAPE)


def test_the_percentiles_of_another_metric_can_be_chosen(page: Page) -> None:
    test = a_load_test(20)
    page.open(a_load_run(test))
    assert page.texts("#load-0 select option") == ["iteration", "log in", "search", "size of the answer"]
    choice = Select(page.at("#load-0 select"))
    choice.select_by_visible_text("search")
    assert page.text("#load-0 [data-panel=percentiles] .strong") == "Duration of search"
    point_at(page, 5, 20)
    assert value(page, "p95") == f"{test['curves']['series'][2]['p95'][4] * 1000:.0f} ms"
    choice.select_by_visible_text("size of the answer")
    assert page.text("#load-0 [data-panel=percentiles] .strong") == "Value of size of the answer"
    assert lines(page, "percentiles", "before") == {"p50": 19, "p95": 19, "p99": 19}


def test_thresholds_have_a_verdict_and_metrics_their_figures(page: Page) -> None:
    test = a_load_test(20)
    page.open(a_load_run(test))
    verdicts = [one.get_attribute("data-verdict") for one in page.all("#load-0 [data-verdict]")]
    assert verdicts == ["false", "true", "null"]
    assert page.text("#load-0 .notice") == test["problems"][0]
    cells = page.texts("#load-0 [aria-label='Metrics of the load test'] tbody tr:first-child td")
    assert cells[:2] == ["iteration", f"{test['iterations']:,}"]
    assert cells[8] == f"{test['metrics'][0]['values'][4] * 1000:.0f} ms"
    assert page.texts("#load-0 [aria-label='Metrics of the load test'] .quiet") == ["from the intended start"]
    assert page.text("#load-0 [data-load=iterations]") == f"{test['iterations']:,}"
    others = page.texts("#load-0 [aria-label='Checks, rates, counters and gauges'] td")
    assert f"{test['iterations'] - 3:,} of {test['iterations']:,}" in others


def test_seconds_in_which_the_generator_was_saturated_are_shaded(page: Page) -> None:
    page.open(a_load_run(a_load_test(20, saturated=range(5, 9))))
    assert len(page.all("#load-0 .load-shade")) == 4
    assert page.run(PANELS)[-2:] == ["dropped", "cpu"]
    assert "The load generator was saturated: a process used 99 %" in page.texts("#load-0 .notice")[1]
    point_at(page, 7, 20)
    assert "load generator saturated" in page.text("#load-0 .load-tip")
    assert (value(page, "CPU"), value(page, "dropped")) == ("99 %", "3/s")
    assert value(page, "start lag (p95)") == "80 ms"


def test_the_earlier_run_is_drawn_behind_and_differences_are_in_per_cent(page: Page) -> None:
    test = a_load_test(20)
    page.open(a_load_run(test))
    before = test["before"]
    for panel in ("users", "rate", "percentiles", "errors"):
        assert lines(page, panel, "before").keys() == lines(page, panel).keys()
    order = page.run(
        "return Array.from(document.querySelectorAll('[data-panel=percentiles] [data-run]'), (one) => one.dataset.run)"
    )
    assert order == ["before"] * 3 + ["this"] * 3
    shown = [float(one.get_attribute("data-change") or 0) for one in page.all("#load-0 [data-change]")]

    def change(of: Any) -> float:
        return float(100 * (of(test) / of(before) - 1))

    expected = [change(lambda one: one["iterations"]), change(lambda one: one["failed"] / one["iterations"])]
    expected += [change(lambda one, at=at: one["metrics"][at]["values"][4]) for at in range(4)]
    assert shown == pytest.approx(expected, abs=0.001)
    assert "run 51c09e" in page.text("#load-0 h3:last-of-type + div")


def test_without_an_earlier_run_nothing_is_compared(page: Page) -> None:
    page.open(a_load_run(a_load_test(20, earlier=False)))
    assert page.all("#load-0 [data-run=before]") == []
    assert "Compared with an earlier run" not in page.texts("#load-0 h3")
    point_at(page, 5, 20)
    assert len(page.texts("#load-0 .load-tip [data-value=p95] .number")) == 1


def test_a_load_test_without_a_result_shows_what_is_known(page: Page) -> None:
    unknown: Data = {
        "end": None,
        "planned": None,
        "model": "",
        "plan": "",
        "thresholds": [],
        "problems": [],
        "metrics": [],
    }
    page.open(a_load_run(a_load_test(20, earlier=False, generators=None) | unknown))
    assert page.texts("#load-0 .notice") == ["The journal ends within this load test."]
    assert lines(page, "percentiles") == {"p50": 19, "p95": 19, "p99": 19}


def test_a_load_test_that_was_cancelled_at_once_has_no_curves(page: Page) -> None:
    test = a_load_test(20, earlier=False, end="interrupted", why="the run was stopped", metrics=[], problems=[])
    curves: Data = {
        name: [] for name in ("at", "users", "target", "started", "dropped", "lag", "cpu", "saturated", "series")
    }
    page.open(a_load_run({**test, "curves": {"every": 1, **curves}, "seconds": 0.0, "iterations": 0, "failed": 0}))
    assert page.all("#load-0 .load-box") == []
    assert page.text("#load-0 .notice") == "Ended after 0 ms of 20.0 s: the run was stopped"


def test_markup_in_names_of_load_tests_is_shown_as_text(page: Page) -> None:
    test = a_load_test(20, id=HOSTILE, plan=HOSTILE, problems=[HOSTILE], remark=HOSTILE)
    test["thresholds"] = [{"text": HOSTILE, "value": HOSTILE, "broken": True}]
    for place in (0, 1):
        test["curves"]["series"][place]["name"] = test["metrics"][place]["name"] = HOSTILE
    page.open(a_load_run(test))
    point_at(page, 5, 20)
    assert page.run("return window.broken") is None
    assert page.all("img") == []


def test_lines_have_other_colours_in_the_dark_scheme(page: Page) -> None:
    page.open(a_load_run(a_load_test(20)))
    colour = "return getComputedStyle(document.querySelector('[data-line=p95]')).stroke"
    light = page.run(colour)
    scheme = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    page.chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", scheme)
    try:
        page.wait(lambda: page.run(colour) != light)
    finally:
        page.chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_a_printed_picture_is_drawn_as_wide_as_paper(page: Page) -> None:
    page.open(a_load_run(a_load_test(20)))
    width = "return document.querySelector('.load-chart').viewBox.baseVal.width"
    on_screen = page.run(width)
    page.run("window.dispatchEvent(new Event('beforeprint'))")
    assert page.run(width) < on_screen
    page.run("window.dispatchEvent(new Event('afterprint'))")
    assert page.run(width) == on_screen


def test_the_page_of_a_real_load_run_is_compared_with_the_run_before(page: Page, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import time, pytest\n"
        "@pytest.mark.load(users=4, duration='2s', thresholds='p(95)<10s')\n"
        "def test_load(load):\n"
        "    with load.step('wait'):\n"
        "        time.sleep(0.02)\n"
        "def test_other(): pass\n"
    )
    command = [sys.executable, "-m", "pytest", "--rustpar-timeline=report.html"]
    for more in (["--rustpar-load", "-n", "2"], ["-k", "other"], ["--rustpar-load", "-n", "2"]):
        subprocess.run([*command, *more], cwd=tmp_path, timeout=RUN_LIMIT, check=False, capture_output=True)
    first, _, last = sorted((tmp_path / ".pytest_cache/d/rustpar/runs").iterdir())
    events = [json.loads(line) for line in last.read_text().splitlines()]
    (result,) = (event for event in events if event["e"] == "loadresult")
    seconds = [event for event in events if event["e"] == "loadsecond" and "step" not in event]
    page.load()
    assert page.text("#load-0 [data-load=iterations]") == f"{result['iterations']:,}"
    assert lines(page, "percentiles")["p99"] == len(seconds)
    assert page.texts("#load-0 select option") == ["iteration", "wait"]
    assert [one.get_attribute("data-verdict") for one in page.all("#load-0 [data-verdict]")] == ["false"]
    run = json.loads(first.read_text().splitlines()[0])["id"]
    assert f"run {run}" in page.text("#load-0 h3:last-of-type + div")
    assert lines(page, "percentiles", "before")["p99"] >= 2
