"""Native hook calls behave like pluggy's: same results, errors and order."""

from __future__ import annotations

import gc
import itertools
import random
import weakref
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pluggy
import pytest
from pluggy import HookImpl, HookspecMarker, PluginManager, _manager

from rustpar.worker import native_multicall
from tests.worker.hook_implementations import PLAIN, WRAPPERS, Making, passing_on, returning

if TYPE_CHECKING:
    pass

multicall: Callable[..., Any] = _manager._multicall  # type: ignore[attr-defined]
hookspec = HookspecMarker("test")
hookimpl = pluggy.HookimplMarker("test")

# The modules whose implementations are called natively in these tests; in a run these are pytest's.
OURS = [__name__, returning.__module__]

needs_known_pluggy = pytest.mark.skipif(not native_multicall._is_known(), reason="this pluggy makes all calls itself")


def impl_of(function: Callable[..., Any], *, wrapper: bool = False, hookwrapper: bool = False) -> HookImpl:
    return HookImpl(
        None,
        "plugin",
        function,
        {
            "wrapper": wrapper,
            "hookwrapper": hookwrapper,
            "optionalhook": False,
            "tryfirst": False,
            "trylast": False,
            "specname": None,
        },
    )


def describe(error: BaseException | None, seen: tuple[int, ...] = ()) -> Any:
    """Return a description of an exception and of its causes and contexts."""
    if error is None or id(error) in seen:
        return error and "seen before"
    chain = (describe(next_one, (*seen, id(error))) for next_one in (error.__context__, error.__cause__))
    return (type(error), str(error), repr(error.args), error.__suppress_context__, *chain)


def outcome(call: Callable[..., Any], makings: list[Making], first: bool, handling: bool) -> Any:
    """Call these implementations; return the result or error, and their records."""
    notes: list[str] = []
    impls = [impl_of(making(notes.append), wrapper=making in WRAPPERS) for making in makings]

    def do() -> Any:
        try:
            result = call("hook", impls, {"one": 1, "two": 2, "three": 3}, first)
        except BaseException as error:
            return ("raised", describe(error))
        return ("returned", type(result), repr(result))

    if not handling:
        return do(), notes
    try:
        raise LookupError("is being handled")
    except LookupError:
        return do(), notes


def never(*arguments: object) -> Any:
    raise AssertionError("pluggy was asked")


def combinations() -> list[list[Making]]:
    every = PLAIN + WRAPPERS
    choose = random.Random(7)
    short = [list(chosen) for length in range(3) for chosen in itertools.product(every, repeat=length)]
    return short + [choose.choices(every, k=choose.randint(3, 6)) for _ in range(4000)]


@needs_known_pluggy
@pytest.mark.parametrize("handling", [False, True])
@pytest.mark.parametrize("first", [False, True])
def test_native_calls_have_the_same_results_as_pluggys(first: bool, handling: bool) -> None:
    native = native_multicall.native(never, ours=OURS)
    for makings in combinations():
        expected = outcome(multicall, makings, first, handling)
        assert outcome(native, makings, first, handling) == expected


def test_pluggy_makes_the_call_if_a_plugin_implements_the_hook() -> None:
    asked = []

    def pluggys(*arguments: Any) -> Any:
        asked.append(arguments)
        return multicall(*arguments)

    native = native_multicall.native(pluggys, ours=OURS)
    impls = [impl_of(returning(number)(print)) for number in range(3)]
    given = {"one": 1, "two": 2}
    assert native("hook", impls, given, False) == [2, 1, 0]
    assert not asked
    impls[1] = impl_of(len)
    impls[1].argnames = ("one",)  # type: ignore[misc]
    given = {"one": "four", "two": 2}  # type: ignore[dict-item]
    assert native("hook", impls, given, False) == [2, 4, 0]
    assert asked == [("hook", impls, given, False)]
    assert asked[0][1] is impls
    assert asked[0][2] is given


def test_unsupported_hook_features_are_left_to_pluggy() -> None:
    native = native_multicall.native(lambda *arguments: "pluggy's", ours=OURS)
    plain = impl_of(lambda one=1: one)

    def not_a_generator() -> Any:
        return iter([None])

    old = impl_of(passing_on(print), hookwrapper=True)
    if getattr(plain, "kwargnames", ()):
        assert native("hook", [plain], {}, False) == "pluggy's"
    for impl in (old, impl_of(not_a_generator, wrapper=True)):
        assert native("hook", [impl], {"one": 1}, False) == "pluggy's"
    mine = impl_of(lambda: "mine")
    assert native("hook", [mine], {}, True) == "mine"
    assert native("hook", (mine,), {}, True) == "pluggy's"
    assert native("pytest_pyfunc_call", [impl_of(lambda: "mine")], {}, True) == "pluggy's"


def test_a_replaced_implementation_is_no_longer_called() -> None:
    native = native_multicall.native(lambda *arguments: "pluggy's", ours=OURS)
    impl = impl_of(lambda: "old")
    assert native("hook", [impl], {}, True) == "old"
    impl.function = lambda: "new"  # type: ignore[misc]
    assert native("hook", [impl], {}, True) == "new"
    impl.function = dict  # type: ignore[misc]
    assert native("hook", [impl], {}, True) == "pluggy's"


class Spec:
    @hookspec
    def hook(self, one: object) -> None: ...


class Plugin:
    @hookimpl
    def hook(self, one: object) -> object:
        return one


def manager_with(*plugins: object) -> Any:
    manager = PluginManager("test")
    manager.add_hookspecs(Spec)
    for plugin in plugins:
        manager.register(plugin)
    return manager


def config_of(manager: Any) -> Any:
    return SimpleNamespace(pluginmanager=manager, getoption=lambda name, default: default)


def test_hooks_may_call_hooks() -> None:
    class Calling:
        @hookimpl
        def hook(self, one: Any) -> Any:
            return manager.hook.hook(one=one - 1) if one else "done"

    manager = manager_with(Calling(), Calling())
    expected = manager.hook.hook(one=3)
    manager._inner_hookexec = native_multicall.native(never, ours=OURS)
    assert manager.hook.hook(one=3) == expected


@needs_known_pluggy
def test_native_calls_can_be_monitored() -> None:
    manager = manager_with(Plugin())
    native_multicall.install(config_of(manager))
    installed = manager._inner_hookexec
    assert type(installed).__name__ == "Multicall"
    seen: list[Any] = []
    undo = manager.add_hookcall_monitoring(
        lambda name, impls, given: seen.append(("before", name, len(impls), given)),
        lambda result, name, impls, given: seen.append(("after", result.get_result())),
    )
    assert manager.hook.hook(one=1) == [1]
    assert seen == [("before", "hook", 1, {"one": 1}), ("after", [1])]
    undo()
    assert manager._inner_hookexec is installed
    assert manager.hook.hook(one=2) == [2]
    assert len(seen) == 2


def test_a_monitored_manager_is_not_changed() -> None:
    manager = manager_with(Plugin())
    manager.add_hookcall_monitoring(lambda *arguments: None, lambda *arguments: None)
    monitoring = manager._inner_hookexec
    native_multicall.install(config_of(manager))
    assert manager._inner_hookexec is monitoring


def test_an_unknown_version_of_pluggy_is_not_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HookImpl, "__slots__", (*HookImpl.__slots__, "novelty"))
    manager = manager_with(Plugin())
    native_multicall.install(config_of(manager))
    assert manager._inner_hookexec is multicall


def test_unregistered_plugins_are_not_kept_alive() -> None:
    plugin = Plugin()
    manager = manager_with(plugin)
    manager._inner_hookexec = native_multicall.native(multicall)
    assert manager.hook.hook(one=1) == [1]
    manager.unregister(plugin)
    alive = weakref.ref(plugin)
    del plugin
    gc.collect()
    assert alive() is None


def test_an_unused_manager_is_freed() -> None:
    class Knowing(Plugin):
        def __init__(self) -> None:
            self.manager = manager_with(self)

    plugin = Knowing()
    plugin.manager._inner_hookexec = native_multicall.native(never, ours=OURS)
    assert plugin.manager.hook.hook(one=1) == [1]
    alive = weakref.ref(plugin)
    del plugin
    gc.collect()
    assert alive() is None
