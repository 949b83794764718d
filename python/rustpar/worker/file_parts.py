"""Parallel collection: the template finds the files, and each worker collects a part of them.

The template goes through the directories as pytest does, up to the files, so that all conftests are loaded and every
worker has the same files in the same order. There it stops, and workers are forked. Each claims files, collects them,
and keeps their tests. A test of another file is collected when the worker has to run it.

The hazard it handles: a file may have other tests in a process that has not collected the files before it. So what is
collected on demand is compared with what the first worker has collected, and a difference ends the run.
"""

from __future__ import annotations

import bisect
import itertools
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from rustpar import _core
from rustpar.collection import separability, shared_order
from rustpar.collection.imported_modules import ImportedModules, import_missing
from rustpar.compat import collecting
from rustpar.process.surroundings import Surroundings
from rustpar.worker.file_claims import FileClaims

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence

    from rustpar.fork_safety.monitor import Monitor

    class CollectorFork(Protocol):
        """The point at which workers that collect are forked from the template."""

        def fork_collectors(self, use_line: Callable[[_core.Line], None]) -> Mapping[str, Any] | None:
            """Fork workers, and return the request for each in it; None in the template, if it collects itself."""


class FileParts:
    """The plugin that divides the collection.

    Attributes:
        is_part: Whether this process is a worker that has collected a part of the files.
    """

    def __init__(
        self,
        config: pytest.Config,
        fork_point: CollectorFork,
        monitor: Monitor,
        use_line: Callable[[_core.Line], None],
        report: Callable[[int, str | None], None],
    ) -> None:
        """Fork workers at `fork_point`, in which `use_line` is called first.

        `report` tells the controller how many files there are, and why they are collected here; with None for that,
        it answers at the fork point.
        """
        self.is_part = False
        self._config = config
        self._fork_point = fork_point
        self._monitor = monitor
        self._use_line = use_line
        self._report = report
        self._generate: Callable[[Any], Iterator[pytest.Item]]
        self._session: pytest.Session
        # What the session has collected: the directories and files that the arguments name.
        self._roots: Sequence[Any] | None = None
        self._make: Callable[[Any], Iterator[pytest.Item]] | None = self._start
        # By identity: the files in the order of the collection, and tests that belong to none.
        self._nodes: dict[int, Any] = {}
        self._files: list[pytest.File] = []
        self._request: Mapping[str, Any] = {}
        self._is_compared = False
        self._reports: list[tuple[int, object, bool]] = []
        # The files that have registered plugins.
        self._registering: list[str] = []
        self._current = 0
        # How long each file of this process took, and what it has imported.
        self._seconds: list[float] = []
        self._imported: ImportedModules | None = None
        self._imports: list[tuple[int, list[tuple[str, str]], list[str]]] = []

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> Generator[None, object, object]:
        """Stop at the files, if they can be collected separately."""
        obstacle = separability.obstacle(self._config)
        if obstacle is not None:
            self._report(0, obstacle)
            return (yield)
        self._session = session
        self._generate = collecting.replace_genitems(session, self._genitems)
        try:
            return (yield)
        finally:
            collecting.restore_genitems(session)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note what the arguments name."""
        if self._roots is None and report.nodeid == self._session_id():
            self._roots = report.result or ()

    def _session_id(self) -> str:
        return self._session.nodeid if hasattr(self, "_session") else ""

    def keep_report(self, data: object, *, is_failed: bool) -> bool:
        """Keep a collection report for the controller, which sorts them; return whether this process has a part."""
        if self.is_part:
            self._reports.append((self._current, data, is_failed))
        return self.is_part

    def _genitems(self, node: Any) -> Iterator[pytest.Item]:
        """Make the tests of a root, or of a collector in it."""
        return iter(()) if self._make is None else self._make(node)

    def _start(self, node: Any) -> Iterator[pytest.Item]:
        """Make the tests of all roots, with the first of them."""
        self._make = self._enter
        for root in self._roots or (node,):
            for _ in self._enter(root):
                # Tests that belong to no file are in `_nodes`.
                pass
        self._make = self._generate
        yield from self._divide()
        self._make = None

    def _enter(self, node: Any) -> Iterator[pytest.Item]:
        """Go through a directory, up to the files in it."""
        if not isinstance(node, (pytest.File, pytest.Item)):
            yield from self._generate(node)
        else:
            # An argument may name a file twice.
            self._nodes.setdefault(id(node), node)

    def _divide(self) -> Iterator[pytest.Item]:
        """Collect a part of the files in each worker, or all of them here."""
        session = self._session
        self._files = [node for node in self._nodes.values() if isinstance(node, pytest.File)]
        obstacle = separability.obstacle_in_files(self._config, list(self._nodes.values()), self._files)
        if session.testsfailed or session.shouldstop or session.shouldfail:
            obstacle = obstacle or "there are errors"
        if obstacle is None and self._monitor.reasons_now(self._config):
            obstacle = "workers must not be forked after conftests are loaded"
        self._report(len(self._files), obstacle)
        if obstacle is None:
            # Several collectors of a file, as of its doctests, stay together.
            firsts = [
                number
                for number, file in enumerate(self._files)
                if not number or file.path != self._files[number - 1].path
            ]
            claims = FileClaims(len(firsts), self._config.workerinput["workercount"])  # type: ignore[attr-defined]
            request = self._fork_point.fork_collectors(self._use_line)
            if request is not None:
                self._request = request
                self.is_part = True
                self._monitor.stop_recording()
                self._imported = ImportedModules({str(file.path) for file in self._files})
                bounds = [*firsts, len(self._files)]
                for claimed in claims.take():
                    for number in range(bounds[claimed.start], bounds[claimed.stop]):
                        yield from self._collect(number)
                return
            claims.close()
            self._is_compared = True
        for node in self._nodes.values():
            yield from self._generate(node)

    def _collect(self, number: int) -> Iterator[pytest.Item]:
        """Collect one of the files of this process."""
        self._current = number
        plugins = self._config.pluginmanager
        before, begin = len(plugins.get_plugins()), _core.monotonic()
        yield from self._generate(self._files[number])
        self._seconds.append(_core.monotonic() - begin)
        assert self._imported is not None
        self._imports.append((number, *self._imported.take()))
        if len(plugins.get_plugins()) != before:
            self._registering.append(self._files[number].nodeid)

    def describe(self, items: Sequence[pytest.Item], deselected: Iterable[pytest.Item]) -> dict[str, Any] | None:
        """Describe the collected tests, for the controller; None if nothing is collected in parallel.

        Returns:
            ``files``: the number of each test's file, and ``deselected`` that of each deselected one;
            ``wide``: for each parameter that pytest sorts tests of several files by, the numbers of the files;
            ``registering``: the node ids of files that have registered plugins, which apply to all files after them;
            ``seconds``: how long collecting each file has taken;
            ``imports``: for each file, its number, the modules that it has imported, and new entries of ``sys.path``;
            ``reports``: the collection reports that have not passed: file, report, and whether it has failed;
            ``marks``: the names of each test's marks, if they are to be compared, otherwise empty.
        """
        if not self.is_part and not self._is_compared:
            return None
        numbers = {id(file): number for number, file in enumerate(self._files)}
        files = [_number_of(item, numbers) for item in items]
        wide: dict[str, set[int]] = {}
        for item, file in zip(items, files, strict=True):
            for name in collecting.wide_parameters(item):
                wide.setdefault(name, set()).add(file)
        is_compared = self._is_compared or self._request["is_compared"]
        return {
            "files": files,
            "deselected": [_number_of(one, numbers) for one in deselected if _is_item(one)],
            "wide": {name: sorted(found) for name, found in wide.items()},
            "registering": self._registering,
            "seconds": self._seconds,
            "imports": self._imports,
            "reports": self._reports,
            "marks": [",".join(mark.name for mark in item.iter_markers()) for item in items] if is_compared else [],
        }

    def tests(self, items: Sequence[pytest.Item]) -> PartOfTests:
        """Return all tests of the run, in a worker that has collected a part of them: `items`."""
        return PartOfTests(self._session, self._files, items, self._generate, self._request["order"])


def _is_item(one: object) -> bool:
    """Whether a deselected object is a test, as opposed to another that a plugin has added."""
    return isinstance(one, pytest.Item)


def _number_of(item: pytest.Item, numbers: Mapping[int, int]) -> int:
    """Return the number of a test's file; -1 if it belongs to none."""
    node: Any = item
    while node is not None and id(node) not in numbers:
        node = node.parent
    return -1 if node is None else numbers[id(node)]


class PartOfTests:
    """All tests of a run, of which this process collects those of other workers' files on demand."""

    def __init__(
        self,
        session: pytest.Session,
        files: Sequence[pytest.File],
        items: Sequence[pytest.Item],
        generate: Callable[[Any], Iterator[pytest.Item]],
        order: Sequence[int],
    ) -> None:
        """Start with `items`; further files are collected with `generate`. `order` is the address of the order."""
        numbers = {id(file): number for number, file in enumerate(files)}
        self._session = session
        self._files = files
        self._generate = generate
        self._order = order
        self._node_ids: list[str] = []
        self._surroundings = Surroundings()
        # The index of the first test of each file, and the number of all tests.
        self._firsts: list[int] = []
        self._collected: dict[int, list[pytest.Item]] = {}
        for item in items:
            self._collected.setdefault(_number_of(item, numbers), []).append(item)

    def __getitem__(self, test: int) -> pytest.Item:
        """Return a test by its index in the whole collection.

        Raises:
            pytest.exit.Exception: Its file has other tests here than in the worker that has collected it first.
        """
        if not self._firsts:
            self._node_ids, counts, modules, paths = shared_order.read(self._order)
            with collecting.recorded_warnings(self._session.config):
                import_missing(modules, paths)
            self._firsts = [0, *itertools.accumulate(counts)]
            # Otherwise a worker without a part of its own would have collected nothing.
            self._session.testscollected = len(self._node_ids)
        file = bisect.bisect_right(self._firsts, test) - 1
        if file not in self._collected:
            self._collected[file] = self._collect(file)
        return self._collected[file][test - self._firsts[file]]

    def is_collected(self, test: int) -> bool:
        """Whether a test has been collected in this process."""
        return bool(self._firsts) and bisect.bisect_right(self._firsts, test) - 1 in self._collected

    def _collect(self, file: int) -> list[pytest.Item]:
        session, plugins = self._session, self._session.config.pluginmanager
        # The terminal reporter would report what is collected, among the tests that it shows.
        reporter = [plugins.get_plugin("terminalreporter")]
        select = plugins.subset_hook_caller("pytest_collection_modifyitems", reporter)
        finish = plugins.subset_hook_caller("pytest_collection_finish", reporter)
        own = session.items
        try:
            with collecting.recorded_warnings(session.config), self._surroundings.put_back():
                session.items = self._generated(file)
                select(session=session, config=session.config, items=session.items)
                finish(session=session)
                items = session.items
        finally:
            session.items = own
        expected = self._node_ids[self._firsts[file] : self._firsts[file + 1]]
        found = [item.nodeid for item in items]
        if found != expected:
            pytest.exit(_difference(self._files[file].nodeid, expected, found), returncode=1)
        return items

    def _generated(self, file: int) -> list[pytest.Item]:
        try:
            return list(self._generate(self._files[file]))
        except SystemExit:
            # A file that ends a process would not have been collected in another one.
            return []


def _difference(file: str, expected: Sequence[str], found: Sequence[str]) -> str:
    pairs = itertools.zip_longest(expected, found)
    first, other = next((one, two) for one, two in pairs if one != two)
    return (
        f"{file} has other tests in another process that collects it ({other or 'no test'} instead of "
        f"{first or 'no further test'}); use --rustpar-collect=serial"
    )
