"""The pytest plugin: options, and the decision where a run takes place.

Everything that only a distributed run needs is imported when one begins: a plain ``pytest`` pays for this file, and for
what remembers its durations.

The hazard it handles: the fork server must be forked before the first conftest is loaded and before this process has a
second thread. That moment is the outermost wrapper of ``pytest_load_initial_conftests``, long before the number of
workers is known; a fork server that turns out not to be needed is sent home again.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import pytest

import rustpar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from rustpar.forkserver import ForkServer


SERVER_KEY: pytest.StashKey[ForkServer] = pytest.StashKey()
REASON_KEY: pytest.StashKey[str | None] = pytest.StashKey()
THAW_KEY: pytest.StashKey[Callable[[], None]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Add rustpar's options; load pytest-xdist, which owns the others, where autoload is off."""
    pluginmanager.import_plugin("xdist", consider_entry_points=True)
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
        "rustpar_journals", "How many runs' journals are kept in pytest's cache directory; 0 for none.", default="10"
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
    from rustpar.slowlimit import option_value

    return option_value(text)


def _size(text: str) -> int:
    from rustpar.size import in_bytes

    try:
        return in_bytes(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


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
        raise argparse.ArgumentTypeError(f"{text!r} is no number of workers; use a number, auto or logical") from None


def pytest_configure(config: pytest.Config) -> None:
    """Register markers, read what was given of the order, the part and the resources, and remember the run."""
    config.addinivalue_line("markers", "serial: run this test while no other test runs (pytest-rustpar).")
    config.addinivalue_line(
        "markers",
        "resource(name, ..., mode='exclusive'): run this test beside no other that holds a resource of this name; with "
        "mode='read', beside others that only read (pytest-rustpar).",
    )
    if config.getini("rustpar_resources"):
        from rustpar import needs

        needs.limits_of(config)
    if _has_order(config):
        from rustpar import ordering

        ordering.order_of(config)
    if config.getini("rustpar_max_rss"):
        from rustpar import memory

        memory.limit_of(config)
    if config.option.rustpar_shard is not None:
        from rustpar import sharding

        sharding.prepare(config)
    if config.getini("rustpar_slow"):
        from rustpar import slowlimit

        slowlimit.slow_limit(config)
    if config.getini("rustpar_progress") != "auto":
        from rustpar import live

        live.asked_progress(config)
    if _has_thresholds(config):
        from rustpar import thresholds

        thresholds.thresholds_of(config)
        if hasattr(config, "workeroutput") and not config.pluginmanager.has_plugin("rustpar-worker"):
            config.pluginmanager.register(thresholds.MarksOfWorker(), "rustpar-marks")
    if not hasattr(config, "workerinput"):
        from rustpar.journaling import observe

        observe(config)
        if config.option.rustpar_trace:
            from rustpar.tracing import Tracing

            config.pluginmanager.register(Tracing(config), "rustpar-tracing")


def _has_thresholds(config: pytest.Config) -> bool:
    return config.option.rustpar_thresholds is not None or bool(config.getini("rustpar_thresholds"))


def _has_order(config: pytest.Config) -> bool:
    return config.option.rustpar_order is not None or bool(config.getini("rustpar_order"))


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None, object, object]:
    """Look at marks, choose the part and sort, when plugins and conftests have chosen theirs.

    A wrapper comes after all that are not, be they loaded later and trylast. Wrappers come after it: ``--lf`` and
    ``--ff`` are asked for in a single run, and have the last word.
    """
    result = yield
    if hasattr(config, "workerinput"):
        from rustpar import needs

        needs.warn_of_bad_marks(items)
    if config.option.rustpar_shard is not None:
        from rustpar import sharding

        sharding.keep_part(config, items)
    if _has_order(config):
        from rustpar import ordering

        ordering.sort(config, items)
    if _has_thresholds(config):
        from rustpar import thresholds

        thresholds.check_markers(config)
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, object, object]:
    """Fork the fork server if this may become a distributed run."""
    if _may_have_workers(early_config):
        from rustpar import forkserver, heap

        reason = forkserver.why_not(early_config)
        early_config.stash[REASON_KEY] = reason
        if reason is None:
            thaw = heap.freeze()
            server = forkserver.start()
            if not isinstance(server, forkserver.ForkServer):
                # Not this process any more, but one forked from it, which goes on from here.
                server.enter(early_config)
                return (yield)
            early_config.add_cleanup(thaw)
            early_config.add_cleanup(server.close)
            early_config.stash[SERVER_KEY] = server
            early_config.stash[THAW_KEY] = thaw
    if hasattr(early_config.known_args_namespace, "numprocesses"):
        # Registered now: behind all plugins, so that its hooks that are to come after xdist's do.
        early_config.pluginmanager.register(DistributedRun(), "rustpar-run")
    return (yield)


def _may_have_workers(config: pytest.Config) -> bool:
    option: Any = config.known_args_namespace
    if option.help or option.version or option.collectonly:
        return False
    if not hasattr(option, "numprocesses"):
        return False
    return bool(option.numprocesses or (option.tx and (option.distload or option.dist != "no")))


class DistributedRun:
    """The hooks of a process that may become a controller."""

    # First, for what others answer is to be said, too; it asks them itself.
    @pytest.hookimpl(tryfirst=True)
    def pytest_xdist_auto_num_workers(self, config: pytest.Config) -> int:
        """Take xdist's count, but no more than this process may use of the machine; or none for a short run."""
        from rustpar.workers import auto_num_workers

        return auto_num_workers(config, self, may_do_without=SERVER_KEY in config.stash)

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> None:
        """Refuse option values that would silently run something else."""
        if config.option.numprocesses is not None or config.option.dist != "no":
            from rustpar.workers import check_options

            check_options(config)

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Put the controller in the place of xdist's ``dsession``."""
        server = config.stash.get(SERVER_KEY, None)
        dsession = config.pluginmanager.get_plugin("dsession")
        if server is None:
            return
        if dsession is None:
            # It may still import what it would have needed, 20 ms that nobody is to wait for.
            server.kill()
            config.stash[THAW_KEY]()
            return
        from rustpar.controller import Controller

        config.pluginmanager.unregister(dsession)
        config.pluginmanager.register(Controller(config, server), "dsession")

    def pytest_report_header(self, config: pytest.Config) -> str | None:
        """Name the start and the number of workers, and why where they are not the usual ones or were not given."""
        lines = [self._report_start(config), _limit_without_effect(config)]
        return "\n".join(f"rustpar: {line}" for line in lines if line is not None) or None

    def _report_start(self, config: pytest.Config) -> str | None:
        dsession: Any = config.pluginmanager.get_plugin("dsession")
        option, choice = config.option, None
        if option.numprocesses is not None:
            from rustpar.workers import chosen

            choice = chosen(config)
        if dsession is None:
            if choice is not None and choice.count == 0:
                return f"{rustpar.__version__}, {choice.words}"
            if option.dist == "no" or option.numprocesses is not None or option.tx or option.collectonly:
                return None
            return f"--dist {option.dist} has no effect without workers: add -n auto"
        reason = config.stash.get(REASON_KEY, None)
        if reason is not None:
            lines = [f"start: xdist ({reason})"]
        elif dsession.verdict is not None:
            lines = dsession.verdict.words(option.verbose)
        else:
            # It is said when the template has collected.
            return rustpar.__version__
        if choice is not None:
            lines[0] += f", {choice.words}"
        return f"{rustpar.__version__}, " + "\n".join(lines)


def _limit_without_effect(config: pytest.Config) -> str | None:
    """Why ``--rustpar-max-rss`` has no effect, where it has none."""
    has_engine = config.pluginmanager.has_plugin("rustpar-memory")
    if has_engine or config.option.rustpar_max_rss is None:
        return None
    if config.pluginmanager.has_plugin("dsession"):
        return "--rustpar-max-rss has no effect with pytest-xdist's own engine"
    return "--rustpar-max-rss has no effect without workers: add -n auto"
