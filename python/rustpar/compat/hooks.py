"""Access to pluggy's internals of hook calls, which are not part of its interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pluggy import _manager

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

# Calls the implementations of a hook one after the other; None if this pluggy has it elsewhere.
multicall: Any = getattr(_manager, "_multicall", None)


def caller_of(config: pytest.Config) -> Any:
    """Return the function that calls all hook implementations; not :data:`multicall` if calls are traced."""
    return getattr(config.pluginmanager, "_inner_hookexec", None)


def set_caller(config: pytest.Config, caller: Any) -> None:
    """Replace the function that :func:`caller_of` returns."""
    config.pluginmanager._inner_hookexec = caller


def intercept(hook: Any, call: Callable[..., object]) -> Callable[..., object]:
    """Call `call` instead of one hook's implementations; return the function that calls them."""
    original: Callable[..., object] = hook._hookexec
    hook._hookexec = call
    return original


def forget_implementation(hook: Any, plugin: object) -> None:
    """Remove a plugin's implementation of this hook."""
    hook._remove_plugin(plugin)


class SuspendedImplementation:
    """A plugin's implementation of a hook that is not called until it is resumed, in the place that it had."""

    def __init__(self, hook: Any, plugin: object) -> None:
        """Suspend it."""
        self._implementations = hook._hookimpls
        (place,) = (place for place, one in enumerate(self._implementations) if one.plugin is plugin)
        self._before = self._implementations[:place]
        self._suspended = self._implementations.pop(place)

    def resume(self) -> None:
        """Have it called again."""
        places = [place for place, one in enumerate(self._implementations) if one in self._before]
        self._implementations.insert(max(places, default=-1) + 1, self._suspended)
