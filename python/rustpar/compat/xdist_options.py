"""Options of pytest-xdist that not every version has."""

from __future__ import annotations


def has_ramp() -> bool:
    """Whether pytest-xdist has ``--ramp``, as it does after 3.8."""
    from xdist import plugin

    return hasattr(plugin, "parse_ramp_duration")
