"""What must hold after each round, whatever was done to the run."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# A line that says why tests were not run. The death of a worker is no such reason: a replacement runs its tests.
_STOPPED = re.compile(
    r"stopping after|Interrupted|KeyboardInterrupt|INTERNALERROR|maximum crashed workers|worker restarting disabled"
    r"|died before|while collecting|could not|^ERROR|^\w*Error: |Fatal Python|loading shared libraries",
    re.MULTILINE | re.IGNORECASE,
)

# The line about lost tests, and a frame of a traceback.
_LOST = re.compile(r"rustpar: (?:(a) test was|([\d,]+) tests were) lost \(collected")
_FRAME = re.compile(r'^[^"\n]*File "([^"\n]+)", line \d+')


@dataclass
class Evidence:
    """What is known of a run that has ended.

    Attributes:
        status: The exit status; minus the number of the signal that killed it; None if it was killed at the bound.
        text: Standard output and standard error.
        reports: The node id, phase and outcome of each report.
        begun: How often each test has begun.
        processes: Processes of the run that were still there seconds later.
        files: Temporary files and shared memory that it has left.
        journal: Exit status and output of `rustpar report`; None if no journal was written.
        seconds: The duration of the run.
    """

    status: int | None
    text: str
    reports: list[tuple[str, str, str]] = field(default_factory=list)
    begun: Counter[str] = field(default_factory=Counter)
    processes: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    journal: tuple[int, str] | None = None
    seconds: float = 0.0

    def times_reported(self) -> Counter[str]:
        """Return how often each test was reported to its end: by its teardown, or as a crash or timeout."""
        return Counter(node_id for node_id, when, _ in self.reports if when in ("teardown", "???"))

    def outcomes(self) -> dict[str, str]:
        """Return the outcome of each reported test: the first that is not "passed"."""
        found: dict[str, str] = {}
        for node_id, _, outcome in self.reports:
            if found.get(node_id, "passed") == "passed":
                found[node_id] = outcome
        return found

    def crashed(self) -> set[str]:
        """Return the tests that were reported as a crash or timeout."""
        return {node_id for node_id, when, _ in self.reports if when == "???"}


def _own_tracebacks(text: str) -> list[str]:
    """Return the innermost frames of tracebacks that end in a file of rustpar."""
    found = []
    for part in text.split("Traceback (most recent call last)")[1:]:
        frames: list[str] = []
        error = ""
        for line in part.splitlines()[1:]:
            if match := _FRAME.match(line):
                frames.append(match[1])
            elif not re.match(r"^(INTERNALERROR>)?\s{2}", line) and frames:
                error = line
                break
        # pytest shows an Exit as a single line, unless it has no memory for that.
        if frames and "/rustpar/" in frames[-1] and "_pytest.outcomes.Exit: " not in error:
            found.append(f"a traceback ends in {frames[-1]}")
    if "panicked at" in text:
        found.append("a panic: " + next(line for line in text.splitlines() if "panicked at" in line))
    return found


def _common(evidence: Evidence) -> list[str]:
    """Return the violations of what holds for every run, also for one whose controller was killed."""
    found = []
    if evidence.status is None:
        found.append(f"it had not ended after {evidence.seconds:.0f} s")
    found += [f"a process was left: {process}" for process in evidence.processes]
    found += [f"a file was left: {file}" for file in evidence.files]
    found += _own_tracebacks(evidence.text)
    if evidence.journal is not None:
        status, output = evidence.journal
        found += [f"rustpar report: {words}" for words in _own_tracebacks(output)]
        if status not in (0, 1):
            found.append(f"rustpar report failed with status {status}: {output.strip()[-300:]}")
    return found


def _exactly_once(evidence: Evidence, expected: Mapping[str, str]) -> list[str]:
    """Return the tests that were reported more than once, never, or not at all expected."""
    times = evidence.times_reported()
    found = [f"{node_id} was reported {count} times" for node_id, count in times.items() if count > 1]
    found += [f"{node_id} is not in the suite" for node_id in times if node_id not in expected]
    found += [f"{node_id} was run {count} times" for node_id, count in evidence.begun.items() if count > 1]
    missing = sorted(expected.keys() - times.keys())
    if missing:
        if evidence.status == 0:
            found.append(f"exit status 0, but {len(missing)} tests are missing: {missing[:3]}")
        elif not _is_explained(evidence, missing):
            found.append(f"{len(missing)} tests are missing, which nothing says: {missing[:3]}")
    outcomes = evidence.outcomes()
    if evidence.status == 0 and (failed := [test for test, outcome in outcomes.items() if outcome == "failed"]):
        found.append(f"exit status 0, but {failed[:3]} failed")
    for node_id in outcomes.keys() & expected.keys():
        # One of whose end nothing is known has no outcome yet.
        if node_id in times and node_id not in evidence.crashed() and outcomes[node_id] != expected[node_id]:
            found.append(f"{node_id} is reported as {outcomes[node_id]}, and not {expected[node_id]}")
    return found


def _is_explained(evidence: Evidence, missing: list[str]) -> bool:
    """Return whether the output names missing tests as lost, or says that the run ended before them.

    An exit status that names a signal says so, too.
    """
    if match := _LOST.search(evidence.text):
        return len(missing) == (1 if match[1] else int(match[2].replace(",", "")))
    killed = evidence.status is not None and evidence.status < 0
    return killed or _STOPPED.search(evidence.text) is not None


def violations(
    evidence: Evidence, expected: Mapping[str, str], *, controller_killed: bool, limited: bool = False
) -> list[str]:
    """Return what is wrong with a disturbed run.

    Args:
        evidence: What is known of it.
        expected: The outcome of each test of the suite.
        controller_killed: Whether the process that the user has started was killed, so that it reports nothing.
        limited: Whether resources were limited, so that tests may fail and the journal may be missing.
    """
    found = _common(evidence)
    if controller_killed:
        return found + [f"{node_id} was run {n} times" for node_id, n in evidence.begun.items() if n > 1]
    wrong = _exactly_once(evidence, expected)
    if limited:
        # A test without memory or descriptors fails.
        wrong = [words for words in wrong if "is reported as failed" not in words]
    return found + wrong


def violations_of_next(evidence: Evidence, expected: Mapping[str, str], crashed: set[str]) -> list[str]:
    """Return what is wrong with an undisturbed run in the same directory, or with the resumed run.

    Args:
        evidence: What is known of it.
        expected: The outcome of each test of the suite.
        crashed: Tests that may be reported as crashed, because they were in the run that is resumed.
    """
    found = _common(evidence) + _exactly_once(evidence, expected)
    if unexpected := evidence.crashed() - crashed:
        found.append(f"{sorted(unexpected)[:3]} crashed without a fault")
    fails = "failed" in expected.values() or bool(evidence.crashed())
    if evidence.status != int(fails):
        found.append(f"exit status {evidence.status}, and not {int(fails)}")
    if missing := expected.keys() - evidence.times_reported().keys():
        found.append(f"{len(missing)} tests are missing from the next run")
    return found
