"""A suite in a git repository, and the tests that `--rustpar-changed` selects in it."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.harness import Run, Suite

# What the tests themselves write.
IGNORED = "out\nerr\nstatus\nstd*\nrunpytest-*\nreports.jsonl\nnotes.log\nrun_each.py\n__pycache__\n.pytest_cache\n"

ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    **{f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}

# A package with two modules, one of which imports the other, and a test of each.
PACKAGE = {
    "pkg/__init__.py": "",
    "pkg/low.py": "VALUE = 1\n",
    "pkg/high.py": "from pkg.low import VALUE\n",
    "pkg/other.py": "",
    "tests/test_high.py": "import pkg.high\ndef test_high(): pass\n",
    "tests/test_other.py": "from pkg import other\ndef test_other(): pass\n",
}


def git(directory: Path, *arguments: str) -> str:
    """Run git without the settings of the machine; return what it prints."""
    done = subprocess.run(
        ["git", *arguments],
        cwd=directory,
        env=os.environ | ENVIRONMENT,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def commit(suite: Suite, files: Mapping[str, str]) -> None:
    """Write files and commit everything; the first time, make the repository."""
    suite.write(files)
    if not (suite.path / ".git").exists():
        suite.write({".gitignore": IGNORED})
        git(suite.path, "init", "-q", "-b", "main")
    git(suite.path, "add", "-A")
    git(suite.path, "commit", "-q", "--allow-empty", "-m", "a commit")


def change(suite: Suite, files: Mapping[str, str | None]) -> None:
    """Write files, or delete them for None."""
    for name, text in files.items():
        if text is None:
            (suite.path / name).unlink()
        else:
            suite.write({name: text})


def names(run: Run) -> set[str]:
    """Return the names of the tests that ran, without their files and parameters."""
    return {node_id.rpartition("::")[2].partition("[")[0] for node_id in run.runs}


class Case:
    """Files of a repository, what is changed in them, and the tests that have to run."""

    def __init__(self, files: Mapping[str, str], changed: Mapping[str, str | None], expected: str) -> None:
        """Expect the tests with these names, separated by spaces."""
        self.files = files
        self.changed = changed
        self.expected = set(expected.split())


def check(suite: Suite, cases: Mapping[str, Case], *args: str) -> dict[str, Run]:
    """Run all cases, each in a repository of its own; return the runs by name."""
    for name, case in cases.items():
        part = suite.part(name)
        commit(part, case.files)
        change(part, case.changed)
    runs = suite.run_each(dict.fromkeys(cases, ("--rustpar-changed", "-v", *args)))
    for name, case in cases.items():
        assert names(runs[name]) == case.expected, f"{name}: {runs[name].text}"
        assert runs[name].ret == 0, f"{name}: {runs[name].text}"
    return runs
