"""The project's own files that have been loaded when tests are collected; the results of tests depend on them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from rustpar.process.code_origin import CodeOrigins

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest


def loaded_files(config: pytest.Config, items: Iterable[pytest.Item]) -> list[str]:
    """Return the files of tests, conftests, and all modules below rootdir except installed packages; relative to it."""
    root = str(config.rootpath) + os.sep
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    plugins = {getattr(plugin, "__file__", None) for plugin in config.pluginmanager.get_plugins()}
    tests = {str(path) for path in {item.path for item in items}}
    is_own = CodeOrigins().is_own_file
    own = {
        file
        for file in {*files, *plugins, *tests, str(config.inipath)}
        if isinstance(file, str) and file.startswith(root) and is_own(file)
    }
    return sorted(file.removeprefix(root) for file in own)
