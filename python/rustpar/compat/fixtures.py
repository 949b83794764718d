"""Non-public parts of pytest's fixtures: setting them up outside of a test, and replacing their set-up."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path


@contextlib.contextmanager
def active_scopes(item: pytest.Item, registered: list[Callable[[], object]] | None = None) -> Iterator[None]:
    """Let fixtures be set up for a test that does not run; the collectors that it belongs to are not set up.

    What is registered with those meanwhile, to be called when they are torn down, is added to `registered`.
    """
    stack: Any = item.session._setupstate.stack
    before = dict(stack)
    added: list[list[Callable[[], object]]] = []
    for node in item.listchain():
        if node not in stack:
            added.append([])
            stack[node] = (added[-1], None)
    try:
        yield
    finally:
        if registered is not None:
            registered.extend(finalizer for finalizers in added for finalizer in finalizers)
        stack.clear()
        stack.update(before)


def set_up(item: pytest.Item, name: str) -> None:
    """Set up a fixture for a test, with the fixtures that it needs.

    Raises:
        BaseException: What the set-up raises.
    """
    __tracebackhide__ = True
    set_up_all(item, [name])


def shared_names(item: pytest.Item) -> list[tuple[str, Any]]:
    """Return the names and definitions of the fixtures of a test that have class scope or wider, in set-up order."""
    info: Any = getattr(item, "_fixtureinfo", None)
    if info is None:
        return []
    found = ((name, (info.name2fixturedefs.get(name) or (None,))[-1]) for name in info.names_closure)
    # Before pytest 8.2, those of unittest need the test's instance, which exists only when the test is set up.
    return [
        (name, one)
        for name, one in found
        if one is not None and one.scope != "function" and not getattr(one, "unittest", False)
    ]


def set_up_all(item: pytest.Item, names: Iterable[str]) -> None:
    """Set up fixtures for a test, one after the other, in the collectors that are set up.

    Raises:
        BaseException: What a set-up raises.
    """
    __tracebackhide__ = True
    request: Any = getattr(item, "_request", None)
    if request:
        try:
            for name in names:
                request._get_active_fixturedef(name)
        finally:
            # When the test runs, it requests everything anew.
            item._initrequest()  # type: ignore[attr-defined]


@contextlib.contextmanager
def errors_kept() -> Iterator[None]:
    """Suppress what the set-up of a fixture raises for tests; pytest keeps it with the fixture."""
    try:
        yield
    except (pytest.UsageError, pytest.exit.Exception, KeyboardInterrupt):
        raise
    except BaseException:
        pass


def result_of(definition: Any) -> tuple[Any, Any, Any] | None:
    """Return value, cache key and exception of a fixture that is set up."""
    result: tuple[Any, Any, Any] | None = definition.cached_result
    return result


def set_error(definition: Any, key: object, error: BaseException) -> None:
    """Have a fixture that is set up raise this error for tests; it can still be torn down."""
    definition.cached_result = None, key, (error, None)


def take_apart(definition: Any) -> list[Callable[[], object]]:
    """Remove and return what tears a fixture down."""
    finalizers = list(definition._finalizers)
    definition._finalizers.clear()
    return finalizers


def shown_parameter(definition: Any) -> dict[str, object]:
    """Return what ``--setup-show`` remembers of a fixture's parameter, for :func:`tear_down`."""
    return {name: value for name, value in vars(definition).items() if name == "cached_param"}


def tear_down(
    definition: Any, request: Any, result: object, finalizers: list[Callable[[], object]], shown: dict[str, object]
) -> None:
    """Tear down a fixture with this result.

    Raises:
        BaseException: What the teardown raises.
    """
    __tracebackhide__ = True
    definition.cached_result = result
    definition._finalizers[:] = finalizers
    vars(definition).update(shown)
    definition.finish(request)


def forget(definition: Any) -> None:
    """Have a fixture set up again by the next test that needs it, without tearing it down."""
    definition.cached_result = None
    definition._finalizers.clear()


def leave(definition: Any) -> None:
    """Tear down what needs the present value of a fixture, because it gets another one; not the fixture itself."""
    while definition._finalizers:
        definition._finalizers.pop()()
    definition.cached_result = None


def replace_set_up(definition: Any, execute: Callable[[Any], object]) -> Callable[[Any], object]:
    """Have `execute`, called with the request, return the value of a fixture; return what does so otherwise."""
    original: Callable[[Any], object] = definition.execute
    definition.execute = execute
    return original


def error_of(result: tuple[Any, Any, Any]) -> BaseException | None:
    """Return what the set-up of a fixture has raised; before pytest 8.1 it is kept without its traceback."""
    error = result[2]
    exception: BaseException | None = error[0] if isinstance(error, tuple) else error
    return exception


def shorten(error: BaseException) -> None:
    """Have an error shown without its traceback, and without those that led to it."""
    error.__cause__ = error.__context__ = None
    error.__suppress_context__ = True
    if not getattr(error, "_rustpar_is_short", False) and hasattr(error, "add_note"):
        error.add_note("(its fixture is set up once per run; another test shows the whole error)")
    error._rustpar_is_short = True  # type: ignore[attr-defined]


def use_result(definition: Any, result: tuple[Any, Any, Any]) -> object:
    """Return the value of a fixture with this result, as for a fixture that is set up.

    Raises:
        BaseException: The set-up has failed.
    """
    __tracebackhide__ = True
    if definition.cached_result is not None and definition.cached_result is not result:
        leave(definition)
    definition.cached_result = result
    value, _key, error = result
    if error is None:
        return value
    # Before pytest 8.1 an exception, since then a pair with its traceback.
    exception, traceback = error if isinstance(error, tuple) else (error, error.__traceback__)
    if traceback is None or getattr(exception, "_rustpar_is_short", False):
        _raise(exception.with_traceback(None))
    raise exception.with_traceback(traceback)


def _raise(exception: BaseException) -> NoReturn:
    # pytest mentions it if all frames of an error are hidden.
    raise exception


def is_same_key(one: object, other: object) -> bool:
    """Whether two cache keys are equal, compared as pytest does."""
    try:
        return bool(one == other)
    except (ValueError, RuntimeError):
        return one is other


@contextlib.contextmanager
def other_basetemp(config: pytest.Config, name: str) -> Iterator[None]:
    """Let ``tmp_path_factory`` create directories in one of this name, beside the worker's own."""
    factory: Any = getattr(config, "_tmp_path_factory", None)
    own: Path | None = None if factory is None else factory._given_basetemp
    if own is None:
        yield
        return
    saved = factory._given_basetemp, factory._basetemp
    base = own.with_name(name)
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    factory._given_basetemp = factory._basetemp = base.resolve()
    try:
        yield
    finally:
        factory._given_basetemp, factory._basetemp = saved


@contextlib.contextmanager
def phase_output(item: pytest.Item, when: str) -> Iterator[None]:
    """Capture output, logs and warnings as pytest does during a phase of a test; they become that test's."""
    from _pytest.logging import LogCaptureHandler, catching_logs
    from _pytest.warnings import catch_warnings_for_item

    config = item.config
    manager: Any = config.pluginmanager.get_plugin("capturemanager")
    logs: Any = config.pluginmanager.get_plugin("logging-plugin")
    handler = LogCaptureHandler()
    if logs is not None:
        handler.setFormatter(logs.formatter)
    warnings: Any = contextlib.nullcontext()
    if config.pluginmanager.has_plugin("warnings"):
        warnings = catch_warnings_for_item(config=config, ihook=item.ihook, when="runtest", item=item)
    catching: Any = contextlib.nullcontext() if logs is None else catching_logs(handler, level=logs.log_level)
    if manager is not None:
        manager.resume_global_capture()
    out = err = ""
    try:
        with warnings, catching:
            yield
    finally:
        if manager is not None:
            manager.suspend_global_capture(in_=False)
            out, err = manager.read_global_capture()
        log = handler.stream.getvalue().strip() if logs is not None else ""
        for kind, text in (("stdout", out), ("stderr", err), ("log", log)):
            if text:
                item.add_report_section(when, kind, text)
