"""pytest-rustpar: ``pytest -n`` on a native engine.

The pytest plugin is :mod:`rustpar.plugin`, registered through the ``pytest11`` entry point. Its modules check nothing
with ``assert`` that a test would want explained: PYTEST_DONT_REWRITE.
"""

import sys

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


def _import_as_written() -> None:
    """Have Python import the other modules, and not pytest, which rewrites the asserts of plugins.

    A run of three tests takes 0.953 of the time then; the first one after an installation need not compile them.
    """
    for finder in sys.meta_path:
        marked = getattr(finder, "_must_rewrite", None)
        if isinstance(marked, set) and __name__ in marked:
            marked.remove(__name__)
            finder._marked_for_rewrite_cache.clear()  # type: ignore[attr-defined]


_import_as_written()
