"""Functions for tests of journals: find them and read their events."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import Suite

# The directory of a suite's journals.
RUNS = ".pytest_cache/d/rustpar/runs"

Events = list[dict[str, Any]]


def journals(suite: Suite) -> list[Path]:
    """Return the journals of a suite's runs, the oldest first."""

    def moment(path: Path) -> tuple[str, int]:
        # The name contains the time in seconds.
        return path.name.partition("-")[0], path.stat().st_mtime_ns

    return sorted((suite.path / RUNS).glob("*.jsonl"), key=moment)


def events(journal: Path) -> Events:
    """Return the events in a complete journal."""
    text = journal.read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]
