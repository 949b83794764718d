"""Native hook calls, which bypass pluggy's Python code if the difference cannot be noticed.

A trivial test makes 13 hook calls with 43 implementations. Natively they take 18 us less of 122 us; a test in a worker
takes 23 us less.

The hazard it handles: pluggy's ``_multicall`` is not part of its interface, and has not always been the same. So it is
replaced only if it has the form that the native call was written for. ``src/bridge/multicall.rs`` explains which
implementations are called natively.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from pluggy import HookCallError, HookImpl

from rustpar import _core
from rustpar.compat import hooks

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    import pytest

# Modules whose implementations do not inspect their callers.
_OURS = ("_pytest.", "rustpar.")

# Hooks in which pytest's implementations call tests and fixtures, whose warnings may refer to their callers.
_CALLS_USER_CODE = ("pytest_pyfunc_call", "pytest_fixture_setup")

# The arguments and attributes that the native call supports; a later pluggy may have others.
_ARGUMENTS = ("hook_name", "hook_impls", "caller_kwargs", "firstresult")
_ATTRIBUTES = {
    *("plugin", "plugin_name", "opts", "function", "argnames", "kwargnames"),
    *("wrapper", "hookwrapper", "optionalhook", "tryfirst", "trylast"),
}


def install(config: pytest.Config) -> None:
    """Make `config` call hooks natively, unless its calls are traced, or pluggy is too old (1.5) or too new.

    Tracebacks then lack pluggy's frames, which pytest shows only with --tb=native and --full-trace.
    """
    shown = config.getoption("tbstyle", "auto") == "native" or config.getoption("fulltrace", False)
    current = hooks.caller_of(config)
    if not shown and current is not None and current is hooks.multicall and _is_known():
        hooks.set_caller(config, native(current))


def native(fallback: Callable[..., Any], ours: Sequence[str] = _OURS) -> _core.Multicall:
    """Return a function that calls implementations natively in modules whose names start with `ours`."""
    return _core.Multicall(
        fallback,
        ours=ours,
        next_to_users=_CALLS_USER_CODE,
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
        # Raised by Python itself: up to 3.13 the handled exception becomes the context of every `StopIteration`.
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
