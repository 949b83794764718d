"""Adjustments of certain plugins, in a forked worker, to the new process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest


def adjust_pytest_cov(config: pytest.Config) -> None:
    """Adjust pytest-cov before version 7, which stores its data file's name and its process id at session start.

    Otherwise it would start another measurement for tests in a different process, and all workers would write to the
    same file.
    """
    plugin: Any = config.pluginmanager.get_plugin("_cov")
    if getattr(plugin, "pid", os.getpid()) == os.getpid():
        return
    plugin.pid = os.getpid()
    data: Any = getattr(plugin.cov_controller.cov, "_data", None)
    if isinstance(getattr(data, "_suffix", None), str):
        # Have the name, which includes the process id, computed when the data is saved.
        data._suffix = True


def adjust_pytest_benchmark(config: pytest.Config, worker_id: str) -> None:
    """Tell pytest-benchmark the worker's name, because only gw0 warns that benchmarks are disabled."""
    session: Any = getattr(config, "_benchmarksession", None)
    if hasattr(session, "xdist_benchmark_found"):
        session.xdist_worker = worker_id
        session.xdist_benchmark_found = False
