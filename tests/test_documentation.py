"""What the documentation shows is what happens."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness import Suite

ROOT = Path(__file__).parent.parent
REPOSITORY = "https://github.com/pytest-rustpar/pytest-rustpar/blob/main/"

BLOCK = re.compile(r'```(\w+)(?: title="([\w.]+)")?\n(.*?)```', re.DOTALL)

# What differs from run to run, from machine to machine and from version to version.
REDACTED = (
    (r"\d+(?:\.\d+)? (?:us|ms|s)\b|\d+\.\d+s\b", "TIME"),
    (r"(?<= )\d+(?:\.\d+)? times\b", "N times"),
    (r"(?<=linux -- Python ).*", "VERSIONS"),
    (r"(?<=rustpar: )\d[\w.]*", "VERSION"),
    (r"(?<=rootdir: ).*", "DIRECTORY"),
    (r"(?<=plugins: ).*", "PLUGINS"),
    (r"\d+(?:\.\d+)? %", "N %"),
    (r"\s{2,}", "  "),
    (r"={3,}", "==="),
    (r"\bgw\d+\b", "gwN"),
)


def blocks(text: str) -> Iterator[tuple[str, str, str]]:
    """Language, title and content of each block of code."""
    for found in BLOCK.finditer(text):
        yield found[1], found[2] or "", found[3]


def redacted(text: str) -> list[str]:
    for pattern, word in REDACTED:
        text = re.sub(pattern, word, text) if pattern != r"\s{2,}" else re.sub(r"[ \t]{2,}", word, text)
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def test_the_tutorial_shows_what_its_commands_print(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    commands = 0
    for language, title, content in blocks((ROOT / "docs" / "tutorial.md").read_text()):
        if title:
            (suite.path / title).write_text(content)
        elif language == "console":
            command, _, shown = content.removeprefix("$ ").partition("\n")
            done = subprocess.run(
                shlex.split(command), cwd=suite.path, capture_output=True, text=True, timeout=100, check=False
            )
            assert redacted(done.stdout) == redacted(shown), done.stdout
            commands += 1
    assert commands > 2


def test_links_of_the_readme_lead_somewhere_on_every_site() -> None:
    text = re.sub(r"```.*?```", "", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)]+)\)|(?:src|href)=\"([^\"]+)\"", text)
    for link in (first or second for first, second in links):
        if link.startswith("#"):
            continue
        # On PyPI nothing is beside it.
        assert link.startswith("https://"), link
        file = link.removeprefix(REPOSITORY).partition("#")[0]
        assert not link.startswith(REPOSITORY) or (ROOT / file).exists(), link
