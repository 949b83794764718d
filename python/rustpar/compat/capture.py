"""pytest's capturing of file descriptors (``--capture=fd``), which has no public interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


def captures(config: pytest.Config) -> Iterator[tuple[str, Any]]:
    """Yield the objects that capture standard output and error, as ``out`` and ``err``; none without ``--capture=fd``.

    Each has ``targetfd`` (1 or 2), ``targetfd_save`` (a duplicate of the original descriptor) and ``tmpfile``, to which
    output is written.
    """
    manager: Any = config.pluginmanager.get_plugin("capturemanager")
    capturing = getattr(manager, "_global_capturing", None)
    for name in ("out", "err"):
        capture = getattr(capturing, name, None)
        # A capture in memory (--capture=sys) has no descriptor.
        if hasattr(capture, "targetfd_save"):
            yield name, capture


def descriptor_captures(config: pytest.Config) -> dict[int, Any]:
    """Return what :func:`captures` yields, and the capture of standard input, by their descriptors."""
    manager: Any = config.pluginmanager.get_plugin("capturemanager")
    capturing = getattr(manager, "_global_capturing", None)
    found = (getattr(capturing, name, None) for name in ("in_", "out", "err"))
    return {one.targetfd: one for one in found if one is not None and hasattr(one, "targetfd_save")}


def is_suspended(capture: Any) -> bool:
    """Whether one of :func:`captures` is suspended, so that output is not captured."""
    return bool(capture._state == "suspended")
