"""Makes the pictures of the README from a real run: ``python -m docs.pictures.make``, in the root of the repository.

A small suite runs twice, so that the second run has a history of durations. The second run writes to an emulated
terminal, of which one screen is saved as ``live-block.svg``. Chromium opens the timeline page of the same run for
``timeline-light.webp`` and ``timeline-dark.webp``.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from collections import Counter
from io import BytesIO
from pathlib import Path

import pyte
from PIL import Image, ImageOps

from docs.pictures import suite
from docs.pictures.drawing import screen_as_svg
from tests.browser.page import Page, start_chromium

HERE = Path(__file__).parent

COMMAND = ("pytest", "-n", "4", "--rustpar-timeline=report.html")

# Size of the terminal: as wide as a README shows it without scaling, and high enough for the output so far.
COLUMNS, LINES = 92, 24

# Size of the page in CSS pixels, and picture pixels per CSS pixel. A README is some 830 pixels wide, and a
# screen may have two physical pixels for each.
PAGE_WIDTH, PAGE_HEIGHT = 1000, 2000
SCALE = 2

# Returns the position of the lists, which the picture omits, and the colour of the page's lines, for a frame.
ASK = """
const style = getComputedStyle(document.documentElement);
const { top } = document.getElementById("failures-section").getBoundingClientRect();
return [top, style.getPropertyValue("--line")];
"""

# Number of the most frequent colours that are kept exactly, and number of colours that approximate all others, which
# are edges of letters. A picture takes 47 kB, and 71 kB with all of its 1,850 colours.
EXACT, APPROXIMATE = 24, 40

# Range of progress, in per cent, from which the screen for the picture is chosen.
MIDDLE = range(40, 75)

# Environment variables that influence the output of a run.
DROPPED = re.compile("CI|BUILD_NUMBER|NO_COLOR|FORCE_COLOR|PY_COLORS|COLUMNS|LINES|PYTEST_.*")

# The directory of the suite as shown in the pictures: its real name differs from run to run.
SHOWN_DIRECTORY = "/home/me/shop"


def environment() -> dict[str, str]:
    """Return the environment variables of a run on a terminal."""
    inherited = {name: value for name, value in os.environ.items() if not DROPPED.fullmatch(name)}
    return {**inherited, "TERM": "xterm-256color"}


def chunks(directory: Path) -> list[bytes]:
    """Run the suite on a terminal and return its output in chunks as they arrived."""
    master, slave = pty.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    run = subprocess.Popen(
        [sys.executable, "-m", *COMMAND],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=directory,
        env=environment(),
        start_new_session=True,
    )
    os.close(slave)
    found = []
    while True:
        try:
            data = os.read(master, 65536)
        except OSError:  # The other end is closed.
            break
        found.append(data)
    os.close(master)
    run.wait()
    return found


def interest(lines: list[str]) -> tuple[int, int]:
    """Rate a screen: number of tests below the bar and progress, or zeros if it is not in the middle of the run."""
    bars = [found for line in lines if (found := re.match(r" *(\d+)% ━.* \d failed .*left", line))]
    percent = int(bars[0][1]) if bars else 0
    named = sum(line.startswith("gw") for line in lines)
    return (named, percent) if percent in MIDDLE else (0, 0)


def live_block(arrived: list[bytes], directory: Path) -> str:
    """Return the best-rated screen of a run as SVG."""
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    stream.feed(f"\x1b[1m$\x1b[0m {' '.join(COMMAND)}\r\n".encode())
    most, picture = (0, 0), ""
    for data in arrived:
        shown = data.replace(str(directory).encode(), SHOWN_DIRECTORY.encode())
        # The emulator does not support faint text, so it is drawn in grey.
        stream.feed(shown.replace(b"\x1b[2m", b"\x1b[90m"))
        if (found := interest(screen.display)) > most:
            most = found
            picture = screen_as_svg(
                [[screen.buffer[line][column] for column in range(COLUMNS)] for line in range(LINES)]
            )
    if not picture:
        sys.exit("no live block was seen in the middle of the run")
    return picture


def screenshot(page: Page) -> Image.Image:
    """Return a framed screenshot of the page down to its lists."""
    height, line = page.run(ASK)
    with Image.open(BytesIO(page.chrome.get_screenshot_as_png())) as whole:
        part = whole.convert("RGB").crop((0, 0, whole.width, round(height * SCALE)))
    return ImageOps.expand(part, border=SCALE, fill=line)


def compressed(picture: Image.Image) -> bytes:
    """Return a picture, reduced to few colours, as lossless WebP."""
    channels = picture.tobytes()
    counted = Counter(zip(channels[::3], channels[1::3], channels[2::3], strict=True))
    frequent = [channel for colour, _ in counted.most_common(EXACT) for channel in colour]
    few = picture.quantize(APPROXIMATE, method=Image.Quantize.MAXCOVERAGE)
    palette = Image.new("P", (1, 1))
    palette.putpalette(frequent + (few.getpalette() or []))
    file = BytesIO()
    reduced = picture.quantize(palette=palette, dither=Image.Dither.NONE)
    reduced.convert("RGB").save(file, "WEBP", lossless=True, quality=100, method=6)
    return file.getvalue()


def timelines(directory: Path) -> dict[str, bytes]:
    """Return the timeline page in light and in dark colours, each as WebP."""
    chrome = start_chromium()
    try:
        size = {"width": PAGE_WIDTH, "height": PAGE_HEIGHT, "deviceScaleFactor": SCALE, "mobile": False}
        chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        chrome.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
        page = Page(chrome, directory)
        found = {}
        for scheme in ("light", "dark"):
            media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
            chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
            page.load()
            found[scheme] = compressed(screenshot(page))
        return found
    finally:
        chrome.quit()


def main() -> None:
    """Run the suite and write the pictures beside this file."""
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary).resolve() / "shop"
        suite.write(directory)
        chunks(directory)
        arrived = chunks(directory)
        pictures = {"live-block.svg": live_block(arrived, directory).encode()}
        pictures |= {f"timeline-{scheme}.webp": data for scheme, data in timelines(directory).items()}
    for name, data in pictures.items():
        (HERE / name).write_bytes(data)
        print(f"{name}: {len(data) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
