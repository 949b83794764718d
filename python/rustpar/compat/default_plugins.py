"""The modules that pytest itself imports in every run."""

from __future__ import annotations

import contextlib
import importlib

from _pytest.config import default_plugins


def import_all() -> None:
    """Import those that it registers as plugins."""
    for name in default_plugins:
        importlib.import_module(f"_pytest.{name}")


def import_for_header() -> None:
    """Import what pytest's header needs to read the names of plugins and the version of pluggy.

    Before the fork server is forked, so that the template need not do it again, in which pytest composes the header as
    in xdist's workers: 9 of the 242 ms of three tests with two workers.
    """
    for name in ("email.parser", "importlib.metadata._adapters"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
