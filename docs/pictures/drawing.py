"""Renders a terminal screen as SVG, with fonts of the viewer's system.

A font that is wider or narrower than expected would misalign the columns. So every piece of text has a position and a
width, and the viewer stretches the text to that width.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pyte.screens import Char

# Words with single spaces between them: browsers treat multiple spaces differently.
PIECE = re.compile(r"\S+(?: \S+)*")

# Width of a character and height of a line, in pixels.
WIDTH, HEIGHT = 8.4, 19
SIZE = 14

# Margins around the text in pixels; the bar with the window's buttons is above it.
MARGIN, TOP = 16, 40

FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"

# A dark background, which is readable on a light and on a dark page.
BACKGROUND = "#1b1f24"
EDGE = "#444c56"
TEXT = "#d5dbe1"
COLOURS = {
    "default": TEXT,
    "brightblack": "#8b949e",
    "red": "#f4757d",
    "green": "#74c28f",
    "brown": "#d9b559",
    "cyan": "#6cb6d9",
}
BUTTONS = ("#f4757d", "#d9b559", "#74c28f")


def trimmed(rows: Sequence[Sequence[Char]]) -> list[Sequence[Char]]:
    """Return the rows without empty ones at the end."""
    last = max(number for number, row in enumerate(rows) if text(row).strip())
    return list(rows[: last + 1])


def text(cells: Sequence[Char]) -> str:
    """Return the text of cells."""
    return "".join(cell.data for cell in cells)


def pieces(row: Sequence[Char]) -> Iterator[tuple[int, str, str, bool]]:
    """Yield column, text, colour and boldness of each piece of a row with a uniform style and no gap."""
    start = 0
    for (colour, bold), cells in groupby(row, key=lambda cell: (cell.fg, cell.bold)):
        content = text(list(cells))
        for piece in PIECE.finditer(content):
            yield start + piece.start(), piece[0], COLOURS[colour], bold
        start += len(content)


def screen_as_svg(rows: Sequence[Sequence[Char]]) -> str:
    """Return the screen in a window, as SVG."""
    rows = trimmed(rows)
    width, height = round(len(rows[0]) * WIDTH) + 2 * MARGIN, TOP + len(rows) * HEIGHT + MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8" fill="{BACKGROUND}" stroke="{EDGE}"/>',
        *(f'<circle cx="{20 + 18 * n}" cy="18" r="5.5" fill="{colour}"/>' for n, colour in enumerate(BUTTONS)),
        f'<g font-family="{FONTS}" font-size="{SIZE}">',
    ]
    for number, row in enumerate(rows):
        for column, content, colour, bold in pieces(row):
            place = f'x="{MARGIN + column * WIDTH:.1f}" y="{TOP + number * HEIGHT + SIZE}"'
            look = f'textLength="{len(content) * WIDTH:.1f}" lengthAdjust="spacingAndGlyphs" fill="{colour}"'
            weight = ' font-weight="bold"' if bold else ""
            lines.append(f"<text {place} {look}{weight}>{escape(content)}</text>")
    return "\n".join([*lines, "</g>", "</svg>", ""])
