"""Fixtures that several tests share, as far as they may take time."""

from __future__ import annotations

from typing import Any

# What pytest and this project bring takes no time, except where it calls the set-up functions of a module or class.
_OURS = ("_pytest.", "xdist.", "rustpar.")
_CALLS_USERS = ("_xunit_", "_unittest_")


def key_of(definition: Any) -> str:
    """The name under which the history knows a fixture."""
    return f"{definition.baseid}::{definition.argname}"


def is_users_and_shared(definition: Any) -> bool:
    """Whether a fixture is of class scope or wider, and may take time."""
    if definition.scope == "function":
        return False
    module = getattr(definition.func, "__module__", None) or ""
    return not module.startswith(_OURS) or definition.argname.startswith(_CALLS_USERS)
