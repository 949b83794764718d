"""``--rustpar-timeline`` and ``--rustpar-trace``: visualizations of a run, written at its end.

The hazard it handles: they are made from the run's journal. If that is incomplete, or a file cannot be written, the
summary says so in one line, and the run's result is unaffected.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core
from rustpar.recording.journal import journal_writer_of

if TYPE_CHECKING:
    from collections.abc import Generator


# For each kind of file, the function that renders it, and a hint how to open it.
_FORMATS = {
    "timeline": (_core.timeline, "open it in a browser"),
    "trace": (_core.trace, "open it in https://ui.perfetto.dev"),
}


class TimelineFiles:
    """Writes the timeline and trace files of a run."""

    def __init__(self, config: pytest.Config) -> None:
        """Write to the files named by options, relative to the directory in which pytest was started."""
        self.config = config
        given = {name: config.getoption(f"rustpar_{name}") for name in _FORMATS}
        self._files: dict[str, str] = {name: file for name, file in given.items() if file}
        self._problems: dict[str, str] = {}

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self) -> Generator[None, object, object]:
        """Write the files when the journal is complete, before the summary."""
        result = yield
        journal = journal_writer_of(self.config).complete_file()
        for name, file in self._files.items():
            try:
                if journal is None:
                    raise ValueError("the run's journal is incomplete")
                Path(self.config.invocation_params.dir, file).write_bytes(_FORMATS[name][0](journal))
            except (OSError, ValueError) as error:
                self._problems[name] = str(error)
        return result

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Report the names of the files, or why one could not be written."""
        for name, file in self._files.items():
            if name in self._problems:
                terminalreporter.write_line(f"rustpar: could not write the {name}: {self._problems[name]}", yellow=True)
            else:
                terminalreporter.write_line(f"rustpar: {name}: {file}; {_FORMATS[name][1]}")
