"""What a process that collects does with fixtures that are to be set up once per run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rustpar.once.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Sequence


def register(items: Sequence[pytest.Item]) -> None:
    """Refuse fixtures that cannot be set up once per run; in workers of pytest-xdist's own engine, do set them up so.

    In a process that runs all tests, each session fixture is set up once anyway.

    Raises:
        pytest.UsageError: A fixture cannot be set up once; in such a worker, that is a warning.
    """
    session = items[0].session
    if session.config.pluginmanager.has_plugin("rustpar-worker"):
        # Checked when the fixtures are set up, or their values exchanged.
        return
    is_worker = hasattr(session.config, "workerinput")
    try:
        needed = Selection(session.config).needed(items)
    except pytest.UsageError as error:
        if not is_worker:
            raise
        # There it would be an internal error.
        session.config.issue_config_time_warning(pytest.PytestConfigWarning(str(error)), stacklevel=2)
        return
    if needed and is_worker:
        from rustpar.once import exchange

        exchange.register(session, needed)
