"""What tests import and open while they run counts in later runs, although no file says it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.changed.project import PACKAGE, change, commit, names

if TYPE_CHECKING:
    from tests.harness import Suite

CHANGED = "VALUE = 2\n"
RECORDING = ("-o", "rustpar_record_imports=true")
PATHS = ("-o", "pythonpath=. extra ../loader")


@pytest.fixture
def project(suite: Suite) -> Suite:
    """A suite with an import and a file that no literal names; the importing function is not in the repository."""
    suite.write({"../loader/load.py": "def load(*parts): return __import__(''.join(parts))\n"})
    files = PACKAGE | {
        "extra/lazy.py": "import far\n",
        "extra/far.py": "",
        "docs/values.md": "1\n",
        "pkg/reader.py": "from pathlib import Path\n"
        "def read(): return (Path(__file__).parents[1] / 'docs' / ('val' + 'ues.md')).read_text()\n",
        "tests/test_high.py": "from load import load\ndef test_high(): load('la', 'zy')\n",
        "tests/test_other.py": "def test_other():\n    import far\n",
        "tests/test_read.py": "from pkg.reader import read\ndef test_read(): assert read()\n",
    }
    commit(suite, files)
    return suite


def test_what_was_seen_counts_in_the_next_run(project: Suite, run_mode: str) -> None:
    def select(path: str) -> set[str]:
        before = (project.path / path).read_text()
        change(project, {path: before + "\n"})
        run = project.run_in(run_mode, "--rustpar-changed", "--collect-only", "-q", *PATHS)
        (project.path / path).write_text(before)
        return {line.rpartition("::")[2] for line in run.lines if "::" in line and not line.startswith("rustpar")}

    assert select("extra/far.py") == {"test_other"}
    assert select("docs/values.md") == set()
    run = project.run_in(run_mode, *RECORDING, *PATHS)
    assert run.ret == 0, run.text
    assert names(run) == {"test_high", "test_other", "test_read"}
    assert select("extra/far.py") == {"test_high", "test_other", "test_read"}
    assert select("docs/values.md") == {"test_read"}


def test_a_selection_records_as_well(project: Suite) -> None:
    change(project, {"pkg/reader.py": (project.path / "pkg/reader.py").read_text() + "\n"})
    assert names(project.run("--rustpar-changed", *PATHS, n=None)) == {"test_read"}
    commit(project, {})
    change(project, {"docs/values.md": "2\n"})
    run = project.run("--rustpar-changed", "-v", *PATHS, n=None)
    assert names(run) == {"test_read"}
    assert "docs/values.md has changed, opened by pkg/reader.py, imported by tests/test_read.py" in run.out


def test_recording_without_a_repository_is_a_warning(suite: Suite) -> None:
    suite.write(PACKAGE)
    run = suite.run_with({"GIT_CEILING_DIRECTORIES": str(suite.path.parent)}, *RECORDING, n=None)
    assert run.ret == 0
    assert "rustpar_record_imports: --rustpar-changed needs a git repository" in run.out


def test_damaged_files_are_reported_and_replaced(project: Suite) -> None:
    history = ("--rustpar-history=h.json", *PATHS)
    change(project, {"pkg/low.py": CHANGED})
    for name in ("h.scans.json", "h.imports.json"):
        (project.path / name).write_text("{")
    run = project.run("--rustpar-changed", *history, n=None)
    assert sum("cannot be used" in line and line.endswith("the run begins a new one") for line in run.lines) == 2
    assert run.ret == 0
    assert "cannot be used" not in project.run("--rustpar-changed", *history, n=None).out
