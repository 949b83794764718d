"""The size limit of journals: output of failures is shortened, and the journal says how much is omitted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import Suite

LOUD = """
    import pytest

    @pytest.mark.parametrize("n", range(COUNT))
    def test_it(n, record_property):
        print("the first line")
        for _ in range(200):
            print("x" * 5_000)
        print("the last line")
        record_property("large", "y" * 1_000_000)
        assert n < 0, "z" * 1_000_000
"""


def details(path: Path) -> list[dict[str, Any]]:
    events = [json.loads(line) for line in path.read_text().splitlines()]
    return [event for event in events if event["e"] == "detail"]


def loud(suite: Suite, count: int) -> None:
    suite.test(LOUD.replace("COUNT", str(count)))


@pytest.mark.parametrize("n", [None, "2"])
def test_a_journal_is_limited_and_says_how_much_is_omitted(suite: Suite, n: str | None) -> None:
    loud(suite, 5)
    run = suite.run("--rustpar-journal=run.jsonl", "-o", "rustpar_journal_size=1M", "--show-capture=no", n=n)
    assert run.counts() == {"failed": 5}
    assert (suite.path / "run.jsonl").stat().st_size < 1.3 * (1 << 20)
    found = details(suite.path / "run.jsonl")
    assert len(found) == 5
    for detail in found:
        ((title, text),) = detail["sections"]
        assert title == "Captured stdout call"
        assert text.startswith("the first line\n")
        assert text.endswith("the last line\n")
        assert "characters are left out here: see rustpar_journal_size" in text
        assert detail["cut"] > 2_000_000


def test_size_all_keeps_everything(suite: Suite) -> None:
    loud(suite, 2)
    suite.run("--rustpar-journal=run.jsonl", "-o", "rustpar_journal_size=all", "--show-capture=no")
    for detail in details(suite.path / "run.jsonl"):
        assert len(detail["sections"][0][1]) > 1_000_000
        assert "cut" not in detail


def test_an_invalid_journal_size_is_refused(suite: Suite) -> None:
    suite.test("def test_it(): assert 0\n")
    run = suite.run("-o", "rustpar_journal_size=much", n=None)
    assert run.ret == 4
    assert "rustpar_journal_size: invalid size 'much'" in run.text


def test_old_journals_are_deleted_when_they_exceed_the_total_size(suite: Suite) -> None:
    suite.test("def test_it(): pass\n")
    runs = suite.path / ".pytest_cache" / "d" / "rustpar" / "runs"
    for _ in range(4):
        suite.run(n=None)
    oldest, second, *_ = sorted(runs.iterdir())
    with second.open("a") as file:
        file.write(" " * (1 << 20))
    suite.run("-o", "rustpar_journal_size=50K", n=None)
    kept = list(runs.iterdir())
    assert oldest not in kept
    assert second not in kept
    assert len(kept) == 3
