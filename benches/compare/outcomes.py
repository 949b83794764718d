"""Outcomes of a run: how they are read from what each runner writes, and where two runs differ.

The recorder of this benchmark, and every runner that reports the phases of a test, yield exact outcomes. A runner that
only names a category for each test is compared by categories.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Outcomes = dict[str, str]


def joined(entries: Iterable[tuple[str, str]]) -> Outcomes:
    """Return outcomes by node id; several entries of one test are joined, so a repeated test counts as a difference."""
    outcomes: Outcomes = {}
    for outcome, nodeid in entries:
        outcomes[nodeid] = f"{outcomes[nodeid]}+{outcome}" if nodeid in outcomes else outcome
    return outcomes


def read_record(path: Path) -> Outcomes:
    """Read the file of the recorder; without a file there are no outcomes."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return joined((outcome, nodeid) for outcome, _, nodeid in (line.partition("\t") for line in lines))


def read_phases(path: Path) -> Outcomes:
    """Read the file of ``rstest --report-json``, which has the outcome of each phase of each test."""
    if not path.exists():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))
    broken = [("collection error", str(error)) for error in found["collect_errors"]]
    return joined([*broken, *((entry, test) for test, phases in found["tests"].items() for entry in recorded(phases))])


def recorded(phases: dict[str, Any]) -> Iterable[str]:
    """Yield what the recorder writes about the phases of a test."""
    for when in ("setup", "call", "teardown"):
        outcome = phases.get(when)
        if outcome and (when == "call" or outcome != "passed"):
            if outcome == "failed" and when != "call":
                yield f"error in {when}"
            else:
                yield f"x{outcome}" if phases.get("wasxfail") else outcome


def read_categories(path: Path) -> Outcomes:
    """Read the file of ``pytest-fast --dump``, which has one category for each test."""
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def category(outcome: str) -> str:
    """Return the word under which pytest's summary counts a recorded outcome."""
    parts = outcome.split("+")
    if any(part.startswith(("error in", "collection error")) for part in parts):
        return "error"
    renamed = {"xskipped": "xfailed"}
    words = [renamed.get(part, part) for part in parts]
    return next((word for word in ("failed", "xfailed", "xpassed", "skipped") if word in words), words[0])


def differing(base: Outcomes, other: Outcomes) -> list[str]:
    """Return one line for each test whose outcome differs, or that only one of the runs had."""
    return [
        f"{nodeid}: {base.get(nodeid, 'absent')} -> {other.get(nodeid, 'absent')}"
        for nodeid in sorted(base.keys() | other.keys())
        if base.get(nodeid) != other.get(nodeid)
    ]
