"""What tests of journals share: where they are, what is in them, and how one is written by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.harness import Suite

# Where the journals of a suite's runs are.
RUNS = ".pytest_cache/d/rustpar/runs"

Events = list[dict[str, Any]]


def journals(suite: Suite) -> list[Path]:
    """The journals of a suite's runs; earlier ones first."""

    def moment(path: Path) -> tuple[str, int]:
        # The name tells the second.
        return path.name.partition("-")[0], path.stat().st_mtime_ns

    return sorted((suite.path / RUNS).glob("*.jsonl"), key=moment)


def events(journal: Path) -> Events:
    """The events in a journal, which is to be whole."""
    text = journal.read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def written(path: Path, events: Sequence[dict[str, Any]], **options: str) -> Path:
    """Write a journal of a run with these options."""
    head = {"e": "run", "format": "rustpar-journal", "version": 1, "id": "one", "began": 0, "command": []}
    lines = [head | {"options": options}, *events]
    path.write_text("".join(f"{json.dumps(line, separators=(',', ':'))}\n" for line in lines))
    return path
