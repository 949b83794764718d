"""The modules that pytest itself registers as plugins in every run."""

from __future__ import annotations

import importlib

from _pytest.config import default_plugins


def import_all() -> None:
    """Import them."""
    for name in default_plugins:
        importlib.import_module(f"_pytest.{name}")
