"""Hook calls without pluggy's Python code, where nobody can tell.

A trivial test makes 13 hook calls of 43 implementations. Native, they take 18 us less of 122 us; in a worker, which
does more around it, a test takes 23 us less.

The hazard it handles: pluggy's ``_multicall`` is not part of its interface, and has not always been the same. So it is
replaced only where it is what the native call was written after. Whose implementations are called natively, and why
not all are, is said in ``src/bridge/hookcall.rs``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from pluggy import HookCallError, HookImpl

from rustpar import _core
from rustpar.compat import hooks

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    import pytest

# Modules whose implementations do not look at their callers.
_OURS = ("_pytest.", "rustpar.")

# Here pytest's implementations call tests and fixtures. A warning they issue may point at who called them.
_NEXT_TO_USERS = ("pytest_pyfunc_call", "pytest_fixture_setup")

# What the native call knows of: another name in a later pluggy would be something that it does not do.
_ARGUMENTS = ("hook_name", "hook_impls", "caller_kwargs", "firstresult")
_ATTRIBUTES = {
    *("plugin", "plugin_name", "opts", "function", "argnames", "kwargnames"),
    *("wrapper", "hookwrapper", "optionalhook", "tryfirst", "trylast"),
}


def install(config: pytest.Config) -> None:
    """Make `config` call hooks natively, unless somebody traces its calls, or pluggy is too old (1.5) or too new.

    Tracebacks lack pluggy's frames then, which only --tb=native and --full-trace do not hide.
    """
    shown = config.getoption("tbstyle", "auto") == "native" or config.getoption("fulltrace", False)
    current = hooks.caller_of(config)
    if not shown and current is not None and current is hooks.multicall and _is_known():
        hooks.set_caller(config, native(current))


def native(fallback: Callable[..., Any], ours: Sequence[str] = _OURS) -> _core.Multicall:
    """What calls implementations out of modules whose names begin like this, and has `fallback` do all other calls."""
    return _core.Multicall(
        fallback,
        ours=ours,
        next_to_users=_NEXT_TO_USERS,
        missing=_missing,
        did_not_yield=_did_not_yield,
        second_yield=_second_yield,
    )


def _is_known() -> bool:
    code = getattr(hooks.multicall, "__code__", None)
    return (
        code is not None
        and code.co_varnames[: code.co_argcount + code.co_kwonlyargcount] == _ARGUMENTS
        and {"_raise_wrapfail", "run_old_style_hookwrapper"} <= hooks.multicall.__globals__.keys()
        and set(HookImpl.__slots__) <= _ATTRIBUTES
    )


def _missing(name: str) -> NoReturn:
    try:
        raise KeyError(name)
    except KeyError as error:
        raise HookCallError(f"hook call must provide argument {name!r}") from error


def _did_not_yield(wrapper: Generator[None, object, object], result: object) -> NoReturn:
    try:
        # As this Python does it: until 3.13 what is being handled becomes the context of every `StopIteration`.
        next(_ending_with(result))
    except StopIteration:
        _raise_wrapfail(wrapper, "did not yield")
    raise AssertionError


def _ending_with(result: object) -> Generator[None, None, object]:
    yield from ()
    return result


def _second_yield(wrapper: Generator[None, object, object]) -> NoReturn:
    _raise_wrapfail(wrapper, "has second yield")


def _raise_wrapfail(wrapper: Generator[None, object, object], message: str) -> NoReturn:
    hooks.multicall.__globals__["_raise_wrapfail"](wrapper, message)
    raise AssertionError
