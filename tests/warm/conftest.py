from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.warm.environments import WarmSuite, make_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip all where there are no warm servers."""
    if sys.platform != "linux":
        for item in items:
            if "tests/warm/" in item.nodeid:
                item.add_marker(pytest.mark.skip(reason="warm servers are for Linux"))


@pytest.fixture(scope="session")
def warm_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a virtual environment in which tests can install packages."""
    return make_environment(tmp_path_factory.mktemp("environment"))


@pytest.fixture
def warm_suite(warm_python: Path, tmp_path: Path) -> Iterator[WarmSuite]:
    """An empty project that asks for warm starts."""
    suite = WarmSuite(warm_python, tmp_path)
    yield suite
    suite.close()
