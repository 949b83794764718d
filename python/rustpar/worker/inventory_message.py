"""What a worker or the template sends to the controller about the tests that it has collected."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rustpar import _core
from rustpar.collection.inventory import facts
from rustpar.collection.markers import group_of
from rustpar.compat.hooks import intercept

if TYPE_CHECKING:
    import pytest

    # All node ids, descriptions of the finished tests by index, and the marks of all tests.
    Finished = tuple[list[str], dict[int, Any], dict[str, Any]]

# Modules that load a numerical library with threads of its own; without any of them, none is looked for.
_NUMERICAL = ("numpy", "scipy", "torch", "mkl", "sklearn")


class CollectionLines:
    """What plugins say after the collection: the silent terminal reporter asks them, as in xdist's workers."""

    def __init__(self, config: pytest.Config) -> None:
        """Keep what they say from now on."""
        self._lines: list[str] = []
        # Before pytest 9, that of `config.hook` is a function around this one.
        hook = config.pluginmanager.hook.pytest_report_collectionfinish
        self._call = intercept(hook, self._keep)

    def _keep(self, *call: Any) -> object:
        answers: Any = self._call(*call)
        # In the order in which the reporter shows them.
        for lines in reversed(answers):
            self._lines += map(str, lines if isinstance(lines, (list, tuple)) else [lines])
        return answers

    def take(self) -> list[str]:
        """Return the lines since the last call."""
        taken, self._lines = self._lines, []
        return taken


def take_out_finished(session: pytest.Session, resumed: str, tests: list[int] | None) -> Finished:
    """Remove the tests that the run that is resumed has finished; `resumed` and `tests` are for ``resumption.load``."""
    from rustpar.collection.finished_tests import take_out
    from rustpar.collection.inventory import marks
    from rustpar.recording import resumption

    items = session.items
    node_ids, marked = [item.nodeid for item in items], marks(session.config, items)
    try:
        finished = take_out(items, resumption.load(resumed, tests))
    except ValueError:
        # The controller compares the tests, too, and ends the run with the reason.
        return node_ids, {}, marked
    return node_ids, {index: tuple(about) for index, about in finished.items()}, marked


def send(
    line: _core.Line,
    session: pytest.Session,
    deselected: list[pytest.Item],
    *,
    lines: list[str],
    loaded: list[str],
    finished: Finished | None,
    reasons: list[str],
    part: dict[str, Any] | None,
) -> None:
    """Send the collected tests, and what the controller needs to know of them.

    Args:
        line: The line to the controller.
        session: The session that has collected.
        deselected: The tests that were deselected.
        lines: What plugins have said after the collection, as :meth:`CollectionLines.take` returns it.
        loaded: The files of the project that were loaded.
        finished: The tests that the run that is resumed has finished; None if no run is resumed.
        reasons: The reasons against forking workers from this process.
        part: What :meth:`rustpar.worker.file_parts.FileParts.describe` has returned; None without that.
    """
    config = session.config
    node_ids = [item.nodeid for item in session.items]
    grouped = config.option.loadgroup
    groups = [group_of(item) if grouped else None for item in session.items]
    described: Any = ([], [])
    if deselected:
        from rustpar.collection.deselected import describe

        described = describe(deselected)
    extras = {
        "lines": lines,
        "deselected": described,
        "reasons": reasons,
        "conftests": _conftests(config),
        "facts": facts(config, session.items),
        "finished": finished,
        "loaded": loaded,
        "thread_pool": _thread_pool(),
        "part": part,
    }
    line.inventory(node_ids, groups, extras)


def _thread_pool() -> tuple[str, int, str] | None:
    """Return the largest thread pool of numerical libraries: the library, its threads, and the variable for them."""
    is_possible = any(module in sys.modules for module in _NUMERICAL)
    return _core.largest_thread_pool() if is_possible else None


def _conftests(config: pytest.Config) -> list[str]:
    """Return the loaded conftest files."""
    plugins = (getattr(plugin, "__file__", None) for plugin in config.pluginmanager.get_plugins())
    return [file for file in plugins if file is not None and Path(file).name == "conftest.py"]
