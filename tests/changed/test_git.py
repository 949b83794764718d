"""What git says: states of a repository, settings and variables of the user, and errors in one line."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.changed.project import PACKAGE, change, commit, git, names

if TYPE_CHECKING:
    from tests.harness import Suite

CHANGED = "VALUE = 2\n"


@pytest.fixture
def project(suite: Suite) -> Suite:
    """A repository with a package and its tests."""
    commit(suite, PACKAGE)
    return suite


@pytest.mark.parametrize("arguments", [("-n", "2"), ()])
def test_a_directory_in_no_repository_is_a_usage_error(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.write(PACKAGE)
    run = suite.run_with({"GIT_CEILING_DIRECTORIES": str(suite.path.parent)}, "--rustpar-changed", *arguments, n=None)
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    expected = f"ERROR: --rustpar-changed needs a git repository, and {suite.path} is in none"
    assert [line for line in run.text.splitlines() if "ERROR" in line] == [expected]


def test_a_missing_git_is_a_usage_error(project: Suite) -> None:
    run = project.run_with({"PATH": str(project.path)}, "--rustpar-changed", n=None)
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    assert "--rustpar-changed needs git, which is not on PATH" in run.text


def test_an_unknown_reference_is_a_usage_error(project: Suite) -> None:
    for reference, expected in {
        "absent": "git has no commit 'absent'; name a branch, a tag or a commit, and fetch it if the clone is shallow",
        "--output=x": "git has no commit '--output=x'",
        "tests": "'tests' is no commit; put paths before the option",
        "": "git has no commit ''",
    }.items():
        run = project.run(f"--rustpar-changed={reference}", n=None)
        assert run.ret == pytest.ExitCode.USAGE_ERROR, run.text
        assert expected in run.text
    assert not (project.path / "x").exists()


def test_a_repository_without_commits_is_a_usage_error(suite: Suite) -> None:
    suite.write(PACKAGE)
    git(suite.path, "init", "-q")
    run = suite.run("--rustpar-changed", n=None)
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    assert "git has no commit 'HEAD'" in run.text


def test_settings_and_variables_of_the_user_do_not_matter(project: Suite) -> None:
    other = project.part("elsewhere")
    commit(other, {})
    shutil.move(other.path, project.path.parent / "elsewhere")
    settings = {
        "diff.external": "false",
        "diff.noprefix": "true",
        "diff.relative": "true",
        "diff.ignoreSubmodules": "all",
        "diff.orderFile": "absent",
        "core.pager": "false",
        "core.quotePath": "true",
        "color.ui": "always",
        "status.showUntrackedFiles": "no",
        "core.fsmonitor": "false",
    }
    for name, value in settings.items():
        git(project.path, "config", name, value)
    change(project, {"pkg/low.py": CHANGED, "tests/test_nëw.py": "def test_new(): pass\n"})
    variables = {"GIT_DIR": str(project.path.parent / "elsewhere" / ".git"), "GIT_EXTERNAL_DIFF": "false"}
    assert names(project.run_with(variables, "--rustpar-changed", n=None)) == {"test_high", "test_new"}


def test_a_worktree_and_a_submodule_are_repositories_of_their_own(project: Suite) -> None:
    git(project.path, "worktree", "add", "-q", "tree")
    shutil.move(project.path / "tree", project.path.parent / "tree")
    git(project.path, "worktree", "repair", str(project.path.parent / "tree"))
    tree = project.path.parent / "tree"
    (tree / "pkg" / "low.py").write_text(CHANGED)
    result = project._pytester.run(sys.executable, "-m", "pytest", "--rustpar-changed", f"--rootdir={tree}", str(tree))
    result.stdout.fnmatch_lines(["rustpar: changed since HEAD: 1 file; 1 of 2 tests depends on it"])


def test_a_changed_submodule_concerns_every_test(project: Suite) -> None:
    inner = project.part("inner")
    commit(inner, {"module.py": ""})
    git(project.path, "-c", "protocol.file.allow=always", "submodule", "add", "-q", "./inner", "lib")
    commit(project, {})
    assert names(project.run("--rustpar-changed", n=None)) == set()
    (project.path / "lib" / "module.py").write_text(CHANGED)
    assert names(project.run("--rustpar-changed", n=None)) == {"test_high", "test_other"}


def test_names_that_are_not_utf_8_are_files_like_others(project: Suite) -> None:
    try:
        Path(str(project.path / "tests" / "data-\udcff.json")).write_text("{}")
    except OSError:
        pytest.skip("the file system does not allow it")
    assert names(project.run("--rustpar-changed", n=None)) == {"test_high", "test_other"}
