"""pytest-rustpar: ``pytest -n`` on a native engine.

The pytest plugin is :mod:`rustpar.plugin`, registered through the ``pytest11`` entry point.
"""

__all__ = ["__version__"]

# Read only when this package itself is the plugin: without installed metadata, `-p rustpar` finds no entry point.
pytest_plugins = ("rustpar.plugin",)

__version__: str


def __getattr__(name: str) -> str:
    """Look up ``__version__`` when it is asked for: a plain pytest run does not pay for reading metadata."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("pytest-rustpar")
    except PackageNotFoundError:
        return "unknown"
