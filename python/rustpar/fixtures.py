"""Fixtures of pytest that do nothing in a worker, made to work there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="session")
def record_testsuite_property(request: pytest.FixtureRequest) -> Callable[[str, object], None]:
    """Record a name-value pair as child of the junit ``<testsuite>``; the controller, which writes it, gets it sent."""
    worker: Any = request.config.pluginmanager.get_plugin("rustpar-worker")

    def record(name: str, value: object) -> None:
        """Record a property for the whole suite."""
        if not isinstance(name, str):
            raise TypeError(f"name parameter needs to be a string, but {type(name).__name__} given")
        worker.send_suite_property(name, value)

    return record
