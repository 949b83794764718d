"""How pluggy calls hooks, which its interface does not say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pluggy import _manager

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

# Calls the implementations of a hook one after the other; None in a pluggy that has it elsewhere.
multicall: Any = getattr(_manager, "_multicall", None)


def caller_of(config: pytest.Config) -> Any:
    """What calls the implementations of every hook; not :data:`multicall` where somebody traces calls."""
    return getattr(config.pluginmanager, "_inner_hookexec", None)


def set_caller(config: pytest.Config, caller: Any) -> None:
    """Have `caller` call the implementations of every hook, in the place of :func:`caller_of`."""
    config.pluginmanager._inner_hookexec = caller


def intercept(hook: Any, call: Callable[..., object]) -> Callable[..., object]:
    """Have `call` called in the place of one hook's implementations; return what calls them."""
    original: Callable[..., object] = hook._hookexec
    hook._hookexec = call
    return original


def forget_implementation(hook: Any, plugin: object) -> None:
    """Call a plugin's implementation of this one hook no longer."""
    hook._remove_plugin(plugin)
