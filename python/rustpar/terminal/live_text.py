"""The text of the live block: how far the run is, and the tests that have been running longest.

Everything here is pure: a status, counts and a size in, lines out that fit the size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from _pytest._io.wcwidth import wcswidth, wcwidth

from rustpar._core import spoken
from rustpar.config.duration import clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rustpar import _core

# Seconds from which on a running test is named. Shorter ones would be gone before they are read.
_WORTH_NAMING = 0.5

# Running tests that are named at most.
_MOST_NAMED = 4

# Columns of the bar: no wider than it needs to be to show a percent or two, and not at all where it says nothing.
_WIDEST_BAR, _NARROWEST_BAR = 32, 6

# Seconds of the run that the history's word counts for, beside what the run itself has shown.
_TRUST = 3.0

# Categories of pytest's reporter in the order in which they are shown, their words and colours.
_CATEGORIES = (
    ("passed", "passed", "green"),
    ("failed", "failed", "red"),
    ("error", "errors", "red"),
    ("skipped", "skipped", "yellow"),
    ("xfailed", "xfailed", "yellow"),
    ("xpassed", "xpassed", "yellow"),
)


class Size(NamedTuple):
    """The size of a terminal, in characters."""

    columns: int
    lines: int


class Running(NamedTuple):
    """A test that runs: its worker's name, its node id and for how many seconds."""

    worker: str
    node_id: str
    seconds: float


class Signs(NamedTuple):
    """The signs of a bar, and that of a text that is cut."""

    full: str
    half: str
    empty: str
    cut: str


# For terminals that know them, and for those that only know ASCII.
DRAWN = Signs("━", "╸", "─", "…")
ASCII = Signs("=", ">", "-", "~")


class Style(NamedTuple):
    """How text looks on this terminal.

    Attributes:
        markup: Colours a text: ``markup(text, red=True)``.
        signs: The signs that are not letters.
    """

    markup: Callable[..., str]
    signs: Signs


class Part(NamedTuple):
    """A piece of a line, and its colour or nothing."""

    text: str
    colour: str = ""


def lines(
    status: _core.Status, counts: dict[str, int], running: Sequence[Running], size: Size, style: Style
) -> list[str]:
    """The lines of the block, with markup; none where the terminal is too low for any."""
    room = min(size.lines - 2, 1 + _MOST_NAMED)
    if room < 1:
        return []
    named = sorted((test for test in running if test.seconds >= _WORTH_NAMING), key=lambda test: -test.seconds)
    summary = _summary(status, counts, size.columns - 1, style.signs)
    tests = _tests(named[: room - 1], size.columns - 1, style.signs.cut)
    return [_marked_up(parts, size.columns - 1, style) for parts in (summary, *tests)]


def time_left(status: _core.Status, workers: int) -> float | None:
    """Seconds until all tests have run, if they go on as they did; None while nothing tells.

    At first the history is believed: so many workers do so many expected seconds in one. The longer the run, the more
    counts what it has shown itself.
    """
    trust = _TRUST if status.is_known else 0.0
    known = status.elapsed + trust
    if known < 1 or not status.expected:
        return None
    rate = (status.done + workers * trust) / known
    if rate == 0:
        return None
    return max(status.least_left, (status.expected - status.done) / rate)


def _summary(status: _core.Status, counts: dict[str, int], width: int, signs: Signs) -> list[Part]:
    """Percentage, bar, tests, outcomes, time left."""
    share = min(1.0, status.done / status.expected) if status.expected else 1.0
    shown = [(counts.get(key, 0), word, colour) for key, word, colour in _CATEGORIES]
    parts = [Part(f"{status.finished}/{status.tests}")]
    parts += [Part(f"{count} {word}", colour) for count, word, colour in shown if count]
    left = time_left(status, len(status.workers))
    if left is not None and round(left) > 0:
        parts.append(Part(f"{clock(left)} left"))
    percent = f"{int(share * 100):3}% "
    taken = wcswidth(percent) + sum(wcswidth(part.text) + 2 for part in parts)
    spaced = [spaced for part in parts for spaced in (Part("  "), part)]
    is_bad = bool(counts.get("failed") or counts.get("error"))
    bar = _bar(share, min(_WIDEST_BAR, width - taken), signs, "red" if is_bad else "green")
    return [Part(percent), *bar, *(spaced if bar else spaced[1:])]


def _bar(share: float, width: int, signs: Signs, colour: str) -> list[Part]:
    if width < _NARROWEST_BAR:
        return []
    halves = round(share * width * 2)
    done = signs.full * (halves // 2) + signs.half * (halves % 2)
    return [Part(done, colour), Part(signs.empty * (width - len(done)), "light")]


def _tests(named: Sequence[Running], width: int, cut: str) -> Iterable[list[Part]]:
    """A line for each test: worker, time, node id."""
    workers = max((wcswidth(test.worker) for test in named), default=0)
    times = max((len(spoken(test.seconds)) for test in named), default=0)
    for test in named:
        before = f"{test.worker:{workers}}  {spoken(test.seconds):>{times}}  "
        yield [Part(before, "light"), Part(_end_of(test.node_id, width - wcswidth(before), cut))]


def _end_of(node_id: str, width: int, cut: str) -> str:
    """A node id that fits; of one that does not, the end, where the test's name is."""
    text = "".join(sign if wcwidth(sign) >= 0 else "?" for sign in node_id)
    if wcswidth(text) <= width:
        return text
    kept = ""
    for sign in reversed(text):
        if wcswidth(cut + sign + kept) > width:
            break
        kept = sign + kept
    return cut + kept


def _marked_up(parts: Iterable[Part], width: int, style: Style) -> str:
    """The parts as one line that is no wider than this."""
    line = ""
    for text, colour in parts:
        while wcswidth(text) > width:
            text = text[:-1]
        width -= wcswidth(text)
        line += style.markup(text, **{colour: True}) if colour else text
    return line
