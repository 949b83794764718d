"""``--rustpar-changed``: selects the tests that depend on what differs from a git reference.

For ``rustpar watch``, those that depend on what has changed since the last run, and those that have failed.

The process that the user has started asks git, and every process that collects selects: all must select the same,
although tests of another process may already write files. What depends on what is found natively (``src/changes/``).
"""

from __future__ import annotations

import site
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from rustpar import _core
from rustpar.changed.dependencies import Dependencies, loaded_files
from rustpar.changed.git import GitError, State, state_of
from rustpar.changed.recorder import Recorder
from rustpar.changed.scan import SCANNER, scan
from rustpar.collection.empty_selection import MayBeEmpty
from rustpar.config.values import ini_choice
from rustpar.recording.history import history_path

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = "rustpar-changed"

# Keys in workerinput and workeroutput: what git has printed, what `rustpar watch` asks for, and that no test depends on
# what has changed.
_STATE = "rustpar_changed"
_REQUEST = "rustpar_watch"
_NOTHING = "rustpar_changed_nothing"


class Request(NamedTuple):
    """What ``rustpar watch`` asks a run for.

    Attributes:
        mode: ``all`` for what the arguments select, ``affected`` for what depends on the changes in the state and what
            has failed, ``failed`` for what has failed.
        failed: The node ids of what has failed; these tests run first.
        filter: An expression of ``-k`` that tests must match, too.
    """

    mode: str
    failed: list[str]
    filter: str | None


def request_of(config: pytest.Config) -> Request | None:
    """Return what ``rustpar watch`` asks for, in a worker."""
    known = getattr(config, "workerinput", {}).get(_REQUEST)
    return None if known is None else Request(*known)


def register(config: pytest.Config, request: Request | None = None, state: State | None = None) -> Selection | None:
    """Ask git, unless the controller has, and select tests later; record what they import and open.

    Args:
        config: The session's configuration.
        request: What ``rustpar watch`` asks for.
        state: The files and what has changed, if that is known from elsewhere.

    Raises:
        pytest.UsageError: Git cannot say what has changed; a one-line message.
    """
    ini_choice(config, "rustpar_record_imports", ("true", "false"))
    reference = config.getoption("rustpar_changed", None)
    if request is not None and request.filter is not None:
        option: Any = config.option
        # In a worker it may be in it already.
        option.keyword = f"({option.keyword}) and ({request.filter})" if option.keyword else request.filter
    if request is not None and request.mode != "all":
        reference = "the last run" if request.mode == "affected" else None
    if state is None or (reference is not None and request is not None and request.mode == "all"):
        state = _state_for(config, reference)
    if state is None:
        return None
    selection = Selection(config, reference, state, request)
    config.pluginmanager.register(selection, NAME)
    config.pluginmanager.register(selection.recorder, f"{NAME}-recorder")
    return selection


def _state_for(config: pytest.Config, reference: str | None) -> State | None:
    """Return what git has printed; None, after a warning, if nothing was to be selected and there is no repository."""
    if hasattr(config, "workerinput"):
        known = config.workerinput.get(_STATE)
        return None if known is None else State(*known)
    try:
        return state_of(config.rootpath, reference)
    except GitError as error:
        if reference is not None:
            raise pytest.UsageError(str(error)) from None
        # A run that only records goes on.
        config.issue_config_time_warning(pytest.PytestConfigWarning(f"rustpar_record_imports: {error}"), stacklevel=2)
        return None


class Selection(MayBeEmpty):
    """The plugin that selects tests, and says why."""

    def __init__(
        self, config: pytest.Config, reference: str | None, state: State, request: Request | None = None
    ) -> None:
        """Select what depends on the changes in `state`; without a reference, everything."""
        super().__init__(_NOTHING)
        self._config = config
        self._reference = reference
        self._state = state
        self._mode = None if request is None else request.mode
        self._failed = frozenset(() if request is None else request.failed)
        self._request = request
        self._lines: list[str] = []
        self._collected: set[Path] = set()
        self._packages = [*site.getsitepackages(), site.getusersitepackages()]
        self.recorder = Recorder(config, [state.top, *self._packages], self._stored("imports"))

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker what git has printed."""
        node.workerinput[_STATE] = tuple(self._state)
        if self._request is not None:
            node.workerinput[_REQUEST] = tuple(self._request)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Note the files of all tests, before others deselect some: what these import is no dynamic import."""
        self._collected.update({item.path for item in items})

    def keep_dependent(self, items: list[pytest.Item]) -> None:
        """Keep the tests that depend on what has changed or have failed, and deselect all others."""
        if self._mode == "failed":
            self._keep(items, [item for item in items if item.nodeid in self._failed])
            return
        changes = self._changes()
        dependencies = Dependencies(changes)
        of_tests = [dependencies.group_of(item) for item in items]
        self._scan_all(changes, dependencies)
        self.recorder.start(changes, dict(zip((item.nodeid for item in items), of_tests, strict=True)))
        if self._reference is None:
            return
        is_selected = changes.select()
        self._describe(changes, of_tests)
        pairs = zip(items, of_tests, strict=True)
        self._keep(items, [item for item, group in pairs if is_selected[group] or item.nodeid in self._failed])

    def _keep(self, items: list[pytest.Item], selected: list[pytest.Item]) -> None:
        if items and not selected:
            self.leave_nothing(self._config)
        kept = {id(item) for item in selected}
        others = [item for item in items if id(item) not in kept]
        if others:
            items[:] = selected
            self._config.hook.pytest_deselected(items=others)

    def put_failed_first(self, items: list[pytest.Item]) -> None:
        """Sort tests that have failed before all others."""
        if self._failed:
            items.sort(key=lambda item: item.nodeid not in self._failed)

    def _changes(self) -> _core.Changes:
        path = [str(Path(entry).absolute()) for entry in sys.path]
        try:
            changes = _core.Changes(*self._state, self._packages, path)
        except ValueError as error:
            raise pytest.UsageError(f"--rustpar-changed: {error}") from None
        changes.set_tests([self._is_test_file(path) for path in changes.changed()])
        scans, imports = self._stored("scans"), self._stored("imports")
        if scans is not None and imports is not None:
            for problem in changes.load(scans, imports, SCANNER):
                self._lines.append(f"rustpar: {problem}")
        return changes

    def _stored(self, name: str) -> Path | None:
        """Return the path of a file beside the history."""
        history = history_path(self._config)
        return None if history is None else history.with_name(f"{history.stem}.{name}.json")

    def _is_test_file(self, path: str) -> bool:
        """Whether pytest collects tests from a file with this path, and not from every module."""
        name = path.rpartition("/")[2]
        patterns: Sequence[str] = self._config.getini("python_files")
        return any(
            fnmatch(f"/{path}", f"*/{pattern}") if "/" in pattern else fnmatch(name, pattern)
            for pattern in patterns
            if not fnmatch("a/module.py", pattern) and not fnmatch("module.py", pattern)
        )

    def _scan_all(self, changes: _core.Changes, dependencies: Dependencies) -> None:
        """Follow all imports from the tests, and then from what was imported in other ways."""
        loaded = loaded_files()
        for file in loaded:
            # Also those in directories that git ignores, before names are resolved.
            changes.locate(file)
        plugins = [getattr(plugin, "__file__", None) for plugin in self._config.pluginmanager.get_plugins()]
        tests = {str(path) for path in self._collected}
        tests.update(file for file in loaded if Path(file).name == "conftest.py" or self._is_test_file(file))
        for file in sorted(tests):
            dependencies.group(file)
        changes.add_plugins([file for file in plugins if isinstance(file, str)])
        self._scan(changes)
        changes.add_loaded(loaded)
        self._scan(changes)
        scans = self._stored("scans")
        problem = None if scans is None else changes.save(scans)
        if problem is not None:
            self._lines.append(f"rustpar: {problem}")

    def _scan(self, changes: _core.Changes) -> None:
        while files := changes.unscanned():
            for number, content in files:
                changes.add_facts(number, scan(content))

    def _describe(self, changes: _core.Changes, of_tests: list[int]) -> None:
        if not of_tests:
            # Nothing was left to select from, and pytest says so.
            return
        option: Any = self._config.option
        self._lines.append(f"rustpar: {changes.summary(self._reference or '', of_tests)}")
        if option.verbose > 0 or option.collectonly:
            self._lines += [f"rustpar: {line}" for line in changes.reasons(of_tests, option.verbose > 1)]

    def pytest_report_collectionfinish(self) -> list[str]:
        """Say how many tests were selected, and why."""
        return self._lines
