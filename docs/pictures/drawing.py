"""A terminal's screen as SVG, with the fonts of whoever looks at it.

The hazard it handles: a font that is wider or narrower than expected would tear the columns apart. Every piece of text
has its place and its width, and the viewer stretches what it writes to that.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pyte.screens import Char

# Words with single spaces between them: browsers do not agree on how to keep more.
PIECE = re.compile(r"\S+(?: \S+)*")

# Pixels of a character, and from line to line.
WIDTH, HEIGHT = 8.4, 19
SIZE = 14

# Pixels around the text; above it is the bar with the window's buttons.
MARGIN, TOP = 16, 40

FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"

# On a dark ground, which can be read on a light page and on a dark one.
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
    """The rows without the empty ones at the end."""
    last = max(number for number, row in enumerate(rows) if text(row).strip())
    return list(rows[: last + 1])


def text(cells: Sequence[Char]) -> str:
    """What cells have in them."""
    return "".join(cell.data for cell in cells)


def pieces(row: Sequence[Char]) -> Iterator[tuple[int, str, str, bool]]:
    """Column, text, colour and boldness of each piece of a row that has one style and no gap."""
    start = 0
    for (colour, bold), cells in groupby(row, key=lambda cell: (cell.fg, cell.bold)):
        content = text(list(cells))
        for piece in PIECE.finditer(content):
            yield start + piece.start(), piece[0], COLOURS[colour], bold
        start += len(content)


def drawn(rows: Sequence[Sequence[Char]]) -> str:
    """The screen in a window, as SVG."""
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
