"""Whether this process uses a quarantine file, and for what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rustpar.collection.quarantine_file import file_of

if TYPE_CHECKING:
    import pytest


def register(config: pytest.Config) -> None:
    """Mark the failures of tests in the quarantine, and show them, if this is also the process that reports."""
    file = file_of(config)
    if file is None:
        return
    from rustpar.quarantine import marking

    marking.register(config, file.entries)
    if not hasattr(config, "workerinput"):
        from rustpar.quarantine import reporting

        reporting.register(config, file)
