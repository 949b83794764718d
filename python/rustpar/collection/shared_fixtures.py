"""Fixtures that several tests share and whose set-up may take a noticeable time."""

from __future__ import annotations

from typing import Any

# Fixtures of pytest and of this project are fast, except those that call the user's setup_module and the like.
_OURS = ("_pytest.", "xdist.", "rustpar.")
_CALLS_USERS = ("_xunit_", "_unittest_")


def key_of(definition: Any) -> str:
    """Return the history's key of a fixture."""
    return f"{definition.baseid}::{definition.argname}"


def is_of_a_framework(definition: Any) -> bool:
    """Whether a fixture belongs to pytest, pytest-xdist or this project."""
    return (getattr(definition.func, "__module__", None) or "").startswith(_OURS)


def is_shared_user_fixture(definition: Any) -> bool:
    """Whether a fixture has class scope or wider, and may take a noticeable time."""
    if definition.scope == "function":
        return False
    return not is_of_a_framework(definition) or definition.argname.startswith(_CALLS_USERS)
