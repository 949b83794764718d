#!/usr/bin/env python3
"""Make the corpora of journals, histories, databases and values anew, from a real run.

    python fuzz/make_corpus.py

Needs pytest-rustpar, pytest-xdist, pytest-cov and coverage in this Python. The corpus of frames comes from Rust:
`cargo test --test fuzz -- --ignored`.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rustpar import _core

CORPUS = Path(__file__).resolve().parent / "corpus"

# Tests of all outcomes, with fixtures, parameters and output.
SUITE = """
import os
import warnings

import pytest


@pytest.fixture(scope="module")
def shop():
    return ["tea"]


@pytest.mark.parametrize("n", [1, "two", None])
def test_passes(n, shop):
    assert shop or n


def test_fails(record_property):
    print("a printed word")
    record_property("ordered", "tea")
    assert {"tea": 1} == {"tea": 2}


@pytest.mark.skip(reason="not today")
def test_skips(): pass


@pytest.mark.xfail
def test_is_expected_to_fail(): assert False


@pytest.fixture
def broken():
    raise RuntimeError("no shop")


def test_has_an_error(broken): pass


def test_warns():
    warnings.warn("soon to go")


def test_crashes():
    os._exit(3)
"""

# One of each type, as reports have them, and what is rare.
VALUES: dict[str, Any] = {
    "report": {
        "nodeid": "test_it.py::test_it[ä]",
        "location": ("test_it.py", 3, "test_it"),
        "keywords": {"test_it": 1},
        "outcome": "failed",
        "longrepr": {"reprcrash": {"path": "/tmp/test_it.py", "lineno": 4, "message": "assert 1 == 2"}, "sections": []},
        "when": "call",
        "duration": 0.25,
        "user_properties": [("ordered", "tea")],
    },
    "types": [None, True, -1, 1 << 80, 2.5, 1 - 2j, "ä", "\udce4", b"\xff", {1, 2}, frozenset([3]), (4,), {5: [6]}],
    "deep": [[[[[[[[()]]]]]]]],
}


def run(directory: Path, *args: str) -> None:
    """Run the suite; its tests fail, so its exit status tells nothing."""
    subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *args], cwd=directory, check=False)


def small(database: Path, to: Path) -> None:
    """Copy a database with the smallest pages that there are, so that few rows fill many of them."""
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA page_size = 512")
        connection.execute("VACUUM")
    connection.close()
    shutil.copyfile(database, to)


def without_machine(journal: Path, to: Path) -> None:
    """Copy a journal without what tells of the machine that it was made on."""
    first, *rest = journal.read_text(encoding="utf-8").splitlines(keepends=True)
    head = json.loads(first)
    head["machine"] = dict.fromkeys(head["machine"], "1")
    to.write_text(json.dumps(head, separators=(",", ":")) + "\n" + "".join(rest), encoding="utf-8")


def main() -> None:
    """Make them."""
    for target in ("journals", "histories", "sqlite", "values"):
        shutil.rmtree(CORPUS / target, ignore_errors=True)
        (CORPUS / target).mkdir(parents=True)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "test_shop.py").write_text(SUITE, encoding="utf-8")
        for kind, args in {"lines": [], "branches": ["--cov-branch", "--cov-context=test"]}.items():
            files = ["--rustpar-history=history", f"--rustpar-journal={kind}.journal"]
            run(directory, "-n2", *files, "--cov=.", "--cov-report=", *args)
            small(directory / ".coverage", CORPUS / "sqlite" / kind)
            without_machine(directory / f"{kind}.journal", CORPUS / "journals" / kind)
            shutil.copyfile(directory / "history", CORPUS / "histories" / kind)
    for kind, value in VALUES.items():
        encoded, _ = _core.dumps(value)
        (CORPUS / "values" / kind).write_bytes(encoded)
    print(f"made in {CORPUS}")


if __name__ == "__main__":
    main()
