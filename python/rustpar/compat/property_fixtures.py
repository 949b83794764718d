"""Replacements of pytest's fixtures that lose data in a worker or without ``--junitxml``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="session")
def record_testsuite_property(request: pytest.FixtureRequest) -> Callable[[str, object], None]:
    """Record a name-value pair as child of the junit ``<testsuite>``, and in the journal of the run."""
    plugin = request.config.pluginmanager.get_plugin
    # A worker sends it to the controller, which writes both.
    keeper: Any = plugin("rustpar-worker") or plugin("rustpar-journaling")

    def record(name: str, value: object) -> None:
        """Record a property of the whole suite."""
        if not isinstance(name, str):
            raise TypeError(f"name parameter needs to be a string, but {type(name).__name__} given")
        keeper.suite_property(name, value)

    return record
