"""The versions of Python, pytest and its plugins."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

import pytest

import rustpar

if TYPE_CHECKING:
    from collections.abc import Mapping

_VERSIONS: pytest.StashKey[Mapping[str, str]] = pytest.StashKey()


def versions(config: pytest.Config) -> Mapping[str, str]:
    """Return the versions of Python, pytest and all installed plugins.

    Those whose metadata cannot be read are missing.
    """
    known = config.stash.get(_VERSIONS, None)
    if known is None:
        python = ".".join(map(str, sys.version_info[:3]))
        own = {"python": python, "pytest": pytest.__version__, "pytest-rustpar": rustpar.__version__}
        config.stash[_VERSIONS] = known = own | _plugins(config)
    return known


def _plugins(config: pytest.Config) -> dict[str, str]:
    # A distribution may have several entry points.
    distributions = {
        id(distribution): distribution
        for plugin, distribution in config.pluginmanager.list_plugin_distinfo()
        if getattr(plugin, "__package__", None) != rustpar.__name__
    }
    found = {}
    for distribution in distributions.values():
        # They are read from files, for which there may be no descriptors.
        with contextlib.suppress(OSError):
            name, version = _name_and_version(distribution)
            found[name] = version
    return found


def _name_and_version(distribution: Any) -> tuple[str, str]:
    # importlib.metadata parses the whole text at each access, also a long description: 1 ms.
    text = distribution.read_text("METADATA") or ""
    header = dict(line.split(": ", 1) for line in text.partition("\n\n")[0].splitlines() if ": " in line)
    if "Name" in header and "Version" in header:
        return header["Name"], header["Version"]
    # Older formats, and finders other than Python's.
    return distribution.metadata["Name"], distribution.metadata["Version"]
