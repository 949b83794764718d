"""A plan in words: who runs how much, when it ends, and what decides that.

The hazard it handles: where no duration is known, times would be inventions. Then tests are counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rustpar._core import counted
from rustpar.terminal.table import aligned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rustpar import _core

# Tests or groups of the worker that ends last.
_MOST_SHOWN = 3

# A bound decides when the plan is longer by no more than this: better order could save no more.
_CLOSE = 1.1


@dataclass(frozen=True)
class Step:
    """A test in the plan; times are in seconds, or in tests where no duration is known."""

    test: int
    start: float
    end: float
    set_up: float

    @property
    def took(self) -> float:
        """What the test takes, with the shared fixtures that are set up for it."""
        return self.end - self.start


class View:
    """A plan and what it was made from."""

    def __init__(self, made: _core.Plan, about: dict[str, Any]) -> None:
        """Tell of `made`, which was made from what ``rustpar.cli.collection_recorder`` has written."""
        self.made = made
        self.node_ids: list[str] = about["node_ids"]
        self.groups: list[str | None] = about["groups"]
        self.dist: str = about["dist"]
        self.facts: dict[str, Any] = about["facts"]
        self.workers = [[Step(*step) for step in steps] for steps in made.workers]
        self.known = sum(seconds is not None for seconds in self.facts["seconds"])
        self.ends = [steps[-1].end if steps else 0.0 for steps in self.workers]
        self.end = max(self.ends)
        self._digits = 3 if self.end < 1 else 2 if self.end < 10 else 1

    def amount(self, value: float) -> str:
        """So much time, or so many tests."""
        if self.known:
            return f"{value:.{self._digits}f} s"
        # A part of a test is a test, but for the moments for which a policy waits.
        count = math.ceil(value - 0.05)
        return f"{count} test{'' if count == 1 else 's'}"

    def head(self) -> str:
        """What was planned."""
        total = len(self.node_ids)
        known = f"durations of {self.known} of {total} tests known"
        if self.known == total:
            known = f"durations of {total} tests known"
        elif not self.known:
            known = "no durations known: run the tests once, and times are shown"
        return f"{total} tests, {len(self.workers)} workers, --dist {self.dist}, {known}"

    def table(self) -> Iterator[str]:
        """The workers."""
        if not self.known:
            yield from aligned([("worker", "tests"), *self._rows(lambda *_: ())])
            return
        head = ("worker", "tests", "expected", "set-up", "ends at")
        yield from aligned([head, *self._rows(self._times)])

    def _times(self, steps: list[Step], end: float | None) -> tuple[str, ...]:
        took, set_up = sum(step.took for step in steps), sum(step.set_up for step in steps)
        return (self.amount(took), self.amount(set_up), "" if end is None else self.amount(end))

    def _rows(self, times: Any) -> Iterator[tuple[str, ...]]:
        for number, (steps, end) in enumerate(zip(self.workers, self.ends, strict=True)):
            yield (f"gw{number}", str(len(steps)), *times(steps, end))
        every = [step for steps in self.workers for step in steps]
        yield ("total", str(len(every)), *times(every, None))

    def result(self) -> str:
        """The whole, beside what it cannot be less than."""
        least = self.made.least
        above = round((self.end / least - 1) * 100) if least else 0
        return f"expected: {self.amount(self.end)}; lower bound {self.amount(least)} ({above} % above)"

    def gain(self, other: _core.Plan) -> str | None:
        """What `other`, the plan by duration, would save; None where no time is known."""
        if not self.known:
            return None
        end = max((steps[-1][2] for steps in other.workers if steps), default=0.0)
        less = round((1 - end / self.end) * 100) if self.end else 0
        if less < 1:
            return "--rustpar-plan=duration would save nothing"
        return f"--rustpar-plan=duration would take {self.amount(end)} ({less} % less), if no test depends on another"

    def reasons(self) -> Iterator[str]:
        """What decides how long it takes."""
        made = self.made
        rest = f"everything divided by {len(self.workers)} workers would be {self.amount(made.even)}"
        decided = []
        tests, took = made.longest
        if self._decides(took):
            decided.append(f"{self._name(tests)} alone {self._takes(took, 'stays on one worker')}")
        if made.serial and self._decides(made.around_serial):
            count = counted(sum(serial for _, serial, _ in self.facts["needs"]), "serial test")
            what = f"{count} with all of their groups" if made.units else count
            decided.append(f"nothing runs beside {what}: {self.amount(made.serial)}")
        for name, held in made.resources:
            if self._decides(held):
                places = counted(self.facts["places"].get(name, 1), "place")
                decided.append(f"resource {name} has {places}, and is held for {self.amount(held)}")
        yield from (f"{words}; {rest}" for words in decided)
        if not decided:
            if self.end <= made.even * _CLOSE:
                yield f"the work as a whole: {rest}"
            yield from self._last()

    def _takes(self, seconds: float, uncounted: str) -> str:
        return f"takes {self.amount(seconds)}" if self.known else uncounted

    def _decides(self, bound: float) -> bool:
        """Whether this, and not the amount of work, is why the run is not shorter."""
        return bound > self.made.even * 1.001 and self.end <= bound * _CLOSE

    def _last(self) -> Iterator[str]:
        number = self.ends.index(self.end)
        steps = self.workers[number]
        took: dict[int, list[Step]] = {}
        for step in steps:
            took.setdefault(self.made.units[step.test] if self.made.units else step.test, []).append(step)
        longest = sorted(took.values(), key=lambda steps: -sum(step.took for step in steps))[:_MOST_SHOWN]
        serial = {test for test, is_serial, _ in self.facts["needs"] if is_serial}
        what = "groups" if self.made.units else "tests"
        yield f"gw{number} ends last, at {self.amount(self.end)}; the longest of its {what}:"
        rows = []
        for found in longest:
            set_up = sum(step.set_up for step in found)
            words = f", {self.amount(set_up)} of it set-up of shared fixtures" if set_up else ""
            if any(step.test in serial for step in found):
                words += ", serial"
            name = self._name([step.test for step in found])
            rows.append((self.amount(sum(step.took for step in found)), f"{name}{words}"))
        width = max(len(amount) for amount, _ in rows)
        yield from (f"  {amount:>{width}}  {name}" for amount, name in rows)

    def _name(self, tests: list[int]) -> str:
        """A test by its node id; several by what they have in common."""
        node_id = self.node_ids[tests[0]]
        if len(tests) == 1:
            return node_id
        group = self.groups[tests[0]]
        if group is None:
            path, _, names = node_id.partition("::")
            scope = "" if self.dist == "loadfile" else names.partition("[")[0].rpartition("::")[0]
            group = f"{path}::{scope}" if scope else path
        return f"{group} ({len(tests)} tests)"


def lines(made: _core.Plan, about: dict[str, Any], other: _core.Plan | None) -> list[str]:
    """The plan `made` from what ``rustpar.cli.collection_recorder`` has written, beside it the one by duration."""
    view = View(made, about)
    told = [view.head(), *(f"warning: {warning}" for warning in about["warnings"])]
    reasons = [f"  {reason}" for reason in view.reasons()]
    gain = None if other is None else view.gain(other)
    gained = [] if gain is None else [gain]
    return [*told, "", *view.table(), "", view.result(), *gained, "what decides it:", *reasons]
