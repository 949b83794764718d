"""Non-public parts of pytest's fixtures: several sets of a test's fixtures at the same time, for virtual users.

Each user has copies of the definitions of narrow scope, which keep its values, and an item of its own, which is never
part of the session. Definitions of wider scope are shared.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import inspect
import types
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.fixtures import FixtureManager

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Iterator

    AsyncRunner = Callable[[Any], Any]

Finalizers = list["Callable[[], object]"]


class Definitions:
    """The definitions of fixtures for one user, copied when they are first asked for."""

    def __init__(self, scopes: Iterable[str], names: Iterable[str], adapt: Callable[[Any], Any]) -> None:
        """Copy the definitions of these scopes and names; `adapt` returns the function of a fixture, changed or not."""
        self._scopes = frozenset(scopes)
        self._names = frozenset(names)
        self._adapt = adapt
        self._copies: dict[tuple[int, Any], Any] = {}
        self._originals: list[Any] = []

    def of(self, item: pytest.Function) -> dict[str, Any]:
        """Return the definitions that a test may use, by name."""
        return _Lookup(self, item)

    def copied(self, definition: Any, item: pytest.Function) -> Any:
        """Return the user's definition for one of pytest's: of function scope for a task, else for its parameters."""
        function = self._adapt(definition.func)
        if definition.scope not in self._scopes and definition.argname not in self._names:
            # Shared by all users of this process, which also share the event loop.
            if function is not definition.func:
                definition.func = function
            return definition
        callspec: Any = getattr(item, "callspec", None)
        parameters = () if callspec is None else tuple(sorted(callspec.indices.items()))
        key = id(definition), item if definition.scope == "function" else parameters
        known = self._copies.get(key)
        if known is None:
            known = copy.copy(definition)
            known.func = function
            known.cached_result = None
            known._finalizers = type(definition._finalizers)()
            self._copies[key] = known
            self._originals.append(definition)
        return known

    def release(self, shared: Iterable[Any]) -> None:
        """Remove what shared fixtures would tear down of this user's: they are already torn down."""
        own = {id(one) for one in self._copies.values()}
        for definition in shared:
            kept = [one for one in definition._finalizers if id(_owner(one)) not in own]
            if len(kept) < len(definition._finalizers):
                definition._finalizers[:] = kept


def _owner(finalizer: Any) -> object:
    return getattr(getattr(finalizer, "func", finalizer), "__self__", None)


class _Lookup(dict[str, Any]):
    """Definitions by name, including those that are only asked for while a test runs."""

    def __init__(self, definitions: Definitions, item: pytest.Function) -> None:
        self._definitions = definitions
        self._item = item
        self._given: dict[str, Any] = item._fixtureinfo.name2fixturedefs
        super().__init__((name, self._copy(found)) for name, found in self._given.items())

    def _copy(self, found: Iterable[Any]) -> list[Any]:
        return [self._definitions.copied(one, self._item) for one in found]

    def get(self, name: str, default: Any = None) -> Any:
        found = super().get(name)
        if found is None:
            manager: Any = self._item.session._fixturemanager
            # Before pytest 8.1 for the id of the test's parent.
            where: Any = self._item if _TAKES_NODE else self._item.parent.nodeid  # type: ignore[union-attr]
            of_pytest = manager.getfixturedefs(name, where)
            if of_pytest is None:
                return default
            found = self[name] = self._copy(of_pytest)
        return found

    def copy(self) -> _Lookup:
        """Return this: before pytest 8.1, a request uses a copy."""
        return self


_TAKES_NODE = "node" in inspect.signature(FixtureManager.getfixturedefs).parameters


def copy_item(item: pytest.Function, definitions: Definitions, names: Iterable[str]) -> Any:
    """Return an item like this one, that sets up these fixtures with their own `definitions`."""
    info = dataclasses.replace(item._fixtureinfo, name2fixturedefs=definitions.of(item))
    given: dict[str, Any] = {"callspec": item.callspec} if hasattr(item, "callspec") else {}
    copied: Any = pytest.Function.from_parent(
        item.parent,
        name=item.name,
        fixtureinfo=info,
        originalname=item.originalname,
        **given,
    )
    copied.fixturenames = list(names)
    copied.own_markers = item.own_markers
    copied.user_properties = _Properties(item.user_properties)
    return copied


def set_up_item(item: Any) -> None:
    """Set up the fixtures of a copied item; it must be active.

    Raises:
        BaseException: What a set-up raises.
    """
    __tracebackhide__ = True
    item._request._fillfixtures()


def forget_values(item: Any) -> None:
    """Have the fixtures of a copied item set up again."""
    item._initrequest()


def arguments_of(item: Any) -> dict[str, Any]:
    """Return the arguments with which pytest calls a test whose fixtures are set up."""
    return {name: item.funcargs[name] for name in item._fixtureinfo.argnames}


_METHODS = ("setup", "runtest", "teardown")


class _Properties(list[tuple[str, object]]):
    """What a user records as properties of its test: each once, and not without limit."""

    _MOST = 100

    def __init__(self, shared: list[tuple[str, object]]) -> None:
        super().__init__()
        self._shared = shared

    def append(self, item: tuple[str, object]) -> None:
        if item not in self._shared and len(self._shared) < self._MOST:
            self._shared.append(item)


def requested_by_project(item: pytest.Function, is_own: Callable[[str], bool]) -> set[str]:
    """Return the names of the fixtures that a test requests itself or through others.

    Not those that only automatic fixtures of plugins request.

    Args:
        item: The test.
        is_own: Whether a file is the project's.
    """
    info: Any = item._fixtureinfo
    given = {*info.argnames, *(name for mark in item.iter_markers("usefixtures") for name in mark.args)}

    def is_of_project(name: str) -> bool:
        codes = (getattr(inspect.unwrap(one.func), "__code__", None) for one in info.name2fixturedefs.get(name, ()))
        return any(code is not None and is_own(code.co_filename) for code in codes)

    names = [name for name in info.initialnames if name in given or is_of_project(name)]
    found: set[str] = set()
    while names:
        name = names.pop()
        if name not in found:
            found.add(name)
            names += [needed for one in info.name2fixturedefs.get(name, ()) for needed in one.argnames]
    return found


def shared_parameters(item: pytest.Function) -> dict[str, int]:
    """Return the parameters of module scope or wider that a test is run with: their indices, by name."""
    callspec: Any = getattr(item, "callspec", None)
    if callspec is None:
        return {}
    wide = ("module", "package", "session")
    return {name: callspec.indices[name] for name, scope in callspec._arg2scope.items() if scope.value in wide}


def share_stash(item: Any, original: pytest.Item) -> None:
    """Let the fixtures of a copied item find what plugins have stored with the original one, such as phase results."""
    for key, value in original.stash._storage.items():
        item.stash.setdefault(key, value)
    for name, value in vars(original).items():
        # Not what replaces pytest's own methods.
        if name not in vars(item) and name not in _METHODS:
            setattr(item, name, value)


def share_instance(item: Any, instance: object) -> None:
    """Have a copied item call its method on this instance of its class."""
    item._instance = instance
    item._obj = getattr(instance, item.originalname)


def instance_of(item: Any) -> Any:
    """Return the instance of its class on which an item calls its method; None for a function."""
    return item.instance


def activate(item: pytest.Item, finalizers: Finalizers) -> None:
    """Let fixtures be set up for a copied item; what tears them down is added to `finalizers`."""
    stack: Any = item.session._setupstate.stack
    stack[item] = (finalizers, None)


def deactivate(item: pytest.Item) -> None:
    """Let no fixture be set up for a copied item any more."""
    stack: Any = item.session._setupstate.stack
    stack.pop(item, None)


@contextlib.contextmanager
def other_finalizers(node: pytest.Collector, finalizers: Finalizers) -> Iterator[None]:
    """Add what tears down fixtures of an active collector to `finalizers`, instead of to its own."""
    stack: Any = node.session._setupstate.stack
    before = stack[node]
    stack[node] = (finalizers, None)
    try:
        yield
    finally:
        stack[node] = before


def serialize_requests(item: Any, lock: threading.RLock) -> None:
    """Have fixtures that a test requests while it runs be set up while no other user's are."""
    request = item._request
    original = request.getfixturevalue

    def get(name: str) -> Any:
        __tracebackhide__ = True
        with lock:
            return original(name)

    request.getfixturevalue = get


def tear_down(finalizers: Finalizers) -> list[BaseException]:
    """Call what tears down fixtures, the last one first; return what it has raised."""
    errors: list[BaseException] = []
    while finalizers:
        finalizer = finalizers.pop()
        try:
            finalizer()
        except (Exception, pytest.fail.Exception, pytest.skip.Exception) as error:
            errors.append(error)
    return errors


def shared_definitions(item: pytest.Function) -> list[Any]:
    """Return the definitions of fixtures of wider scope that a test uses."""
    found = item._fixtureinfo.name2fixturedefs.values()
    return [one for definitions in found for one in definitions if one.scope != "function"]


def as_synchronous(function: Any, run: AsyncRunner, enter: Callable[[Any], tuple[Any, Callable[[], None]]]) -> Any:
    """Return a function that pytest can call for an asynchronous fixture; any other one is returned as it is.

    Args:
        function: The function of the fixture.
        run: Runs a coroutine and returns its result.
        enter: Runs an asynchronous generator to its first value; returns that, and what finishes it.
    """
    plain = getattr(function, "__func__", function)
    replaced: Any
    if inspect.iscoroutinefunction(plain):

        def replaced(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            return run(plain(*args, **kwargs))

    elif inspect.isasyncgenfunction(plain):

        def replaced(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            value, finish = enter(plain(*args, **kwargs))
            yield value
            finish()

    else:
        return function
    replaced.__name__ = plain.__name__
    replaced.__doc__ = plain.__doc__
    replaced.__module__ = plain.__module__
    return types.MethodType(replaced, function.__self__) if plain is not function else replaced


def failure_text(item: Any, error: BaseException) -> str:
    """Return the text that pytest would show for a failure of this item."""
    excinfo: Any = pytest.ExceptionInfo.from_exception(error)
    return str(item.repr_failure(excinfo))
