"""What tests of journals share: where they are, and what is in them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
