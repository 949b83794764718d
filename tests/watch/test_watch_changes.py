"""What runs after which change."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from tests.changed.project import commit, git
from tests.watch.watching import BROKEN, HIGH, PACKAGE, WHOLE, watching

if TYPE_CHECKING:
    from tests.harness import Suite

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pseudo-terminals and processes are looked at in /proc")


def test_a_change_runs_the_affected_tests_and_those_that_failed_first_until_they_pass(suite: Suite) -> None:
    commit(suite, PACKAGE)
    with watching(suite) as watch:
        watch.wait_for_run(1)
        assert watch.ran() == [*HIGH, "test_other"]
        watch.change(other=BROKEN)
        watch.wait_for_run(2)
        assert watch.ran() == ["test_other"]
        assert "1 failed in" in watch.last()
        watch.change(low="VALUE = 2\n")
        watch.wait_for_run(3)
        assert watch.ran() == ["test_other", *HIGH]
        watch.wait_for("failing:\n  tests/test_other.py::test_other")
        watch.change(other=WHOLE)
        watch.wait_for_run(4)
        assert watch.ran() == ["test_other"]
        watch.change(low=WHOLE)
        watch.wait_for_run(5)
        assert watch.ran() == HIGH
        assert "failing" not in watch.last()


def test_a_change_that_no_test_depends_on_is_told(suite: Suite) -> None:
    commit(suite, PACKAGE)
    with watching(suite) as watch:
        watch.wait_for_run(1)
        watch.write({"README.md": "text\n"})
        watch.wait_for_run(2)
        assert watch.ran() == []
        watch.wait_for("rustpar watch: no test depends on README.md (new)")


def test_without_git_the_affected_tests_run_too(suite: Suite) -> None:
    suite.write(PACKAGE)
    with watching(suite, environment={"GIT_CEILING_DIRECTORIES": str(suite.path.parent)}) as watch:
        watch.wait_for_run(1)
        watch.change(low=BROKEN)
        watch.wait_for_run(2)
        assert watch.ran() == HIGH
        watch.write({"new/deep/test_new.py": "def test_new(): pass\n"})
        watch.wait_for_run(3)
        assert watch.ran() == ["test_high", "test_new"]
        # A file in a directory that came into being while it was watched.
        watch.write({"new/deep/test_newer.py": "def test_newer(): pass\n"})
        watch.wait_for_run(4)
        assert watch.ran() == ["test_high", "test_newer"]


def test_with_workers_the_affected_tests_run_too(suite: Suite) -> None:
    commit(suite, PACKAGE)
    with watching(suite, "-n", "2") as watch:
        watch.wait_for_run(1)
        watch.change(low=BROKEN)
        watch.wait_for_run(2)
        assert "3 tests" in watch.last()
        watch.wait_for("1 failed, 1 passed in")
        watch.change(other="VALUE = 2\n")
        watch.wait_for_run(3)
        watch.wait_for("1 failed, 1 passed in")


def test_a_saved_file_without_another_content_runs_nothing(suite: Suite) -> None:
    commit(suite, PACKAGE)
    with watching(suite) as watch:
        watch.wait_for_run(1)
        watch.write({"low.py": PACKAGE["low.py"]})
        os.utime(suite.path / "high.py")
        watch.write({".low.py.swp": "x", "__pycache__/low.pyc": "x", ".pytest_cache/x": "x"})
        watch.does_not_run()


def test_a_syntax_error_is_shown_and_the_tests_run_when_it_is_mended(suite: Suite) -> None:
    commit(suite, PACKAGE)
    with watching(suite) as watch:
        watch.wait_for_run(1)
        watch.write({"tests/test_other.py": "def test_other(:\n"})
        watch.wait_for_run(2)
        assert "SyntaxError" in watch.last()
        watch.wait_for("failing:\n  tests/test_other.py")
        # What this affects could not run, and does later.
        watch.change(low="VALUE = 3\n")
        watch.wait_for_run(3)
        assert watch.ran() == []
        watch.write({"tests/test_other.py": PACKAGE["tests/test_other.py"]})
        watch.wait_for_run(4)
        assert watch.ran() == [*HIGH, "test_other"]
        assert "failing" not in watch.last()


@pytest.mark.parametrize("arguments", [(), ("-x",)], ids=["plain", "x"])
def test_all_tests_run_after_a_first_run_that_was_cut_short(suite: Suite, arguments: tuple[str, ...]) -> None:
    wrong = "def test_other(): assert 0\n" if "-x" in arguments else "def test_other(:\n"
    commit(suite, {**PACKAGE, "tests/test_a.py": wrong})
    with watching(suite, *arguments) as watch:
        watch.wait_for_run(1)
        watch.wait_for("not finished yet: all tests")
        watch.write({"tests/test_a.py": "def test_a(): pass\n"})
        watch.wait_for_run(2)
        watch.wait_for("rustpar watch: 4 passed in")
        assert "not finished" not in watch.last()
        watch.change(other=BROKEN)
        watch.wait_for_run(3)
        watch.wait_for("rustpar watch: 1 failed in")


def test_a_failure_that_is_counted_in_another_way_runs_until_it_passes(suite: Suite) -> None:
    status = "def pytest_report_teststatus(report):\n    if report.failed: return 'broken', 'B', 'BROKEN'\n"
    commit(suite, {**PACKAGE, "conftest.py": status, "low.py": BROKEN})
    with watching(suite) as watch:
        watch.wait_for_run(1)
        watch.wait_for("failing:\n  tests/test_high.py::test_high")
        watch.change(other="VALUE = 2\n")
        watch.wait_for_run(2)
        watch.wait_for("1 passed, 1 broken in")


def test_with_collect_only_it_says_that_nothing_was_to_run(suite: Suite) -> None:
    commit(suite, PACKAGE)
    with watching(suite, "--collect-only") as watch:
        watch.wait_for_run(1)
        watch.change(low=BROKEN)
        watch.wait_for_run(2)
        watch.wait_for("rustpar watch: no tests were to run, after the change of low.py")


def test_new_and_deleted_test_files_and_conftests(suite: Suite) -> None:
    commit(suite, PACKAGE)
    with watching(suite) as watch:
        watch.wait_for_run(1)
        watch.write({"tests/test_new.py": "def test_new(): assert 0\n"})
        watch.wait_for_run(2)
        assert watch.ran() == ["test_new"]
        (suite.path / "tests" / "test_new.py").unlink()
        watch.wait_for_run(3)
        assert watch.ran() == []
        assert "failing" not in watch.last()
        watch.write({"tests/conftest.py": "VALUE = 1\n"})
        watch.wait_for_run(4)
        assert watch.ran() == [*HIGH, "test_other"]


def test_a_checkout_of_another_branch_is_one_run(suite: Suite) -> None:
    commit(suite, PACKAGE)
    git(suite.path, "checkout", "-q", "-b", "branch")
    many = {f"data/{number}.txt": "x" for number in range(200)}
    commit(suite, {"low.py": "VALUE = 2\n", "tests/test_branch.py": "def test_branch(): pass\n", **many})
    git(suite.path, "checkout", "-q", "main")
    with watching(suite) as watch:
        watch.wait_for_run(1)
        git(suite.path, "checkout", "-q", "branch")
        watch.wait_for_run(2)
        assert {*HIGH, "test_branch"} <= {*watch.ran()}
        git(suite.path, "checkout", "-q", "main")
        watch.wait_for_run(3)
        watch.does_not_run()


def test_a_lock_that_git_has_left_behind_is_not_waited_for(suite: Suite) -> None:
    commit(suite, PACKAGE)
    lock = suite.path / ".git" / "index.lock"
    lock.touch()
    os.utime(lock, (0, 0))
    with watching(suite) as watch:
        watch.wait_for_run(1)
        watch.change(low=BROKEN)
        watch.wait_for_run(2)
        assert watch.ran() == HIGH


def test_a_file_with_the_name_of_a_directory_that_is_left_out_is_watched(suite: Suite) -> None:
    test = "import pathlib\ndef test_build(): assert pathlib.Path('scripts/build').read_text()\n"
    commit(suite, {**PACKAGE, "scripts/build": "x", "tests/test_build.py": test})
    with watching(suite) as watch:
        watch.wait_for_run(1)
        (suite.path / "scripts" / "build").write_text("y")
        watch.wait_for_run(2)
        assert "test_build" in watch.ran()


def test_a_project_in_a_directory_of_a_repository_is_watched_alone(suite: Suite) -> None:
    commit(suite, {f"project/{name}": text for name, text in PACKAGE.items()})
    with watching(suite.part("project")) as watch:
        watch.wait_for_run(1)
        (suite.path / "elsewhere.py").write_text("")
        watch.change(low="VALUE = 2\n")
        watch.wait_for_run(2)
        assert watch.ran() == HIGH


def test_what_git_ignores_is_not_watched(suite: Suite) -> None:
    commit(suite, {**PACKAGE, "build/data.py": ""})
    (suite.path / ".gitignore").write_text((suite.path / ".gitignore").read_text() + "out.json\ngenerated\n")
    with watching(suite) as watch:
        watch.wait_for_run(1)
        watch.write({"out.json": "1", "generated/a.py": "", "node_modules/b.py": ""})
        watch.does_not_run()
        assert watch.runs == 2
        # A directory in which pytest does not look, but git has files in it.
        watch.write({"build/data.py": "VALUE = 1\n"})
        watch.wait_for_run(3)
