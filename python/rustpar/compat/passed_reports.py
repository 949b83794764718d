"""What pytest's own plugins do with the report of a passed phase, without the calls of their hooks.

Each passing test has three reports, each for five plugins, and the terminal reporter calls a hook for each of them. For
a passed phase most of that comes to nothing; the rest is to append to a list and to write a dot.

The hazard it handles: this repeats what private methods of pytest do, and another version of pytest may do more. So the
reporter's own method is called until a call has changed the reporter as is known here and in no other way; if the first
one does not, it is called for all reports. It is also called at the end of a line, for the first report of a category,
and if a plugin has replaced one of the methods.
"""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Any

import pytest
from _pytest import terminal
from _pytest._io import TerminalWriter, terminalwriter
from _pytest.cacheprovider import LFPlugin
from _pytest.logging import LoggingPlugin, _LiveLoggingNullHandler

from rustpar.compat.node_ids import id_attribute

if TYPE_CHECKING:
    from collections.abc import Callable

# The category and the letter of a passed call; a passed set-up or teardown has neither.
_CATEGORY, _LETTER = "passed", "."

# Columns of the progress at the end of a line, by pytest's name of its style.
_PROGRESS_WIDTHS = {"progress": len(" [100%]"), "times": len(" 99h 59m")}


def is_of(function: Callable[..., object], *packages: str) -> bool:
    """Whether a function is defined in one of these top-level packages."""
    return str(getattr(function, "__module__", "")).partition(".")[0] in packages


def ignores(function: Callable[..., object]) -> bool:
    """Whether this implementation of a hook for each test is pytest's own and does nothing about a passed phase."""
    owner, original = getattr(function, "__self__", None), getattr(function, "__func__", None)
    # Live logs are shown by another handler.
    has_no_logs = type(owner) is LoggingPlugin and type(owner.log_cli_handler) is _LiveLoggingNullHandler
    return original is pytest.Session.pytest_runtest_logreport or (has_no_logs and is_of(function, "_pytest"))


def failures_of(function: Callable[..., object]) -> LFPlugin | None:
    """Return the plugin that remembers failed tests, if this is its implementation of a hook for each report.

    It does nothing about a passed set-up or teardown, and about a passed call unless ``lastfailed`` has an entry.
    """
    owner = getattr(function, "__self__", None)
    is_its = getattr(function, "__func__", None) is LFPlugin.pytest_runtest_logreport
    return owner if is_its and isinstance(owner, LFPlugin) else None


def terminal_of(function: Callable[..., object]) -> Any:
    """Return the terminal reporter that has this method, if that is pytest's own and nobody has changed it."""
    owner = getattr(function, "__self__", None)
    is_unchanged = (
        type(owner) is terminal.TerminalReporter
        and _are_of(terminal.TerminalReporter, terminal.__name__)
        and _are_of(TerminalWriter, terminalwriter.__name__)
    )
    return owner if is_unchanged else None


def _are_of(kind: type, module: str) -> bool:
    return all(value.__module__ == module for value in vars(kind).values() if isinstance(value, FunctionType))


# Replaced by rustpar, which flushes rarely.
_REPLACED = {"flush"}


class TerminalShortcuts:
    """Tells pytest's terminal reporter of starts and passed phases of tests."""

    def __init__(self, reporter: Any) -> None:
        """Tell `reporter`, which `terminal_of` has returned."""
        self._reporter = reporter
        # By what is told: whether a call of the reporter's method did what is done here.
        self._is_known: dict[str, bool] = {}
        self._id = id_attribute()
        self._methods = _method_names(terminal.TerminalReporter) - _REPLACED
        self._writer_methods = _method_names(TerminalWriter)
        self._seen: tuple[object, ...] | None = None
        self.prepare()

    def prepare(self) -> None:
        """Look at what may change between two batches of reports: the writer, the width, replaced methods."""
        reporter = self._reporter
        try:
            writer = reporter._tw
            # A replaced method is one attribute more.
            seen = (
                len(vars(reporter)),
                len(vars(writer)),
                writer,
                writer.hasmarkup,
                reporter._screen_width,
                reporter._show_progress_info,
                reporter._session and reporter._session.testscollected,
                reporter._showfspath,
                reporter.config.option.verbose,
            )
            if seen != self._seen:
                self._seen = seen
                self._prepare(reporter, writer)
        except AttributeError:
            self._is_off = True

    def _prepare(self, reporter: Any, writer: Any) -> None:
        is_changed = not (self._methods.isdisjoint(vars(reporter)) and self._writer_methods.isdisjoint(vars(writer)))
        self._is_off = is_changed or type(writer) is not TerminalWriter
        self._writer = writer
        self._letter = writer.markup(_LETTER, green=True)
        style = reporter._show_progress_info
        tests = reporter._session.testscollected if reporter._session else 0
        width = len(f" [{tests}/{tests}]") if style == "count" else _PROGRESS_WIDTHS.get(style, 0)
        # A shorter line has no progress behind the next letter.
        self._room = reporter._screen_width - width - 2
        self._has_letters = not reporter.showlongtestinfo
        self._is_silent_at_start = self._has_letters and not reporter.showfspath

    def start(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        """Tell of the start of a test."""
        reporter = self._reporter
        if self._is_off or not self._is_silent_at_start or not self._is_known.get("start"):
            self._compare("start", lambda: reporter.pytest_runtest_logstart(nodeid, location), {}, {}, "")

    def passed(self, report: pytest.TestReport) -> None:
        """Tell of a passed set-up or teardown."""
        reporter = self._reporter
        entries = reporter.stats.get("")
        if self._is_off or type(entries) is not list:
            reporter.pytest_runtest_logreport(report)
        elif not self._is_known.get(""):
            self._report(report, "", "")
        else:
            reporter._current_logreport = report
            entries.append(report)

    def passed_call(self, report: pytest.TestReport) -> None:
        """Tell of a passed call."""
        reporter = self._reporter
        entries = reporter.stats.get(_CATEGORY)
        if self._is_off or not self._has_letters or type(entries) is not list:
            reporter.pytest_runtest_logreport(report)
            return
        writer = self._writer
        line = writer._current_line
        if len(line) >= self._room or not (line.isascii() and line.isprintable()):
            reporter.pytest_runtest_logreport(report)
        elif not self._is_known.get(_CATEGORY):
            self._report(report, _CATEGORY, _LETTER)
        else:
            reporter._current_logreport = report
            entries.append(report)
            reporter._progress_nodeids_reported.add(vars(report)[self._id])
            writer._current_line = line + _LETTER
            writer._file.write(self._letter)
            reporter.flush()

    def _report(self, report: pytest.TestReport, category: str, letter: str) -> None:
        attributes = {"_current_logreport": report, "_tests_ran": True}
        sizes = {f"stats {category}": 1, "_progress_nodeids_reported": len(letter)}
        self._compare(category, lambda: self._reporter.pytest_runtest_logreport(report), attributes, sizes, letter)

    def _compare(
        self, what: str, call: Callable[[], object], attributes: dict[str, object], sizes: dict[str, int], written: str
    ) -> None:
        """Call a method of the reporter, and note, the first time, whether it changes this and nothing else.

        Args:
            what: What it is told of.
            call: Calls the method.
            attributes: The new values of attributes of the reporter.
            sizes: By how much collections of the reporter grow.
            written: What is written to the line.
        """
        if what in self._is_known or self._is_off:
            call()
            return
        reporter, writer = self._reporter, self._writer
        expected = vars(reporter) | attributes
        expected_writer = dict(vars(writer))
        line = expected_writer.pop("_current_line") + written
        before = _sizes(reporter)
        call()
        found_writer = dict(vars(writer))
        is_as_known = found_writer.pop("_current_line") == line and _are_same(found_writer, expected_writer)
        after = _sizes(reporter)
        grown = {name: size - before.get(name, 0) for name, size in after.items() if size != before.get(name)}
        is_as_known &= _are_same(vars(reporter), expected) and grown == {n: size for n, size in sizes.items() if size}
        self._is_known[what] = is_as_known


def _method_names(kind: type) -> set[str]:
    return {name for name, value in vars(kind).items() if isinstance(value, (FunctionType, property))}


def _are_same(found: dict[str, object], expected: dict[str, object]) -> bool:
    """Whether two dictionaries have the same keys, and for each the same object."""
    return found.keys() == expected.keys() and all(found[name] is expected[name] for name in expected)


def _sizes(reporter: Any) -> dict[str, int]:
    """Return the sizes of a reporter's collections, and of the lists in its statistics."""
    sizes = {name: len(value) for name, value in vars(reporter).items() if isinstance(value, (dict, list, set))}
    return sizes | {f"stats {category}": len(entries) for category, entries in reporter.stats.items()}
