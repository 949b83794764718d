"""`rustpar coverage combine` does what `coverage combine` does."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.coverage.datafiles import COMMANDS, Combined, combine, combine_and_kill, write_random_files

if TYPE_CHECKING:
    from collections.abc import Callable

    Change = Callable[[Path], object]


def combine_with_both(path: Path, made: Path, *args: str) -> dict[str, Combined]:
    """Return the results of both commands with copies of the files in `made`, in directories of the same name."""
    done = {}
    for command in COMMANDS:
        shutil.rmtree(path / "here", ignore_errors=True)
        shutil.copytree(made, path / "here")
        done[command] = combine(command, path / "here", *args)
    return done


def assert_equal(done: dict[str, Combined]) -> Combined:
    """Assert that both commands had the same result."""
    assert done["rustpar"] == done["coverage"]
    return done["rustpar"]


@pytest.mark.parametrize("arcs", [False, True], ids=["lines", "arcs"])
@pytest.mark.parametrize("seed", range(6))
def test_the_result_is_that_of_coverage(tmp_path: Path, seed: int, arcs: bool) -> None:
    write_random_files(tmp_path / "made", 2 + seed, seed, arcs=arcs)
    done = assert_equal(combine_with_both(tmp_path, tmp_path / "made"))
    assert done.files == [".coverage"]
    assert done.result is not None
    assert done.result["arcs" if arcs else "lines"]


@pytest.mark.parametrize("options", [["--keep"], ["--append"], ["--append", "--keep", "-q"], ["--data-file=.coverage"]])
def test_the_options_of_coverage_combine_work(tmp_path: Path, options: list[str]) -> None:
    made = tmp_path / "made"
    write_random_files(made, 3, 1, arcs=True)
    # A data file to append to.
    combine("coverage", made, "--keep")
    (made / ".coverage.host.pid0.X").unlink(missing_ok=True)
    write_random_files(made, 4, 2, arcs=True)
    assert_equal(combine_with_both(tmp_path, made, *options))


def test_paths_are_changed_by_coverages_own_rules(tmp_path: Path) -> None:
    made = tmp_path / "made"
    write_random_files(made, 4, 3, arcs=False)
    (made / "src" / "app").mkdir(parents=True)
    for number in range(0, 40, 2):
        (made / "src" / "app" / f"mod_{number}.py").write_text("")
    (made / ".coveragerc").write_text("[paths]\nsource =\n    src\n    */made\n")
    done = assert_equal(combine_with_both(tmp_path, made))
    assert done.result is not None
    assert any("/src/app/mod_0.py" in path for (path,) in done.result["files"])


def test_relative_paths_stay_relative(tmp_path: Path) -> None:
    write_random_files(tmp_path / "here", 3, 4, arcs=False)
    made = (tmp_path / "here").rename(tmp_path / "made")
    (made / "app").mkdir()
    for number in range(40):
        (made / "app" / f"mod_{number}.py").write_text("")
    (made / ".coveragerc").write_text("[run]\nrelative_files = true\n")
    done = assert_equal(combine_with_both(tmp_path, made))
    assert done.result is not None
    assert ("app/mod_1.py",) in done.result["files"]


def _truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-3000])


def _change(query: str) -> Change:
    def change(file: Path) -> None:
        with closing(sqlite3.connect(file)) as database:
            database.executescript(query)

    return change


STRANGE: dict[str, Change] = {
    "truncated": _truncate,
    "empty": lambda file: file.write_bytes(b""),
    "text": lambda file: file.write_text("no database"),
    "another schema": _change("update coverage_schema set version = 8"),
    "another database": _change("drop table coverage_schema"),
    "a write-ahead log": _change("pragma journal_mode=wal"),
    "in other letters": _change("update file set path = cast(path as blob) where id = 1"),
}


@pytest.mark.parametrize("strange", STRANGE)
def test_an_unsupported_file_is_left_to_coverage_and_named(tmp_path: Path, strange: str) -> None:
    made = tmp_path / "made"
    write_random_files(made, 4, 5, arcs=True)
    file = min(made.glob(".coverage.*pid1*"))
    STRANGE[strange](file)
    done = combine_with_both(tmp_path, made)
    ours, theirs = done["rustpar"], done["coverage"]
    assert f"Data file '{file.name}' " in ours.err
    assert "it is left to coverage.py" in ours.err
    assert ours.status == theirs.status
    if theirs.status == 0:
        assert (ours.result, ours.files) == (theirs.result, theirs.files)
    else:
        # coverage.py stops at this file after it has combined the others; the file is kept.
        assert ours.files == [".coverage", file.name]
        file.unlink()
        assert ours.result == combine_with_both(tmp_path, made)["coverage"].result


def test_a_copy_of_a_damaged_file_is_not_skipped_as_a_duplicate(tmp_path: Path) -> None:
    write_random_files(tmp_path, 2, 8, arcs=False)
    for name in ("pid1.Xabcdefx", "pid2.Xabcdefx", "pid3.Xabcdefx"):
        shutil.copy(min(tmp_path.glob(".coverage.*pid0.X*")), tmp_path / f".coverage.host.{name}.Habcdefghijh")
    for number in (1, 3):
        (tmp_path / f".coverage.host.pid{number}.Xabcdefx.Habcdefghijh").write_text("no database")
    for file in set(tmp_path.glob(".coverage.*")) - set(tmp_path.glob("*.Habcdefghijh")):
        file.unlink()
    done = combine("rustpar", tmp_path)
    # The second is intact and combined; the first is kept, and the data of the second is in the result.
    assert ".coverage.host.pid1.Xabcdefx.Habcdefghijh" in done.files
    assert done.result is not None
    assert done.result["lines"]


@pytest.mark.parametrize("arcs", [False, True], ids=["lines", "arcs"])
def test_combining_arcs_and_lines_is_coverages_error(tmp_path: Path, arcs: bool) -> None:
    made = tmp_path / "made"
    write_random_files(made, 3, 6, arcs=arcs)
    write_random_files(tmp_path / "other", 2, 6, arcs=not arcs)
    shutil.copy(min((tmp_path / "other").glob(".coverage.*pid0*")), made / ".coverage.host.pid9.X")
    done = combine_with_both(tmp_path, made)
    assert done["rustpar"].status == 1
    assert assert_equal(done).files


def test_differing_plugins_are_coverages_error(tmp_path: Path) -> None:
    made = tmp_path / "made"
    write_random_files(made, 3, 1, arcs=False)
    _change("update tracer set tracer = 'another'")(min(made.glob(".coverage.*pid2*")))
    write_random_files(made / "more", 2, 1, arcs=False)
    assert assert_equal(combine_with_both(tmp_path, made)).status == 1


def test_nothing_to_combine_is_coverages_error(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    assert assert_equal(combine_with_both(tmp_path, tmp_path / "made")).status == 1


def test_no_input_is_lost_if_the_result_cannot_be_written(tmp_path: Path) -> None:
    write_random_files(tmp_path, 4, 7, arcs=True)
    before = sorted(path.name for path in tmp_path.iterdir())
    done = combine("rustpar", tmp_path, limit_file=20_000)
    assert done.status == 1
    assert done.files == before
    assert "Couldn't write data file '<here>/.coverage'" in done.out + done.err
    assert "Traceback" not in done.out + done.err


def test_killing_the_command_at_any_moment_loses_no_data(tmp_path: Path) -> None:
    write_random_files(tmp_path / "made", 6, 8, arcs=True)
    wanted = combine_with_both(tmp_path, tmp_path / "made")["coverage"].result
    for step in range(16):
        shutil.rmtree(tmp_path / "here")
        shutil.copytree(tmp_path / "made", tmp_path / "here")
        combine_and_kill(tmp_path / "here", after=0.02 * step)
        # Combine the remaining files with the result, if it was written.
        assert combine("coverage", tmp_path / "here", "--append").result == wanted
