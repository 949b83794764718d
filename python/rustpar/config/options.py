"""The options of the command line and the ini file.

Modules that are only needed by an option are imported when that option is given.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rustpar.config import retry_options, start_options

if TYPE_CHECKING:
    import pytest


def add(parser: pytest.Parser, *, has_ramp: bool) -> None:
    """Add all options. pytest-xdist, which has the others, must be registered.

    Args:
        parser: pytest's parser.
        has_ramp: Whether ``--ramp`` is among the others, as it is after pytest-xdist 3.8.
    """
    _explain_bad_numbers(parser)
    group = parser.getgroup("rustpar", "parallel runs on a native engine")
    if not has_ramp:
        _add_ramp(group)
    start_options.add(parser, group)
    group.addoption(
        "--rustpar-history",
        default=None,
        metavar="PATH",
        help="The file in which durations and outcomes of tests are stored for later runs. Default: a file in pytest's "
        "cache directory.",
    )
    parser.addini("rustpar_history", "The default of --rustpar-history, relative to rootdir.", default="")
    group.addoption(
        "--rustpar-journal",
        default=None,
        metavar="PATH",
        help="The file to which every event of the run is written; an existing journal is replaced. Default: a file in "
        "pytest's cache directory.",
    )
    parser.addini(
        "rustpar_journals",
        "The number of journals that are kept in pytest's cache directory; 0 for none.",
        default="10",
    )
    parser.addini(
        "rustpar_journal_size",
        "The maximum size of the failure texts in a journal: 10M; all for no limit.",
        default="10M",
    )
    group.addoption(
        "--rustpar-resume",
        nargs="?",
        const="",
        default=None,
        metavar="RUN",
        help="Run the tests that a run has not finished because it was killed, interrupted or stopped, and report the "
        "results of all: of the last unfinished run, or of RUN, its journal or its id. Refused if the tests or the "
        "code of finished tests have changed.",
    )
    group.addoption(
        "--rustpar-max-rss",
        type=_size,
        default=None,
        metavar="SIZE",
        help="Replace a worker that uses more resident memory than this after a test: 500M, 1.5G. It tears down its "
        "fixtures and exits, and a new worker runs its remaining tests. The summary reports it.",
    )
    parser.addini("rustpar_max_rss", "The default of --rustpar-max-rss, as in: 500M", default="")
    group.addoption(
        "--rustpar-timeout",
        type=_duration,
        default=None,
        metavar="TIME",
        help="With -n, end a test that runs longer than this, fixtures included: 500ms, 60s, 1.5m. It fails with the "
        "stacks of all threads, and a new worker runs the remaining tests. @pytest.mark.timeout(10) sets the limit of "
        "a test. 0 disables rustpar_timeout for a run.",
    )
    parser.addini("rustpar_timeout", "The default of --rustpar-timeout, for example: 60s", default="")
    group.addoption(
        "--rustpar-run-timeout",
        type=_duration,
        default=None,
        metavar="TIME",
        help="With -n, end a run that takes longer than this as Ctrl-C does, with the results so far and exit status "
        "124: 30m. 0 disables rustpar_run_timeout for a run.",
    )
    parser.addini("rustpar_run_timeout", "The default of --rustpar-run-timeout, for example: 30m", default="")
    group.addoption(
        "--rustpar-leaks",
        choices=["off", "warn", "fail"],
        default=None,
        metavar="ACTION",
        help="What to do if a test leaves a child process, a thread, an open descriptor or a temporary file, or a "
        "changed environment or working directory.\n"
        "off (default): Nothing is looked at.\n"
        "warn: List them in the summary.\n"
        "fail: The teardown of the test fails.",
    )
    parser.addini("rustpar_leaks", "What to do about what tests leave: the default of --rustpar-leaks.", default="")
    group.addoption(
        "--rustpar-forked",
        action="store_true",
        default=False,
        help="Run every test in a process of its own, forked from the one that has imported and set up what tests "
        "share, with and without -n. What a test changes cannot affect another. @pytest.mark.forked does that for a "
        "test.",
    )
    group.addoption(
        "--rustpar-repeat",
        type=_repeat,
        default=None,
        metavar="N|TIME",
        help="With -n, run the selected tests again and again on all workers: so many times (200), or for so long "
        "(10m). The summary says how often each has failed, how long it took, and how to run a failure again. Failed "
        "tests are not tried again.",
    )
    group.addoption(
        "--rustpar-repeat-until",
        choices=["end", "failure"],
        default="end",
        metavar="WHEN",
        help="When repeating ends.\nend (default): After the last repetition.\nfailure: At the first failure.",
    )
    group.addoption(
        "--rustpar-load",
        nargs="?",
        const="load",
        default=None,
        metavar="PROFILE",
        help="Run the tests that are marked load as load tests, one after the other, and no others. -n is the number "
        "of processes that run their virtual users, 1 by default. With a profile, run another load than the marks ask "
        "for: smoke, stress, spike, soak, or one of rustpar_load_profiles.",
    )
    group.addoption(
        "--rustpar-load-otlp",
        nargs="?",
        const="",
        default=None,
        type=_collector,
        metavar="URL",
        help="With --rustpar-load, send the figures of each second to an OpenTelemetry collector, with OTLP over "
        "HTTP: to this URL, or that of OTEL_EXPORTER_OTLP_ENDPOINT, or http://localhost:4318. This needs pip install "
        "pytest-rustpar[otel].",
    )
    parser.addini(
        "rustpar_load_profiles",
        "Profiles for --rustpar-load: stress: 2m>100, 2m>200 ramps to 100 and 200 users, soak: 4h@50 stays at 50; 200% "
        "is twice what a mark asks for, 3x three times its duration.",
        type="linelist",
        default=[],
    )
    parser.addini(
        "rustpar_load_http",
        "Whether the requests of httpx and requests in load tests are recorded, and connections kept for "
        "requests without a client: auto (default) or off.",
        default="auto",
    )
    parser.addini(
        "rustpar_once",
        "Fixtures of session, package or module scope that are set up once per run, for all workers: patterns of their "
        "names, or of file and name: postgres_server, model*, tests/conftest.py::server",
        type="linelist",
        default=[],
    )
    retry_options.add(parser, group)
    _add_quarantine_option(parser, group)
    _add_output_options(parser, group)
    _add_scheduling_options(parser, group)


def _add_quarantine_option(parser: pytest.Parser, group: pytest.OptionGroup) -> None:
    """Add the option for tests whose failures do not fail the run."""
    group.addoption(
        "--rustpar-quarantine",
        type=_path,
        default=None,
        metavar="FILE",
        help="Show the failures of tests in this file, but do not fail the run. Each line has a pattern of node ids, "
        "the last day on which it holds, and a reason: 'tests/test_net.py::test_get*  2026-12-31  the mirror is slow'. "
        "An empty value disables rustpar_quarantine for a run.",
    )
    parser.addini(
        "rustpar_quarantine", "The file of --rustpar-quarantine, relative to rootdir: quarantine.txt", default=""
    )


def _add_output_options(parser: pytest.Parser, group: pytest.OptionGroup) -> None:
    """Add the options for output and thresholds."""
    group.addoption(
        "--rustpar-progress",
        choices=["auto", "on", "off"],
        default=None,
        metavar="WHEN",
        help="When to show the live block at the bottom of the terminal, with -n: a progress bar, counts, the time "
        "left and the longest-running tests.\n"
        "auto (default): On a terminal, except with -s, with the reporter of another plugin (pytest-sugar), or if CI "
        "or NO_COLOR is set.\n"
        "on: On every terminal.\n"
        "off: Never.",
    )
    parser.addini("rustpar_progress", "When to show the live block: the default of --rustpar-progress.", default="auto")
    group.addoption(
        "--rustpar-slow",
        type=_duration,
        default=None,
        metavar="TIME",
        help="The duration from which a test is slow: 500ms, 1s, 1.5m, or a number of seconds. The summary lists slow "
        "tests, by phase and with their usual durations; without this option, -v lists tests of 1s or more. With the "
        "live block, a line reports each running test that exceeds it.",
    )
    parser.addini("rustpar_slow", "The duration from which a test is slow: the default of --rustpar-slow.", default="")
    group.addoption(
        "--rustpar-thresholds",
        default=None,
        metavar="EXPRESSIONS",
        help="Fail the run if a limit on durations or failures is exceeded: 'p(95)<500ms, max<30s, slow_count<10, "
        "failed_rate<1%%', over all tests or over those with a marker: 'unit: p(99)<50ms'. Metrics: p(N), avg, med, "
        "min, max, count, slow_count, failed_count, slow_rate, failed_rate; comparisons: <, <=, >, >=, ==. '' disables "
        "rustpar_thresholds for a run.",
    )
    parser.addini(
        "rustpar_thresholds",
        "Limits on durations and failures: the default of --rustpar-thresholds, for example: p(95)<500ms, max<30s",
        type="linelist",
        default=[],
    )
    group.addoption(
        "--rustpar-timeline",
        default=None,
        metavar="PATH",
        help="Write an HTML page about the run: workers, tests, failures, memory, and a comparison with the previous "
        "run.",
    )
    group.addoption(
        "--rustpar-trace",
        default=None,
        metavar="PATH",
        help="Write the run as Chrome trace events, which https://ui.perfetto.dev opens.",
    )


def _add_ramp(group: pytest.OptionGroup) -> None:
    """Add the option of pytest-xdist that its older versions do not have."""
    group.addoption(
        "--ramp",
        type=_duration,
        default=0.0,
        metavar="DURATION",
        help="With -n, start the workers one after the other over this time: 10s, 1.5m, or a number of seconds. With "
        "four workers and 10s, one starts at once and the others after 2.5s, 5s and 7.5s, if tests are left then.",
    )


def _duration(text: str) -> float:
    from rustpar import _core
    from rustpar.config import values

    return values.from_option(_core.parse_duration, text)


def _path(text: str) -> str:
    # Absolute: workers of pytest-xdist's own engine may have another working directory.
    return str(Path(text).absolute()) if text else ""


def _collector(text: str) -> str:
    if text and not text.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError(f"invalid URL '{text}': expected for example http://localhost:4318")
    return text


def _repeat(text: str) -> object:
    from rustpar.config import repeat_option, values

    return values.from_option(repeat_option.parse, text)


def _size(text: str) -> int:
    from rustpar import _core
    from rustpar.config import values

    return values.from_option(_core.parse_size, text)


def _add_scheduling_options(parser: pytest.Parser, group: pytest.OptionGroup) -> None:
    """Add the options for the selection, order and concurrency of tests."""
    group.addoption(
        "--rustpar-changed",
        nargs="?",
        const="HEAD",
        default=None,
        metavar="REF",
        help="Run the tests that depend on files which differ from a git commit, or are new: from HEAD, or from REF, "
        "as in --rustpar-changed=origin/main. In doubt, a test is run; -v says why.",
    )
    parser.addini(
        "rustpar_record_imports",
        "Record in every run what tests import dynamically and open, for --rustpar-changed: true",
        default="false",
    )
    group.addoption(
        "--rustpar-order",
        default=None,
        metavar="MARKERS",
        help="Run tests in the order of their markers, with and without -n: 'smoke, *, slow' runs tests marked smoke "
        "first and tests marked slow last. * stands for all others; if it is missing, they come last. A test with "
        "several of the markers is sorted by the first. '*' alone disables rustpar_order for a run.",
    )
    group.addoption(
        "--rustpar-plan",
        choices=["collection", "duration"],
        default=None,
        metavar="PLAN",
        help="The order in which --dist load assigns tests.\n"
        "collection (default): The order of the collection. Each worker keeps that order; only tests that would "
        "prolong the run start earlier.\n"
        "duration: First the tests that failed in the last run, then the longest tests; for tests that do not depend "
        "on each other.",
    )
    parser.addini(
        "rustpar_plan",
        "The order in which --dist load assigns tests: the default of --rustpar-plan.",
        default="collection",
    )
    group.addoption(
        "--rustpar-shard",
        default=None,
        metavar="K/N",
        help="Run the K-th of N parts of the tests, on one of N machines: 2/4. All N parts together run every test "
        "once.",
    )
    group.addoption(
        "--rustpar-shard-by",
        choices=["duration", "hash"],
        default=None,
        metavar="RULE",
        help="How --rustpar-shard divides the tests.\n"
        "duration (default): All parts have about the same expected duration, and files are kept together; without "
        "known durations, all parts have about the same number of tests.\n"
        "hash: By node id only; a test stays in its part when others are added.",
    )
    parser.addini(
        "rustpar_order",
        "The order of tests by their markers: the default of --rustpar-order, for example: smoke, *, slow",
        type="linelist",
        default=[],
    )
    parser.addini(
        "rustpar_resources",
        "How many tests may use a resource of @pytest.mark.resource at the same time: 'db: 2, port-8080: 1'. "
        "1 by default.",
        type="linelist",
        default=[],
    )


def _explain_bad_numbers(parser: pytest.Parser) -> None:
    """Give ``-n`` a clear error message; argparse's own would contain the name of xdist's function."""
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
