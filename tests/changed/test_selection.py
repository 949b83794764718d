"""Runs with `--rustpar-changed`: all ways to start workers, other selections, reasons, and nothing to run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.changed.project import PACKAGE, change, commit, git, names

if TYPE_CHECKING:
    from tests.harness import Suite

CHANGED = "VALUE = 2\n"
REASON = (
    "rustpar: tests/test_high.py (1 test): pkg/low.py has changed, imported by pkg/high.py, imported by "
    "tests/test_high.py"
)


@pytest.fixture
def project(suite: Suite) -> Suite:
    """A repository with a package and its tests."""
    commit(suite, PACKAGE | {"conftest.py": ""})
    return suite


def test_all_run_modes_select_the_same_tests_and_say_why(project: Suite, run_mode: str) -> None:
    change(project, {"pkg/low.py": CHANGED})
    run = project.run_in(run_mode, "--rustpar-changed", "-v")
    assert run.ret == 0
    assert names(run) == {"test_high"}
    if run_mode != "xdist":
        # xdist's own engine does not show what its workers have collected.
        assert run.line("changed since") == "rustpar: changed since HEAD: 1 file; 1 of 2 tests depends on it"
        assert run.line("imported by") == REASON
        assert run.counts() == {"passed": 1, "deselected": 1}


def test_nothing_to_run_is_a_success(project: Suite, run_mode: str) -> None:
    run = project.run_in(run_mode, "--rustpar-changed")
    assert run.ret == 0, run.text
    assert not run.runs
    if run_mode != "xdist":
        assert run.line("since HEAD") == "rustpar: nothing has changed since HEAD"


def test_a_change_on_which_no_test_depends_is_a_success(project: Suite) -> None:
    change(project, {"README.md": "x\n"})
    run = project.run("--rustpar-changed", n=None)
    assert run.ret == 0
    assert run.line("since HEAD") == "rustpar: no test depends on what has changed since HEAD: 1 file"


def test_a_suite_without_tests_fails_as_it_does_otherwise(project: Suite) -> None:
    change(project, {"pkg/low.py": CHANGED})
    run = project.run("--rustpar-changed", "-k", "absent", n=None)
    assert run.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert "rustpar: " not in run.out
    assert project.run("pkg", "--rustpar-changed", n=None).ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_the_working_tree_the_index_and_commits_since_the_reference_count(project: Suite) -> None:
    commit(project, {"pkg/low.py": CHANGED})
    assert names(project.run("--rustpar-changed", n=None)) == set()
    assert names(project.run("--rustpar-changed=HEAD~1", n=None)) == {"test_high"}
    change(project, {"pkg/other.py": CHANGED})
    git(project.path, "add", "pkg/other.py")
    assert names(project.run("--rustpar-changed=HEAD", n=None)) == {"test_other"}
    assert names(project.run("--rustpar-changed=HEAD~1", n=None)) == {"test_high", "test_other"}


def test_only_listing_gives_the_reasons(project: Suite) -> None:
    change(project, {"pkg/low.py": CHANGED})
    run = project.run("--rustpar-changed", "--collect-only", "-q", n=None)
    assert run.ret == 0
    assert REASON in run.lines
    assert "tests/test_high.py::test_high" in run.lines
    assert "tests/test_other.py::test_other" not in run.lines


def test_reasons_are_of_a_bounded_number_without_vv(project: Suite) -> None:
    tests = {f"tests/test_{number:02}.py": "import pkg.low\ndef test_it(): pass\n" for number in range(25)}
    commit(project, tests)
    change(project, {"pkg/low.py": CHANGED})
    counts = []
    for option in ("-q", "-v", "-vv"):
        run = project.run("--rustpar-changed", option, n=None)
        counts.append(sum("pkg/low.py has changed" in line for line in run.lines))
    assert counts == [0, 20, 26]
    assert project.run("--rustpar-changed", "-v", n=None).line("shows all") == "rustpar: and 6 more; -vv shows all"


@pytest.mark.parametrize("run_mode", ["plain", "template"])
def test_other_selections_apply_as_well(project: Suite, run_mode: str) -> None:
    tests = "import pkg.low\n" + "".join(f"def test_{number}(): pass\n" for number in range(6))
    commit(project, {"tests/test_many.py": tests})
    change(project, {"pkg/low.py": CHANGED})
    runs = [project.run_in(run_mode, "--rustpar-changed", f"--rustpar-shard={k}/2", "-k", "many") for k in (1, 2)]
    assert [run.ret for run in runs] == [0, 0]
    assert sorted(name for run in runs for name in names(run)) == [f"test_{number}" for number in range(6)]
    run = project.run_in(
        run_mode, "tests/test_many.py", "--rustpar-changed", "--deselect", "tests/test_many.py::test_0"
    )
    assert len(run.runs) == 5


def test_failed_tests_can_be_run_again(project: Suite) -> None:
    change(project, {"tests/test_high.py": "def test_high(): assert 0\ndef test_new(): pass\n"})
    assert project.run("--rustpar-changed", n=None).ret == pytest.ExitCode.TESTS_FAILED
    run = project.run("--rustpar-changed", "--lf", n=None)
    assert names(run) == {"test_high"}


def test_a_module_that_is_deselected_otherwise_imports_nothing_dynamically(project: Suite) -> None:
    # The helper is imported, but only by a test that does not run.
    commit(project, {"tests/helper.py": "", "tests/test_other.py": "import helper\ndef test_other(): pass\n"})
    change(project, {"tests/helper.py": CHANGED})
    run = project.run("--rustpar-changed", "-k", "high", n=None)
    assert run.ret == 0
    assert not run.runs


def test_the_top_of_the_repository_may_be_above_rootdir(suite: Suite) -> None:
    commit(suite, {"lib/shared/__init__.py": "", "app/pytest.ini": "[pytest]\npythonpath = ../lib\n"})
    app = {"tests/test_it.py": "import shared\ndef test_it(): pass\n", "tests/test_no.py": "def test_no(): pass\n"}
    commit(suite, {f"app/{name}": text for name, text in app.items()} | {"app/recorder.py": "", "app/support.py": ""})
    change(suite, {"lib/shared/__init__.py": CHANGED})
    (run,) = suite.run_each({"app": ("--rustpar-changed",)}).values()
    assert "1 of 2 tests depends on it" in run.out


def test_files_that_git_ignores_are_followed(project: Suite) -> None:
    (project.path / ".git" / "info" / "exclude").write_text("generated.py\n")
    change(
        project,
        {"pkg/generated.py": "import pkg.low\n", "tests/test_new.py": "import pkg.generated\ndef test_new(): pass\n"},
    )
    commit(project, {})
    change(project, {"pkg/low.py": CHANGED})
    assert names(project.run("--rustpar-changed", n=None)) == {"test_high", "test_new"}
