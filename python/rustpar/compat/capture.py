"""pytest's capturing of file descriptors (``--capture=fd``), of which no interface tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


def captures(config: pytest.Config) -> Iterator[tuple[str, Any]]:
    """What captures standard output and error, as ``out`` and ``err``; nothing where no descriptor is captured.

    Each has ``targetfd`` (1 or 2), ``targetfd_save`` (where that led before) and ``tmpfile``, which it writes to.
    """
    manager: Any = config.pluginmanager.get_plugin("capturemanager")
    capturing = getattr(manager, "_global_capturing", None)
    for name in ("out", "err"):
        capture = getattr(capturing, name, None)
        # What is captured in memory (--capture=sys) has no descriptor.
        if hasattr(capture, "targetfd_save"):
            yield name, capture


def is_suspended(capture: Any) -> bool:
    """Whether one of :func:`captures` lets output through."""
    return bool(capture._state == "suspended")
