"""Output and links in the documentation are correct."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.harness import RUN_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness import Suite

ROOT = Path(__file__).parent.parent
REPOSITORY = "https://github.com/pytest-rustpar/pytest-rustpar/blob/main/"
FILES = "https://raw.githubusercontent.com/pytest-rustpar/pytest-rustpar/main/"

BLOCK = re.compile(r'```(\w+)(?: title="([\w.]+)")?\n(.*?)```', re.DOTALL)

# Parts of the output that differ between runs, machines and versions.
REDACTED = (
    (r"\d+(?:\.\d+)? (?:us|ms|s)\b|\d+\.\d+s\b", "TIME"),
    (r"\d+\.\d+x", "RATIO"),
    (r"(?<=linux -- Python ).*", "VERSIONS"),
    (r"(?<=rustpar: )\d[\w.]*", "VERSION"),
    (r"(?<=rootdir: ).*", "DIRECTORY"),
    (r"(?<=plugins: ).*", "PLUGINS"),
    (r"\d+(?:\.\d+)? %", "PERCENT"),
    (r"\bgw\d+\b", "WORKER"),
    (r"={3,}", "==="),
    (r"[ \t]+", " "),
)

# A line that matches any number of lines.
ANY_LINES = "…"


def blocks(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield language, title and content of each code block."""
    for found in BLOCK.finditer(text):
        yield found[1], found[2] or "", found[3]


def redacted(text: str) -> str:
    for pattern, word in REDACTED:
        text = re.sub(pattern, word, text)
    return "".join(f"{line.strip()}\n" for line in text.splitlines())


def expected_pattern(text: str) -> re.Pattern[str]:
    """Return a pattern that the real output must match, made from the output shown on a page."""
    lines = redacted(text).splitlines()
    return re.compile("".join("(?:.*\n)*?" if line == ANY_LINES else re.escape(line) + "\n" for line in lines))


def test_the_output_in_the_tutorial_is_what_its_commands_print(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    commands = 0
    for language, title, content in blocks((ROOT / "docs" / "tutorial.md").read_text()):
        if title:
            (suite.path / title).write_text(content)
        elif language == "console":
            command, _, output = content.removeprefix("$ ").partition("\n")
            done = subprocess.run(
                shlex.split(command), cwd=suite.path, capture_output=True, text=True, timeout=RUN_LIMIT, check=False
            )
            assert expected_pattern(output).fullmatch(redacted(done.stdout)), done.stdout
            commands += 1
    assert commands > 2


def test_links_in_the_readme_are_absolute_and_valid() -> None:
    text = re.sub(r"```.*?```", "", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)]+)\)|(?:src|srcset|href)=\"([^\"]+)\"", text)
    for link in (first or second for first, second in links):
        if link.startswith("#"):
            continue
        # Relative links do not work on PyPI.
        assert link.startswith("https://"), link
        for site in (REPOSITORY, FILES):
            file = link.removeprefix(site).partition("#")[0]
            assert not link.startswith(site) or (ROOT / file).is_file(), link
