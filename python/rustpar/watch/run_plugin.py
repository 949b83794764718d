"""The plugin of a run that ``rustpar watch`` has started: it selects tests as asked, and reports what happened.

The hazard it handles: the variable that names the plan must not reach processes of tests, which may run pytest, too.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rustpar.changed import selection
from rustpar.changed.git import State
from rustpar.process.code_origin import CodeOrigins
from rustpar.recording.history import history_path
from rustpar.warm import run as warm_run
from rustpar.watch import plan as plans

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from rustpar.watch.checkpoint import Checkpoint
    from rustpar.watch.used_files import Uses

_PLAN_KEY: pytest.StashKey[tuple[str, plans.Plan]] = pytest.StashKey()
_CHECKPOINT_KEY: pytest.StashKey[Checkpoint] = pytest.StashKey()
_USES_KEY: pytest.StashKey[Uses] = pytest.StashKey()

# The order in which pytest counts outcomes. Plugins add others, which follow.
_OUTCOMES = ("failed", "passed", "skipped", "deselected", "xfailed", "xpassed", "warnings", "error")

# What is counted and is no outcome of a test that ran.
_NOT_RUN = ("", "deselected", "warnings")

# Options that name files which the run writes natively.
_FILES = ("rustpar_journal", "rustpar_timeline", "rustpar_trace")


def start(config: pytest.Config) -> None:
    """Take the plan from the environment."""
    _read_plan(config, os.environ.pop(plans.VARIABLE))


def _read_plan(config: pytest.Config, directory: str) -> None:
    # The plan is gone if this is a process that has outlived `rustpar watch`.
    with contextlib.suppress(OSError, ValueError, EOFError, TypeError):
        config.stash[_PLAN_KEY] = directory, plans.read(directory)


@contextlib.contextmanager
def loading_conftests(config: pytest.Config, *, has_workers: bool) -> Iterator[None]:
    """Record what conftests write, and have them loaded once for several runs, if that is possible.

    Afterwards, this process may be another run.
    """
    known = config.stash.get(_PLAN_KEY, None)
    if known is None:
        yield
        return
    from rustpar.watch.checkpoint import Checkpoint
    from rustpar.watch.used_files import Uses

    places = CodeOrigins()
    uses = config.stash[_USES_KEY] = Uses(places)
    checkpoint: Checkpoint | None = None
    # Only a warm server knows which generators of random numbers are not seeded. Arguments may be in a file.
    arguments = (*config.invocation_params.args, *config.getini("addopts"), os.environ.get("PYTEST_ADDOPTS", ""))
    has_file = any(argument.startswith("@") or " @" in argument for argument in arguments)
    if warm_run.is_fork and not has_workers and not has_file:
        checkpoint = config.stash[_CHECKPOINT_KEY] = Checkpoint(config, *known, uses)
    try:
        yield
    except BaseException:
        if checkpoint is not None:
            checkpoint.stop()
        raise
    finally:
        uses.stop()
        places.put_back(uses.replacements)
    if checkpoint is not None and checkpoint.keep():
        _read_plan(config, known[0])


def register(config: pytest.Config) -> None:
    """Register the selection, in a process that collects, and the report, in the one that reports."""
    if hasattr(config, "workerinput"):
        selection.register(config, selection.request_of(config))
        return
    known = config.stash.get(_PLAN_KEY, None)
    if known is None or config.pluginmanager.has_plugin(selection.NAME):
        return
    directory, plan = known
    selecting = selection.register(config, selection.Request(plan.mode, plan.failed, plan.filter), State(*plan.state))
    if selecting is not None:
        report = RunReport(config, plans.report_file(directory), plan.state[0], selecting)
        config.pluginmanager.register(report, "rustpar-watch")


class RunReport:
    """Reports to ``rustpar watch``."""

    def __init__(self, config: pytest.Config, file: str, top: str, selecting: selection.Selection) -> None:
        """Write to `file` when the run ends."""
        self._config = config
        self._file = file
        self._top = top
        self._selecting = selecting
        self._has_ended = False
        self._is_complete = False

    def pytest_report_header(self, config: pytest.Config) -> str | None:
        """Say with ``-v`` why the next run has to load the conftests again."""
        checkpoint = config.stash.get(_CHECKPOINT_KEY, None)
        reason = None if checkpoint is None else checkpoint.reason
        has_reason = config.option.verbose > 0 and reason is not None
        return f"rustpar: watch: conftests are loaded in each run ({reason})" if has_reason else None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """Note that nothing has ended it: after a second Ctrl-C, pytest's exit status may be that of a run that was."""
        result = yield
        self._has_ended = True
        return result

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Note whether everything that was selected has run."""
        has_result = exitstatus in (
            pytest.ExitCode.OK,
            pytest.ExitCode.TESTS_FAILED,
            pytest.ExitCode.NO_TESTS_COLLECTED,
        )
        self._is_complete = self._has_ended and has_result and not (session.shouldfail or session.shouldstop)

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """Write the report: after this, the run writes no more files."""
        reporter: Any = self._config.pluginmanager.get_plugin("terminalreporter")
        stats: dict[str, list[Any]] = getattr(reporter, "stats", {})
        names = [name for name in _OUTCOMES if stats.get(name)]
        names += [name for name in stats if name and name not in _OUTCOMES and stats[name]]
        counts = [
            (name, sum(1 for one in stats[name] if getattr(one, "count_towards_summary", True))) for name in names
        ]
        # Also those that plugins count in other ways, as failed subtests; those in quarantine are excused.
        failed = [
            _encodable(one.nodeid)
            for name in names
            if name != "quarantined"
            for one in stats[name]
            if isinstance(one, pytest.TestReport | pytest.CollectReport) and one.failed
        ]
        ran = {
            _encodable(one.nodeid)
            for name in names
            if name not in _NOT_RUN
            for one in stats[name]
            if isinstance(one, pytest.TestReport)
        }
        report = {
            "counts": [(name, count) for name, count in counts if count],
            "failed": list(dict.fromkeys(failed)),
            "ran": sorted(ran),
            "is_complete": self._is_complete,
            "is_dry": bool(self._config.getoption("collectonly", False) or self._config.getoption("setuponly", False)),
            "written": sorted(self._written()),
            "not_collected": list(self._config.getini("norecursedirs")),
        }
        # It is read when this process has ended.
        with contextlib.suppress(OSError):
            Path(self._file).write_text(json.dumps(report), encoding="utf-8")

    def _written(self) -> set[str]:
        """Return the files that the run has written, relative to the top."""
        paths = self._selecting.recorder.written | self._config.stash[_USES_KEY].written
        history = history_path(self._config)
        if history is not None:
            paths.update(
                str(history.with_name(history.stem + end)) for end in (".json", ".scans.json", ".imports.json")
            )
            paths.add(str(history))
        directory = self._config.invocation_params.dir
        for option in _FILES:
            given = self._config.getoption(option, None)
            if isinstance(given, str):
                paths.add(str(Path(directory, given)))
        top = f"{self._top.rstrip('/')}/"
        return {_encodable(path.removeprefix(top)) for path in paths if path.startswith(top)}


def _encodable(text: str) -> str:
    """Replace what UTF-8 cannot encode: lone surrogates, from file names that are not UTF-8."""
    return text.encode(errors="backslashreplace").decode()
