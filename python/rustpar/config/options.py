"""The options of the command line and the ini file.

Everything that only an option which is given needs is imported then.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def add(parser: pytest.Parser) -> None:
    """Add all of them; pytest-xdist, which owns the others, is there."""
    _explain_bad_numbers(parser)
    group = parser.getgroup("rustpar", "parallel runs on a native engine")
    group.addoption(
        "--rustpar-start",
        choices=["auto", "template", "early", "xdist"],
        default=None,
        metavar="START",
        help="How the workers of -n come up.\n"
        "template: One process collects, and workers are forked from it.\n"
        "early: Workers are forked before conftests are loaded, and each collects for itself.\n"
        "xdist: Run pytest-xdist's own engine.\n"
        "auto (default): template, unless that would share what each worker needs alone; then early. "
        "Where forking is not safe, xdist. The run says which, and why.",
    )
    parser.addini("rustpar_start", "How workers come up: the default of --rustpar-start.", default="auto")
    group.addoption(
        "--rustpar-history",
        default=None,
        metavar="PATH",
        help="The file that remembers durations and outcomes of tests from one run to the next. "
        "Without it, a file in pytest's cache directory.",
    )
    parser.addini("rustpar_history", "The default of --rustpar-history, relative to rootdir.", default="")
    group.addoption(
        "--rustpar-journal",
        default=None,
        metavar="PATH",
        help="The file to write every event of the run to; a journal that is there is replaced. Without it, a file in "
        "pytest's cache directory.",
    )
    parser.addini(
        "rustpar_journals",
        "How many runs' journals are kept in pytest's cache directory; 0 for none.",
        default="10",
    )
    parser.addini(
        "rustpar_journal_size",
        "How much a journal keeps of what failures say and print: 10M; all for everything.",
        default="10M",
    )
    group.addoption(
        "--rustpar-max-rss",
        type=_size,
        default=None,
        metavar="SIZE",
        help="Replace a worker that holds more resident memory than this after a test: 500M, 1.5G. It tears its "
        "fixtures down and leaves, and another one runs what it has not begun. The summary says so.",
    )
    parser.addini("rustpar_max_rss", "The default of --rustpar-max-rss, as in: 500M", default="")
    _add_what_is_seen(parser, group)
    _add_choice_of_tests(parser, group)


def _add_what_is_seen(parser: pytest.Parser, group: pytest.OptionGroup) -> None:
    """Add the options for what a run shows of itself, and has to keep."""
    group.addoption(
        "--rustpar-progress",
        choices=["auto", "on", "off"],
        default=None,
        metavar="WHEN",
        help="The live block at the bottom of the terminal, with -n: a bar, counts, the time left and the tests that "
        "have been running longest.\n"
        "auto (default): On a terminal, but not with -s, with the reporter of another plugin (pytest-sugar), or where "
        "CI or NO_COLOR is set.\n"
        "on: On every terminal.\n"
        "off: Never.",
    )
    parser.addini("rustpar_progress", "When there is a live block: the default of --rustpar-progress.", default="auto")
    group.addoption(
        "--rustpar-slow",
        type=_duration,
        default=None,
        metavar="TIME",
        help="The time from which on a test is slow, as in 500ms, 1s, 1.5m, or a number of seconds. The summary lists "
        "slow tests, by phase and beside what each takes usually; without it, -v lists those of 1s and more. Where "
        "there is a live block, a line tells of each test that has passed it and still runs.",
    )
    parser.addini("rustpar_slow", "The time from which on a test is slow: the default of --rustpar-slow.", default="")
    group.addoption(
        "--rustpar-thresholds",
        default=None,
        metavar="EXPRESSIONS",
        help="What durations and failures have to keep, or the run fails: 'p(95)<500ms, max<30s, slow_count<10, "
        "failed_rate<1%%', over all tests or over those with a marker: 'unit: p(99)<50ms'. Figures: p(N), avg, med, "
        "min, max, count, slow_count, failed_count, slow_rate, failed_rate; comparisons: <, <=, >, >=, ==. '' undoes "
        "rustpar_thresholds for a run.",
    )
    parser.addini(
        "rustpar_thresholds",
        "What durations and failures have to keep: the default of --rustpar-thresholds, as in: p(95)<500ms, max<30s",
        type="linelist",
        default=[],
    )
    group.addoption(
        "--rustpar-timeline",
        default=None,
        metavar="PATH",
        help="Write a page of HTML that shows the run: workers, tests, failures, memory, and how it compares with the "
        "run before.",
    )
    group.addoption(
        "--rustpar-trace",
        default=None,
        metavar="PATH",
        help="Write the run as Chrome trace events, which https://ui.perfetto.dev opens.",
    )


def _duration(text: str) -> float:
    from rustpar import _core
    from rustpar.config import values

    return values.from_option(_core.parse_duration, text)


def _size(text: str) -> int:
    from rustpar import _core
    from rustpar.config import values

    return values.from_option(_core.parse_size, text)


def _add_choice_of_tests(parser: pytest.Parser, group: pytest.OptionGroup) -> None:
    """Add the options for which tests run, in which order and beside which others."""
    group.addoption(
        "--rustpar-order",
        default=None,
        metavar="MARKERS",
        help="Run tests in the order of their markers, with and without -n: 'smoke, *, slow' runs those marked smoke "
        "first and those marked slow last. * is all others; it comes last if it is not there. A test with several "
        "of the markers goes with the first. '*' alone undoes rustpar_order for a run.",
    )
    group.addoption(
        "--rustpar-plan",
        choices=["collection", "duration"],
        default=None,
        metavar="PLAN",
        help="In which order --dist load hands tests out.\n"
        "collection (default): As they are collected. A worker goes forward through them, and only what would prolong "
        "the run goes out before its turn.\n"
        "duration: What takes longest first, and what failed in the last run before that; for tests that do not depend "
        "on one another.",
    )
    parser.addini(
        "rustpar_plan",
        "In which order --dist load hands tests out: the default of --rustpar-plan.",
        default="collection",
    )
    group.addoption(
        "--rustpar-shard",
        default=None,
        metavar="K/N",
        help="Run the K-th of N parts of the tests, as one of N machines: 2/4. All N parts together run every test "
        "once.",
    )
    group.addoption(
        "--rustpar-shard-by",
        choices=["duration", "hash"],
        default=None,
        metavar="RULE",
        help="How --rustpar-shard divides the tests.\n"
        "duration (default): Parts take about the same time, by what tests are expected to take, and files stay "
        "together; without known durations parts have about the same number of tests.\n"
        "hash: By node id alone; a test stays in its part when others are added.",
    )
    parser.addini(
        "rustpar_order",
        "The order of tests by their markers: the default of --rustpar-order, as in: smoke, *, slow",
        type="linelist",
        default=[],
    )
    parser.addini(
        "rustpar_resources",
        "How many tests may hold a resource at a time, for @pytest.mark.resource, as in: db: 2, port-8080: 1. "
        "Resources that are not named may be held by 1.",
        type="linelist",
        default=[],
    )


def _explain_bad_numbers(parser: pytest.Parser) -> None:
    """Have ``-n`` say what it takes; argparse would name xdist's function instead."""
    for option in parser.getgroup("xdist").options:
        if "-n" in option.names():
            option.attrs()["type"] = _number_of_workers


def _number_of_workers(text: str) -> int | str:
    if text in ("auto", "logical"):
        return text
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"invalid number of workers {text!r}: expected a number, auto or logical"
        ) from None
