"""Plays a round: the disturbed run, and the run that follows it in the same directory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.chaos.faults import Damage
from tests.chaos.invariants import violations, violations_of_next
from tests.chaos.running import Directory

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chaos.rounds import Round


@dataclass
class Result:
    """The result of a round.

    Attributes:
        violations: The invariants that do not hold.
        done: The signals that were sent: a process may not exist at the moment of its fault.
        status: The exit status of the disturbed run.
        seconds: Its duration.
    """

    violations: list[str]
    done: list[str]
    status: int | None
    seconds: float

    def verdict(self) -> str:
        """Return "ok", or the violations in lines of their own."""
        about = f"status {self.status}, {self.seconds:.1f} s"
        return "\n  VIOLATED: ".join(["", *self.violations]).lstrip("\n") or f"{about}: ok"


def play(round_: Round, path: Path) -> Result:
    """Play a round in an empty directory, in which the outputs of its runs are kept."""
    directory = Directory(path)
    round_.shape.write(directory.suite)
    expected = round_.shape.expected()
    found: list[str] = []
    if any(isinstance(fault, Damage) for fault in round_.faults):
        first, _ = directory.run(["-n", "2"])
        found += [f"before: {words}" for words in violations_of_next(first, expected, set())]
    try:
        evidence, disturbance = directory.run(round_.arguments, round_.faults, round_.niceness, round_.pauses())
    finally:
        directory.unmount()
    (path / "disturbed.txt").write_text(evidence.text)
    killed = disturbance.controller_killed
    limited = round_.limits_resources()
    if limited:
        # Its journal may be missing, or its limits make the reading of it fail.
        evidence.journal = None
    found += violations(evidence, expected, controller_killed=killed, limited=limited)
    following = [option for option in round_.arguments if option not in ("-x", "--maxfail=2")]
    if killed:
        following.append("--rustpar-resume")
    after, _ = directory.run(following)
    (path / "next.txt").write_text(after.text)
    crashed = set(evidence.begun) if killed else set()
    found += [f"next run: {words}" for words in violations_of_next(after, expected, crashed)]
    return Result(found, disturbance.done, evidence.status, evidence.seconds)
