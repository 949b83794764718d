"""Chromium with a timeline page in it, and what a reader of the page sees and does."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from selenium.webdriver import ActionChains, Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.actions.wheel_input import ScrollOrigin
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from rustpar._core import timeline_page

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from selenium.webdriver.remote.webelement import WebElement

    from tests.browser.rundata import Data

# Seconds; far above what the page takes on a machine that is busy with other things.
PATIENCE = 60

# Puts the timeline into the middle of the window, and answers when nothing has scrolled for half a second: until then
# the wheel is the page's.
SETTLE = """
const [done] = arguments;
let timer = setTimeout(done, 500);
addEventListener("scroll", () => {
  clearTimeout(timer);
  timer = setTimeout(done, 500);
});
document.getElementById("lanes").scrollIntoView({ block: "center" });
"""

# How many pixels of a canvas have (nearly) a colour that the page's style defines.
PIXELS = """
const [id, name] = arguments;
const canvas = document.getElementById(id);
const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
copy.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);
copy.fillRect(0, 0, 1, 1);
const wanted = copy.getImageData(0, 0, 1, 1).data;
copy.drawImage(canvas, 0, 0);
const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
let found = 0;
for (let at = 0; at < data.length; at += 4) {
  if ([0, 1, 2].every((part) => Math.abs(data[at + part] - wanted[part]) < 3)) found += 1;
}
return found;
"""


def start_chromium() -> Chrome:
    """Chromium without a window, and without a network."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.fail("chromium or chromedriver is missing: apt-get install chromium chromium-driver", pytrace=False)
    options = ChromeOptions()
    options.binary_location = browser
    # The sandbox needs rights that root in a container, and many a CI system, does not have.
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.add_argument("--window-size=1400,1000")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = Chrome(options=options, service=Service(driver))
    chrome.set_script_timeout(PATIENCE)
    chrome.execute_cdp_cmd("Network.enable", {})
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    chrome.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    return chrome


class Page:
    """The page of a run, open in a browser."""

    def __init__(self, chrome: Chrome, directory: Path) -> None:
        self.chrome = chrome
        self.file = directory / "report.html"

    def write(self, data: Data) -> None:
        """Write the page for a run and have the browser load it."""
        self.file.write_text(timeline_page(json.dumps(data)), encoding="utf-8")
        self.chrome.get(self.file.as_uri())

    def open(self, data: Data) -> None:
        """The same, and wait until all of the page is there."""
        self.write(data)
        self.wait_for_all()

    def load(self) -> None:
        """Have the browser load the page that is there, and wait until all of it is."""
        self.chrome.get(self.file.as_uri())
        self.wait_for_all()

    def wait_for_all(self) -> None:
        """Wait until all of the page is there."""
        self.wait(lambda: self.run("return document.documentElement.dataset.ready") == "yes")

    def wait(self, condition: Callable[[], object]) -> None:
        WebDriverWait(self.chrome, PATIENCE, poll_frequency=0.02).until(lambda _: condition())

    def run(self, script: str, *arguments: object) -> Any:
        """Run a script in the page; what it returns."""
        return self.chrome.execute_script(script, *arguments)

    def get(self, expression: str) -> Any:
        """A property of `window.rustpar`, or what a call of it returns."""
        return self.run(f"return window.rustpar.{expression}")

    def at(self, selector: str) -> WebElement:
        """The first element that a CSS selector finds."""
        return self.chrome.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        """All elements that a CSS selector finds."""
        return self.chrome.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        """The text of the first element, shown or not."""
        return str(self.run("return document.querySelector(arguments[0]).textContent", selector))

    def texts(self, selector: str) -> list[str]:
        """The texts of all elements."""
        script = "return Array.from(document.querySelectorAll(arguments[0]), (one) => one.textContent)"
        return list(self.run(script, selector))

    def unfold(self, selector: str) -> list[str]:
        """Open the details of a failure; the texts in them, which the page makes when it hears of that."""
        self.at(f"{selector} summary").click()
        self.wait(lambda: self.all(f"{selector} pre"))
        return self.texts(f"{selector} pre")

    def figure(self, name: str) -> float:
        """A figure of the strip at the top, as a number."""
        return float(self.at(f"[data-figure={name}]").get_attribute("data-value") or "nan")

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        for key in keys:
            ActionChains(self.chrome).send_keys(key).perform()

    def focus_lanes(self) -> None:
        """Put the focus on the timeline."""
        self.run("document.getElementById('lanes').focus()")

    def span(self) -> float:
        """How many seconds of the run are shown."""
        view = self.get("view")
        return float(view["to"] - view["from"])

    def pixels(self, colour: str, canvas: str = "lanes") -> int:
        """How many pixels of a canvas have this colour of the page."""
        self.run("window.rustpar.draw()")
        return int(self.run(PIXELS, canvas, colour))

    def place(self, test: int) -> tuple[int, int]:
        """Where a test is, from the middle of the canvas."""
        self.chrome.execute_async_script(SETTLE)
        place, size = self.get(f"placeOf({test})"), self.at("#lanes").size
        return round(place["x"] - size["width"] / 2), round(place["y"] - size["height"] / 2)

    def wheel(self, amount: int) -> None:
        """Turn the wheel over the middle of the timeline."""
        self.chrome.execute_async_script(SETTLE)
        origin = ScrollOrigin.from_element(self.at("#lanes"))
        ActionChains(self.chrome).scroll_from_origin(origin, 0, amount).perform()

    def log(self, kind: str) -> list[dict[str, Any]]:
        """What has come to a log of the browser since it was last asked."""
        entries: list[dict[str, Any]] = self.chrome.get_log(kind)  # type: ignore[no-untyped-call]
        return entries

    def complaints(self) -> list[str]:
        """What the browser's console says, and what the page asked the network for."""
        said = [entry["message"] for entry in self.log("browser")]
        events = [json.loads(entry["message"])["message"] for entry in self.log("performance")]
        asked = [
            event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"
        ]
        return said + [url for url in asked if not url.startswith(("data:", self.file.as_uri()))]
