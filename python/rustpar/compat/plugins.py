"""Adjustments of certain plugins, in a forked worker, to the new process."""

from __future__ import annotations

import os
import random
import sys
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


def reopened_sockets(config: pytest.Config) -> set[int]:
    """Return the descriptors of sockets that `reconnect_rerunfailures` opens again in each worker."""
    database = _rerun_database(config)
    return set() if database is None else {database.sock.fileno()}


def reconnect_rerunfailures(config: pytest.Config) -> None:
    """Connect pytest-rerunfailures anew to its database in the controller, with which it counts the reruns of crashes.

    It connects when it configures. All workers of a template would use one connection, and get each other's answers.
    """
    database = _rerun_database(config)
    if database is not None:
        about: Any = config
        given = about.workerinput
        about.failures_db = type(database)(given["sock_port"], given["statusdb_token"])
        database.sock.close()


def _rerun_database(config: pytest.Config) -> Any:
    """Return the plugin's connection; None if it is not installed, or not of the kind that is known here."""
    database: Any = getattr(config, "failures_db", None)
    keys = {"sock_port", "statusdb_token"}
    is_known = type(database).__name__ == "ClientStatusDB" and hasattr(database, "sock")
    return database if is_known and keys <= set(getattr(config, "workerinput", ())) else None


def renew_pytest_randomly() -> None:
    """Have pytest-randomly use another seed, which it draws when it is imported, unless one was asked for."""
    plugin: Any = sys.modules.get("pytest_randomly")
    if isinstance(getattr(plugin, "default_seed", None), int):
        plugin.default_seed = random.Random().getrandbits(32)


def adjust_pytest_benchmark(config: pytest.Config, worker_id: str) -> None:
    """Tell pytest-benchmark the worker's name, because only gw0 warns that benchmarks are disabled."""
    session: Any = getattr(config, "_benchmarksession", None)
    if hasattr(session, "xdist_benchmark_found"):
        session.xdist_worker = worker_id
        session.xdist_benchmark_found = False
