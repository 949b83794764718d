"""The command ``rustpar history``: what earlier runs have shown, to look at, to join, to tidy and to take elsewhere."""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rustpar import _core
from rustpar.cli.command import Failed, guarded, in_cache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# What the file is called in pytest's cache.
_IN_CACHE = "history.json"

# Tests and fixtures that `show` lists of each kind.
_MOST_SHOWN = 10


@dataclass(frozen=True)
class Test:
    """What is remembered of a test; times are in seconds, `seen` in seconds since the epoch."""

    test: str
    outcome: str
    runs: int
    failed: int
    flaky: int
    seen: int
    setup: float | None
    call: float | None
    teardown: float | None
    last_setup: float | None
    last_call: float | None
    last_teardown: float | None

    @property
    def seconds(self) -> float:
        """All phases together, on average."""
        return sum(phase or 0.0 for phase in (self.setup, self.call, self.teardown))


@dataclass(frozen=True)
class Fixture:
    """What is remembered of a shared fixture; times are in seconds, `seen` in seconds since the epoch."""

    fixture: str
    runs: int
    seen: int
    seconds: float
    last: float


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and what it can do."""
    help_ = "show, merge, prune or export what earlier runs have shown"
    actions = commands.add_parser("history", help=help_, description=help_).add_subparsers(
        dest="action", required=True, metavar="action"
    )
    show = _action(actions, "show", "the slowest tests and fixtures, and the tests that fail or are flaky", _show)
    show.add_argument(
        "--slowest", type=_count, default=_MOST_SHOWN, metavar="N", help=f"lines of each table (default: {_MOST_SHOWN})"
    )
    _add_path(show)
    merge = _action(actions, "merge", "add what other files know to OUT, which is made where there is none", _merge)
    merge.add_argument("out", type=Path, metavar="OUT", help="the file to write")
    merge.add_argument("files", type=Path, nargs="+", metavar="IN", help="the files to read")
    prune = _action(actions, "prune", "forget what no run has met for long", _prune)
    prune.add_argument(
        "--days",
        type=_count,
        default=_core.History.DAYS,
        metavar="N",
        help=f"keep what was met in so many days (default: {_core.History.DAYS}, which every run does by itself)",
    )
    _add_path(prune)
    export = _action(actions, "export", "write everything to standard output; durations are in seconds", _export)
    export.add_argument("--format", choices=["json", "csv"], default="json", help="csv has the tests only")
    _add_path(export)


def _action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    help_: str,
    run: Callable[[argparse.Namespace], None],
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=help_, description=help_)
    parser.set_defaults(run=guarded("history", run))
    return parser


def _add_path(parser: argparse.ArgumentParser) -> None:
    help_ = "the history file (default: that of pytest's cache, in this directory or one above it)"
    parser.add_argument("path", type=Path, nargs="?", help=help_)


def _count(text: str) -> int:
    if not text.isdecimal() or len(text) > 6:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 999999")
    return int(text)


def _existing(path: Path | None) -> Path:
    """The file that is meant.

    Raises:
        Failed: When there is none.
    """
    if path is None:
        path = in_cache(_IN_CACHE)
        if path is None:
            raise Failed(f"there is no {_IN_CACHE} in .pytest_cache here or above: run the tests first, or name a file")
    elif not path.exists():
        raise Failed(f"there is no file {path}")
    return path


def _show(options: argparse.Namespace) -> None:
    path = _existing(options.path)
    history = _core.History.read(path)
    tests, fixtures = _tests(history), _fixtures(history)
    print(f"{path}: {len(tests)} tests, {len(fixtures)} shared fixtures")
    most: int = options.slowest
    slowest = sorted(tests, key=lambda test: (-test.seconds, test.test))
    _table("slowest tests, on average", ((f"{test.seconds:9.3f} s", test.test) for test in slowest[:most]))
    slow_fixtures = sorted(fixtures, key=lambda fixture: (-fixture.seconds, fixture.fixture))
    _table(
        "slowest shared fixtures, on average",
        ((f"{fixture.seconds:9.3f} s", fixture.fixture) for fixture in slow_fixtures[:most]),
    )
    failing = sorted((test for test in tests if test.failed), key=lambda test: (-test.failed, test.test))
    _table("failed, of all runs", ((f"{test.failed:4} of {test.runs:<4}", test.test) for test in failing[:most]))
    flaky = sorted((test for test in tests if test.flaky), key=lambda test: (-test.flaky, test.test))
    _table(
        "passed on a second try, of all runs",
        ((f"{test.flaky:4} of {test.runs:<4}", test.test) for test in flaky[:most]),
    )


def _table(title: str, lines: Iterable[tuple[str, str]]) -> None:
    """Print lines with a title; nothing where there are no lines."""
    for number, (amount, name) in enumerate(lines):
        if number == 0:
            print(f"\n{title}")
        print(f"{amount}  {name}")


def _merge(options: argparse.Namespace) -> None:
    files = [_existing(file) for file in options.files]
    _core.History.merge(options.out, files)
    print(f"{options.out}: {len(_core.History.read(options.out))} tests")


def _prune(options: argparse.Namespace) -> None:
    path = _existing(options.path)
    gone = _core.History.prune(path, options.days)
    print(f"{path}: {gone} tests and fixtures forgotten, {len(_core.History.read(path))} tests left")


def _export(options: argparse.Namespace) -> None:
    history = _core.History.read(_existing(options.path))
    tests = [asdict(test) for test in _tests(history)]
    if options.format == "json":
        fixtures = [asdict(fixture) for fixture in _fixtures(history)]
        json.dump({"tests": tests, "fixtures": fixtures}, sys.stdout, indent=1)
        print()
        return
    writer = csv.DictWriter(sys.stdout, list(Test.__dataclass_fields__), lineterminator="\n")
    writer.writeheader()
    for test in tests:
        writer.writerow(test | {"seen": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(test["seen"]))})


def _tests(history: _core.History) -> list[Test]:
    return [Test(*row[:6], *row[6], *row[7]) for row in history.tests()]


def _fixtures(history: _core.History) -> list[Fixture]:
    return [Fixture(*row) for row in history.fixtures()]
