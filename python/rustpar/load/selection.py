"""The tests of a load run: those that are marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rustpar.load.mark import load_tests_of

if TYPE_CHECKING:
    import pytest


def keep_marked(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests that are not marked, and have the others run as load tests.

    Raises:
        pytest.UsageError: A mark is invalid.
    """
    tests = load_tests_of(config, items)
    chosen = [test.item for test in tests]
    tasks = {task for test in tests for task in test.tasks}
    deselected = [item for item in items if item not in tasks]
    if deselected:
        config.hook.pytest_deselected(items=deselected)
    # The other tasks of a class run with its first one.
    items[:] = chosen
    if tests and config.pluginmanager.has_plugin("rustpar-worker"):
        from rustpar.load import generator

        generator.register(tests[0].item.session, tests)
