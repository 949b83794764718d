"""pytest-rustpar: ``pytest -n`` on a native engine.

The pytest plugin is :mod:`rustpar.plugin`, registered through the ``pytest11`` entry point.
"""

from importlib.metadata import PackageNotFoundError, version

__all__ = ["__version__"]

# Read only when this package itself is the plugin: on a path without installed metadata, `-p rustpar` finds no entry point.
pytest_plugins = ("rustpar.plugin",)

try:
    __version__ = version("pytest-rustpar")
except PackageNotFoundError:
    __version__ = "unknown"
