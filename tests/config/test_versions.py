"""The versions that a run is described with."""

from __future__ import annotations

from importlib.metadata import version

import pytest

import rustpar
from tests.harness import Suite
from tests.journals import events, journals

PLUGIN = """
import pytest
def pytest_report_header(config):
    return [f"{d.project_name}={d.version}" for _, d in config.pluginmanager.list_plugin_distinfo()]
"""


def test_the_version_of_the_package_is_that_of_its_metadata() -> None:
    assert rustpar.__version__ == version("pytest-rustpar")


@pytest.mark.parametrize("n", [None, "2"])
def test_a_journal_has_the_version_of_each_installed_plugin(suite: Suite, n: str | None) -> None:
    suite.write({"conftest.py": PLUGIN})
    suite.test("def test_one(): pass\n")
    run = suite.run(n=n)
    known = dict(line.split("=") for line in run.lines if line.startswith("pytest-") and "=" in line)
    assert {"pytest-xdist", "pytest-rustpar"} <= known.keys()
    (journal,) = journals(suite)
    assert known.items() <= events(journal)[0]["versions"].items()
