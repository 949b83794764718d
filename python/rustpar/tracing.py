"""``--rustpar-trace``: Chrome trace events of a run, written when it has ended.

The hazard it handles: the file is made from the run's journal. Where none is kept, or the file cannot be written, one
line says so, and the run ends as it would without.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core
from rustpar.journaling import journaling_of

if TYPE_CHECKING:
    from collections.abc import Generator


class Tracing:
    """Writes the trace of a run."""

    def __init__(self, config: pytest.Config) -> None:
        """Write to the file that the option names, relative to where pytest was started."""
        self.config = config
        self._given: str = config.option.rustpar_trace
        self._problem: str | None = None

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self) -> Generator[None, object, object]:
        """Write the file, when the journal is complete and the summary is still to come."""
        result = yield
        journal = journaling_of(self.config).path
        if journal is None:
            self._problem = "no journal of this run is kept; name a file with --rustpar-journal"
            return result
        try:
            trace = _core.Report([journal]).trace()
            Path(self.config.invocation_params.dir, self._given).write_bytes(trace)
        except (OSError, ValueError) as error:
            self._problem = str(error)
        return result

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say where the file is, or why there is none."""
        if self._problem is None:
            terminalreporter.write_line(f"rustpar: trace: {self._given}, for https://ui.perfetto.dev")
        else:
            terminalreporter.write_line(f"rustpar: no trace is written: {self._problem}", yellow=True)
