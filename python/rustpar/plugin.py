"""The pytest plugin: options, hooks, and the decision whether a run is distributed.

Modules that only a distributed run needs are imported when one starts. A plain ``pytest`` run imports this file and the
modules that write its journal and its history. PYTEST_DONT_REWRITE, as in the package.

The hazard it handles: the fork server must be forked before the first conftest is loaded and before this process has a
second thread. That moment is the outermost wrapper of ``pytest_load_initial_conftests``, long before the number of
workers is known. A fork server that turns out not to be needed is killed.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from rustpar.compat.xdist_options import has_ramp
from rustpar.config import options, retry_options
from rustpar.config.values import has_entry, ini_text, is_given

if TYPE_CHECKING:
    from collections.abc import Generator

    from rustpar.controller.standby import Standby
    from rustpar.recording.journal import JournalWriter


STANDBY_KEY: pytest.StashKey[Standby] = pytest.StashKey()
REASON_KEY: pytest.StashKey[str | None] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Add rustpar's options; load pytest-xdist, which owns the others, even if plugin autoloading is disabled."""
    pluginmanager.import_plugin("xdist", consider_entry_points=True)
    options.add(parser, has_ramp=has_ramp())


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, validate the options and settings that were given, and start the journal."""
    config.addinivalue_line("markers", "serial: run this test while no other test runs (pytest-rustpar).")
    config.addinivalue_line(
        "markers",
        "resource(name, ..., mode='exclusive'): run this test while no other test uses a resource of this name; with "
        "mode='read', other tests that only read it may run (pytest-rustpar).",
    )
    if not config.pluginmanager.has_plugin("timeout"):
        config.addinivalue_line(
            "markers",
            "timeout(seconds): with -n, end this test if it runs longer, fixtures included (pytest-rustpar).",
        )
    config.addinivalue_line(
        "markers",
        "allow_leaks(kind, ..., reason=None): with --rustpar-leaks, this test may leave these: processes, threads, "
        "descriptors, tempfiles, environment, directory; without a kind, anything (pytest-rustpar).",
    )
    config.addinivalue_line(
        "markers",
        "load(users=..., duration=..., stages=..., rate=..., ...): with --rustpar-load, run this test as a load test; "
        "otherwise once (pytest-rustpar).",
    )
    if not config.pluginmanager.has_plugin("pytest_forked"):
        config.addinivalue_line("markers", "forked: run this test in a process of its own (pytest-rustpar).")
    if is_given(config, "rustpar_warm") or "rustpar.warm.run" in sys.modules:
        from rustpar.warm import run as warm

        warm.register(config)
    if is_given(config, "rustpar_leaks"):
        from rustpar.leaks import registration as leaks

        leaks.register(config)
    if not config.pluginmanager.has_plugin("rerunfailures") and not config.pluginmanager.has_plugin("flaky"):
        config.addinivalue_line(
            "markers",
            "flaky(reruns=1, reruns_delay=0, only_rerun=None, rerun_except=None, condition=True): if this test fails, "
            "try it again (pytest-rustpar).",
        )
    if retry_options.are_set(config):
        from rustpar.collection import retry_rules

        if retry_rules.settings_of(config).rule is not None and not hasattr(config, "workerinput"):
            from rustpar.retries import reporting

            reporting.register(config)
    if is_given(config, "rustpar_quarantine"):
        from rustpar.quarantine import registration as quarantine

        quarantine.register(config)
    if has_entry(config, "rustpar_timeout"):
        from rustpar.collection import time_limits

        time_limits.default_limit(config)
    if has_entry(config, "rustpar_run_timeout"):
        from rustpar.collection import time_limits

        time_limits.run_limit(config)
    if has_entry(config, "rustpar_resources"):
        from rustpar.collection import constraints

        constraints.limits_of(config)
    if is_given(config, "rustpar_order"):
        from rustpar.collection import order

        order.order_of(config)
    if has_entry(config, "rustpar_load_profiles"):
        from rustpar.config import load_option

        load_option.check_profiles(config)
    if ini_text(config, "rustpar_load_http") != "auto":
        from rustpar.config import load_option

        load_option.are_requests_recorded(config)
    if has_entry(config, "rustpar_once"):
        from rustpar.once import selection

        selection.patterns_of(config)
    if has_entry(config, "rustpar_max_rss"):
        from rustpar.process import memory

        memory.limit_of(config)
    if "rustpar.watch.run_plugin" in sys.modules or "rustpar_watch" in getattr(config, "workerinput", {}):
        from rustpar.watch import run_plugin

        run_plugin.register(config)
    is_selecting = config.getoption("rustpar_changed", None) is not None or has_entry(config, "rustpar_record_imports")
    if is_selecting and not config.pluginmanager.has_plugin("rustpar-changed"):
        from rustpar.changed import selection as changed

        changed.register(config)
    if config.getoption("rustpar_shard", None) is not None:
        from rustpar.collection import shard

        shard.prepare(config)
    if has_entry(config, "rustpar_slow"):
        from rustpar.config import slow_limit

        slow_limit.slow_limit(config)
    if ini_text(config, "rustpar_start") != "auto":
        from rustpar.forkserver import server

        server.start_option(config)
    if ini_text(config, "rustpar_progress") != "auto":
        from rustpar.terminal import live_block

        live_block.progress_option(config)
    if is_given(config, "rustpar_thresholds"):
        from rustpar.collection import thresholds

        thresholds.thresholds_of(config)
        if hasattr(config, "workeroutput") and not config.pluginmanager.has_plugin("rustpar-worker"):
            config.pluginmanager.register(thresholds.MarksOfWorker(), "rustpar-marks")
    is_load_run = config.getoption("rustpar_load", None) is not None and not hasattr(config, "workerinput")
    if is_load_run and not config.pluginmanager.has_plugin("rustpar-run"):
        raise pytest.UsageError("--rustpar-load needs pytest-xdist's options: omit -p no:xdist")
    if not hasattr(config, "workerinput"):
        from rustpar.process import report_memory
        from rustpar.recording.journal import observe

        report_memory.free_at_exit(config)
        observe(config, _timing_sections)
        if config.getoption("rustpar_timeline", None) or config.getoption("rustpar_trace", None):
            from rustpar.recording.timeline import TimelineFiles

            config.pluginmanager.register(TimelineFiles(config), "rustpar-pictures")


def _timing_sections(config: pytest.Config, journaling: JournalWriter) -> object:
    from rustpar.terminal.timing_summary import TimingSections

    return TimingSections(config, journaling)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None, object, object]:
    """Warn of invalid marks, keep the shard's tests and sort, after all plugins and conftests have modified the items.

    The second half of a wrapper runs after all implementations that are not wrappers. The second halves of the wrappers
    of ``--lf`` and ``--ff`` still run after this one: these options concern a single run and take precedence.
    """
    result = yield
    if config.pluginmanager.has_plugin("rustpar-leaks"):
        from rustpar.leaks import settings

        settings.warn_about_invalid_marks(items)
    if hasattr(config, "workerinput"):
        from rustpar.collection import constraints, time_limits

        constraints.warn_about_invalid_marks(items)
        time_limits.warn_about_invalid_marks(config, items)
    if items:
        from rustpar.collection.markers import marked

        names = {mark.name for marks in marked(items, ("flaky", "forked")).values() for mark in marks}
        if "forked" in names or config.getoption("rustpar_forked", False) or config.getoption("forked", False):
            from rustpar.forked import runner

            runner.register(items[0].session, items)
        is_repeated = any(config.getoption(name, None) is not None for name in ("rustpar_repeat", "rustpar_load"))
        if not is_repeated and ("flaky" in names or is_given(config, "rustpar_retries")):
            from rustpar.collection import retry_rules

            if retry_rules.find_marks(config, items):
                _register_retries(items[0].session)
    if config.getoption("rustpar_load", None) is not None:
        from rustpar.load import selection as load

        load.keep_marked(config, items)
    if items and has_entry(config, "rustpar_once"):
        from rustpar.once import registration as once

        once.register(items)
    changed: Any = config.pluginmanager.get_plugin("rustpar-changed")
    if changed is not None:
        changed.keep_dependent(items)
    if config.getoption("rustpar_shard", None) is not None:
        from rustpar.collection import shard
        from rustpar.recording import history

        shard.keep_shard(config, items, history.expected_seconds)
    if is_given(config, "rustpar_order"):
        from rustpar.collection import order

        order.sort(config, items)
    if changed is not None:
        changed.put_failed_first(items)
    if is_given(config, "rustpar_thresholds"):
        from rustpar.collection import thresholds

        thresholds.check_markers(config)
    return result


# Of class scope, so that a fixture that a class of load tests sets up once per user can use it.
@pytest.fixture(scope="class")
def load(request: pytest.FixtureRequest) -> object:
    """Measure steps, checks and metrics of a load test; in an ordinary run, measure once (pytest-rustpar)."""
    from rustpar.load.measuring import load_of

    return load_of(request)


def _register_retries(session: pytest.Session) -> None:
    """Try failed tests of this session again, and show that, if this is also the process that reports."""
    from rustpar.retries import attempts

    attempts.register(session, has_engine=session.config.pluginmanager.has_plugin("rustpar-worker"))
    if not hasattr(session.config, "workerinput"):
        from rustpar.retries import reporting

        reporting.register(session.config)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, object, object]:
    """Hand the run over to a warm server, or fork the fork server if the run may become distributed."""
    if "RUSTPAR_WATCH" in os.environ:
        # First of all: the environment is also that of the next warm server.
        from rustpar.watch import run_plugin

        run_plugin.start(early_config)
    if is_given(early_config, "rustpar_warm") or "rustpar.warm.run" in sys.modules:
        from rustpar.warm import run as warm

        warm.start(early_config)
    if early_config.known_args_namespace.rustpar_resume is not None:
        from rustpar.coverage import earlier_data

        earlier_data.keep_until_known(early_config)
    if _may_have_workers(early_config):
        from rustpar.forkserver import server as forkserver

        reason = forkserver.reason_not_to_fork(early_config)
        early_config.stash[REASON_KEY] = reason
        if reason is None:
            from rustpar.controller import standby

            prepared = standby.prepare(early_config)
            if prepared is None:
                # This is no longer the original process but one that the fork server has forked: it continues here.
                return (yield)
            early_config.stash[STANDBY_KEY] = prepared
    if hasattr(early_config.known_args_namespace, "numprocesses"):
        # Registered after all other plugins, so that its trylast hooks run after xdist's.
        early_config.pluginmanager.register(DistributedRun(), "rustpar-run")
    if "rustpar.watch.run_plugin" in sys.modules:
        with run_plugin.loading_conftests(early_config, has_workers=_may_have_workers(early_config)):
            return (yield)
    return (yield)


def _may_have_workers(config: pytest.Config) -> bool:
    option: Any = config.known_args_namespace
    if option.help or option.version or option.collectonly:
        return False
    if not hasattr(option, "numprocesses"):
        return False
    if option.rustpar_load is not None and option.numprocesses is None:
        return True
    return bool(option.numprocesses or (option.tx and (option.distload or option.dist != "no")))


class DistributedRun:
    """The hooks of a process that may become the controller of workers."""

    # tryfirst: we call the other implementations ourselves, to report which one chose the number.
    @pytest.hookimpl(tryfirst=True)
    def pytest_xdist_auto_num_workers(self, config: pytest.Config) -> int:
        """Choose the number of workers: xdist's count, limited to the available CPUs; 0 if the last run was short."""
        from rustpar.controller.worker_count import auto_num_workers

        return auto_num_workers(config, self, may_run_without_workers=STANDBY_KEY in config.stash)

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> None:
        """Reject option values that xdist would silently ignore or misinterpret."""
        if config.getoption("rustpar_load", None) is not None:
            from rustpar.controller import load_tests

            load_tests.prepare(config)
        if config.option.numprocesses is not None or config.option.dist != "no":
            from rustpar.controller.collect_decision import is_parallel
            from rustpar.controller.worker_count import check_options

            check_options(config)
            # Refuses an invalid entry, even if there are no workers.
            is_parallel(config)
        if config.option.usepdb and STANDBY_KEY in config.stash:
            from rustpar.debugger.availability import can_debug

            if can_debug(config):
                # pytest-xdist would refuse it. Workers have their own options.
                config.option.usepdb = False

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Replace xdist's ``dsession`` plugin with our controller."""
        if config.getoption("rustpar_repeat", None) is not None and not hasattr(config, "workerinput"):
            _prepare_repeats(config)
        if config.getoption("rustpar_load", None) is not None and not hasattr(config, "workerinput"):
            from rustpar.controller import load_tests

            load_tests.check_engine(config, config.stash.get(REASON_KEY, None))
        prepared = config.stash.get(STANDBY_KEY, None)
        dsession = config.pluginmanager.get_plugin("dsession")
        if prepared is None:
            if dsession is not None:
                # The workers of pytest-xdist's own engine do not say whether tests are marked.
                from rustpar.retries import reporting

                reporting.register(config)
                if config.getoption("rustpar_resume", None) is not None:
                    from rustpar.recording import resumption

                    resumption.refuse_other_engine()
                if config.option.ramp and not has_ramp():
                    raise pytest.UsageError(
                        "--ramp does not work with this version of pytest-xdist's own engine; omit it, or "
                        "--rustpar-start=xdist"
                    )
            return
        if dsession is None:
            prepared.give_up()
        else:
            prepared.replace(dsession)

    def pytest_report_header(self, config: pytest.Config) -> str | None:
        """Report the start method and the number of workers, with the reasons for any that was chosen automatically."""
        option = config.option
        has_limits = option.rustpar_max_rss or option.rustpar_timeout or option.rustpar_run_timeout
        if option.numprocesses is None and option.dist == "no" and not has_limits:
            return None
        from rustpar.controller import header

        return header.compose(config, config.stash.get(REASON_KEY, None))


def _prepare_repeats(config: pytest.Config) -> None:
    """Prepare a run that repeats every test.

    Raises:
        pytest.UsageError: There are no workers of the engine.
    """
    from rustpar.repeats import summary

    if not config.pluginmanager.has_plugin("dsession"):
        raise pytest.UsageError("--rustpar-repeat needs workers: add -n auto")
    if config.stash.get(STANDBY_KEY, None) is None:
        raise pytest.UsageError(f"--rustpar-repeat does not work here: {config.stash.get(REASON_KEY, None)}")
    if config.option.rustpar_repeat_until == "failure":
        config.option.maxfail = 1
    summary.register(config)
