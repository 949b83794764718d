"""``--rustpar-timeline`` and ``--rustpar-trace``: pictures of a run, written when it has ended.

The hazard it handles: they are made from the run's journal. Where that is not whole, or a file cannot be written, one
line says so, and the run ends as it would without.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core
from rustpar.recording.journal import journal_writer_of

if TYPE_CHECKING:
    from collections.abc import Generator


# What makes a picture, and what to do with the file.
_PICTURES = {
    "timeline": (_core.timeline, "open it in a browser"),
    "trace": (_core.trace, "open it in https://ui.perfetto.dev"),
}


class TimelineFiles:
    """Draws a run."""

    def __init__(self, config: pytest.Config) -> None:
        """Write to the files that options name, relative to where pytest was started."""
        self.config = config
        given = {name: config.getoption(f"rustpar_{name}") for name in _PICTURES}
        self._files: dict[str, str] = {name: file for name, file in given.items() if file}
        self._problems: dict[str, str] = {}

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self) -> Generator[None, object, object]:
        """Write the files, when the journal is complete and the summary is still to come."""
        result = yield
        journal = journal_writer_of(self.config).whole_file()
        for name, file in self._files.items():
            try:
                if journal is None:
                    raise ValueError("the run's journal is incomplete")
                Path(self.config.invocation_params.dir, file).write_bytes(_PICTURES[name][0](journal))
            except (OSError, ValueError) as error:
                self._problems[name] = str(error)
        return result

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say where the files are, or why one is missing."""
        for name, file in self._files.items():
            if name in self._problems:
                terminalreporter.write_line(f"rustpar: could not write the {name}: {self._problems[name]}", yellow=True)
            else:
                terminalreporter.write_line(f"rustpar: {name}: {file}; {_PICTURES[name][1]}")
