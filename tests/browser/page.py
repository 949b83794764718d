"""Page object for a timeline page in Chromium: what a user sees and does."""

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

# Seconds; far more than the page needs on a busy machine.
PATIENCE = 60

# Scrolls the timeline to the middle of the window, and returns when nothing has scrolled for half a second: before that
# the wheel scrolls the page.
SETTLE = """
const [done] = arguments;
let timer = setTimeout(done, 500);
addEventListener("scroll", () => {
  clearTimeout(timer);
  timer = setTimeout(done, 500);
});
document.getElementById("lanes").scrollIntoView({ block: "center" });
"""

# Returns the number of pixels of a canvas that have (nearly) a colour defined in the page's style.
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
    """Start Chromium without a window and without a network."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.fail("chromium or chromedriver is missing: apt-get install chromium chromium-driver", pytrace=False)
    options = ChromeOptions()
    options.binary_location = browser
    # The sandbox needs rights that root in a container, and many CI systems, do not have.
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
        """Write the page for a run and load it in the browser."""
        self.file.write_text(timeline_page(json.dumps(data)), encoding="utf-8")
        self.chrome.get(self.file.as_uri())

    def open(self, data: Data) -> None:
        """Write the page for a run, load it and wait until it is complete."""
        self.write(data)
        self.wait_for_all()

    def load(self) -> None:
        """Load the existing page and wait until it is complete."""
        self.chrome.get(self.file.as_uri())
        self.wait_for_all()

    def wait_for_all(self) -> None:
        """Wait until the page is complete."""
        self.wait(lambda: self.run("return document.documentElement.dataset.ready") == "yes")

    def wait(self, condition: Callable[[], object]) -> None:
        WebDriverWait(self.chrome, PATIENCE, poll_frequency=0.02).until(lambda _: condition())

    def run(self, script: str, *arguments: object) -> Any:
        """Run a script in the page and return its result."""
        return self.chrome.execute_script(script, *arguments)

    def get(self, expression: str) -> Any:
        """Return a property of `window.rustpar`, or the result of calling it."""
        return self.run(f"return window.rustpar.{expression}")

    def at(self, selector: str) -> WebElement:
        """Return the first element that matches a CSS selector."""
        return self.chrome.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        """Return all elements that match a CSS selector."""
        return self.chrome.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        """Return the text of the first matching element, visible or not."""
        return str(self.run("return document.querySelector(arguments[0]).textContent", selector))

    def texts(self, selector: str) -> list[str]:
        """Return the texts of all matching elements."""
        script = "return Array.from(document.querySelectorAll(arguments[0]), (one) => one.textContent)"
        return list(self.run(script, selector))

    def unfold(self, selector: str) -> list[str]:
        """Open the details of a failure and return their texts, which the page only creates then."""
        self.at(f"{selector} summary").click()
        self.wait(lambda: self.all(f"{selector} pre"))
        return self.texts(f"{selector} pre")

    def figure(self, name: str) -> float:
        """Return a figure of the strip at the top as a number."""
        return float(self.at(f"[data-figure={name}]").get_attribute("data-value") or "nan")

    def press(self, *keys: str) -> None:
        """Press keys, sent to the element that has the focus."""
        for key in keys:
            ActionChains(self.chrome).send_keys(key).perform()

    def focus_lanes(self) -> None:
        """Put the focus on the timeline."""
        self.run("document.getElementById('lanes').focus()")

    def span(self) -> float:
        """Return the number of seconds of the run that are shown."""
        view = self.get("view")
        return float(view["to"] - view["from"])

    def pixels(self, colour: str, canvas: str = "lanes") -> int:
        """Return the number of pixels of a canvas that have this colour of the page."""
        self.run("window.rustpar.draw()")
        return int(self.run(PIXELS, canvas, colour))

    def place(self, test: int) -> tuple[int, int]:
        """Return the position of a test relative to the middle of the canvas."""
        self.chrome.execute_async_script(SETTLE)
        place, size = self.get(f"placeOf({test})"), self.at("#lanes").size
        return round(place["x"] - size["width"] / 2), round(place["y"] - size["height"] / 2)

    def wheel(self, amount: int) -> None:
        """Turn the wheel over the middle of the timeline."""
        self.chrome.execute_async_script(SETTLE)
        origin = ScrollOrigin.from_element(self.at("#lanes"))
        ActionChains(self.chrome).scroll_from_origin(origin, 0, amount).perform()

    def log(self, kind: str) -> list[dict[str, Any]]:
        """Return the new entries of a log of the browser."""
        entries: list[dict[str, Any]] = self.chrome.get_log(kind)  # type: ignore[no-untyped-call]
        return entries

    def complaints(self) -> list[str]:
        """Return messages of the browser's console and network requests of the page."""
        said = [entry["message"] for entry in self.log("browser")]
        events = [json.loads(entry["message"])["message"] for entry in self.log("performance")]
        asked = [
            event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"
        ]
        return said + [url for url in asked if not url.startswith(("data:", self.file.as_uri()))]
