"""What single plugins note of the process that they are configured in, put right in a forked worker."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest


def own_measuring(config: pytest.Config) -> None:
    """Tell pytest-cov before version 7, which names its data file and notes its process when a session starts.

    It measures anew where a test does not run in that process, and all workers would write to the same file.
    """
    plugin: Any = config.pluginmanager.get_plugin("_cov")
    if getattr(plugin, "pid", os.getpid()) == os.getpid():
        return
    plugin.pid = os.getpid()
    data: Any = getattr(plugin.cov_controller.cov, "_data", None)
    if isinstance(getattr(data, "_suffix", None), str):
        # A name with the process id in it, made when something is saved.
        data._suffix = True


def rename_in_benchmark(config: pytest.Config, worker_id: str) -> None:
    """Tell pytest-benchmark, which keeps the worker's name: gw0 alone warns that benchmarks are switched off."""
    session: Any = getattr(config, "_benchmarksession", None)
    if hasattr(session, "xdist_benchmark_found"):
        session.xdist_worker = worker_id
        session.xdist_benchmark_found = False
