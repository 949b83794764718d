"""Hooks are called natively as pluggy calls them: the same results, errors and order, in the same places."""

from __future__ import annotations

import contextlib
import gc
import itertools
import random
import re
import weakref
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pluggy
import pytest
from pluggy import HookImpl, HookspecMarker, PluginManager, _manager

from rustpar import hookcall

if TYPE_CHECKING:
    from tests.conftest import Run, Suite

multicall: Callable[..., Any] = _manager._multicall  # type: ignore[attr-defined]
hookspec = HookspecMarker("test")
hookimpl = pluggy.HookimplMarker("test")

Note = Callable[[str], None]
Making = Callable[[Note], Callable[..., Any]]

needs_known_pluggy = pytest.mark.skipif(not hookcall._is_known(), reason="this pluggy makes all calls itself")


class Odd(BaseException):
    pass


# Not GeneratorExit: wrappers that are left behind by an error are closed at some time later.
CAUGHT = (Exception, KeyboardInterrupt, Odd)

ERRORS: list[Callable[[], BaseException]] = [
    lambda: ValueError("wrong"),
    lambda: StopIteration("stop"),
    lambda: KeyboardInterrupt(),
    lambda: Odd("odd"),
    lambda: RuntimeError("run"),
]


# Implementations. Each is made anew for every call, and notes what happens to it.


def returning(value: object) -> Making:
    def make(note: Note) -> Callable[..., Any]:
        def implementation(one: object, two: object) -> object:
            note(f"{value} {one} {two}")
            return value

        return implementation

    return make


def without_arguments(note: Note) -> Callable[..., Any]:
    def implementation() -> str:
        note("no arguments")
        return "bare"

    return implementation


def with_many_arguments(note: Note) -> Callable[..., Any]:
    def implementation(three: object, one: object, two: object) -> str:
        note(f"{one} {two} {three}")
        return "many"

    return implementation


def with_an_unknown_argument(note: Note) -> Callable[..., Any]:
    def implementation(one: object, unknown: object) -> None:
        note("never called")

    return implementation


def raising(error: Callable[[], BaseException]) -> Making:
    def make(note: Note) -> Callable[..., Any]:
        def implementation(one: object) -> None:
            note("raises")
            raise error()

        return implementation

    return make


def raising_while_handling(note: Note) -> Callable[..., Any]:
    def implementation() -> None:
        try:
            raise KeyError("handled")
        except KeyError:
            raise ValueError("while handling")  # noqa: B904 - the context is what is tested

    return implementation


PLAIN: list[Making] = [
    returning(None),
    returning("value"),
    returning(0),
    without_arguments,
    with_many_arguments,
    with_an_unknown_argument,
    raising_while_handling,
    *map(raising, ERRORS),
]


def passing_on(note: Note) -> Callable[..., Any]:
    def wrapper(one: object) -> Any:
        note("before")
        result = yield
        note(f"after {result}")
        return result

    return wrapper


def replacing(note: Note) -> Callable[..., Any]:
    def wrapper() -> Any:
        result = yield
        note(f"replaces {result}")
        return ("replaced", result)

    return wrapper


def replacing_by_an_exception(note: Note) -> Callable[..., Any]:
    def wrapper() -> Any:
        yield
        return StopIteration("as a result")

    return wrapper


def swallowing(note: Note) -> Callable[..., Any]:
    def wrapper() -> Any:
        try:
            yield
        except CAUGHT as error:
            note(f"swallows {error!r}")
        return "swallowed"

    return wrapper


def raising_before(error: Callable[[], BaseException]) -> Making:
    def make(note: Note) -> Callable[..., Any]:
        def wrapper() -> Any:
            note("raises before")
            raise error()
            yield

        return wrapper

    return make


def raising_after(error: Callable[[], BaseException]) -> Making:
    def make(note: Note) -> Callable[..., Any]:
        def wrapper() -> Any:
            result = yield
            note(f"raises after {result}")
            raise error()

        return wrapper

    return make


def raising_another(error: Callable[[], BaseException], cause: bool) -> Making:
    def make(note: Note) -> Callable[..., Any]:
        def wrapper() -> Any:
            try:
                return (yield)
            except CAUGHT as caught:
                note(f"raises another than {caught!r}")
                raise error() from (caught if cause else None)

        return wrapper

    return make


def raising_again(note: Note) -> Callable[..., Any]:
    def wrapper() -> Any:
        try:
            return (yield)
        except CAUGHT as error:
            note(f"raises {error!r} again")
            raise error

    return wrapper


def not_yielding(value: object) -> Making:
    def make(note: Note) -> Callable[..., Any]:
        def wrapper() -> Any:
            note("does not yield")
            yield from ()
            return value

        return wrapper

    return make


def yielding_twice(note: Note) -> Callable[..., Any]:
    def wrapper() -> Any:
        try:
            yield
        except CAUGHT:
            note("caught")
        yield

    return wrapper


def refusing_to_close(note: Note) -> Callable[..., Any]:
    def wrapper() -> Any:
        try:
            yield
        except CAUGHT:
            note("caught")
        with contextlib.suppress(GeneratorExit):
            yield
        yield

    return wrapper


def failing_to_close(note: Note) -> Callable[..., Any]:
    def wrapper() -> Any:
        yield
        try:
            yield
        finally:
            raise ValueError("while being closed")

    return wrapper


WRAPPERS: list[Making] = [
    passing_on,
    replacing,
    replacing_by_an_exception,
    swallowing,
    raising_again,
    not_yielding(None),
    not_yielding("early"),
    not_yielding(("a", "tuple")),
    yielding_twice,
    refusing_to_close,
    failing_to_close,
    *map(raising_before, ERRORS),
    *map(raising_after, ERRORS),
    *itertools.starmap(raising_another, itertools.product(ERRORS, (True, False))),
]


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


def about(error: BaseException | None, seen: tuple[int, ...] = ()) -> Any:
    """All that can be told of an exception, and of those that led to it."""
    if error is None or id(error) in seen:
        return error and "seen before"
    chain = (about(next_one, (*seen, id(error))) for next_one in (error.__context__, error.__cause__))
    return (type(error), str(error), repr(error.args), error.__suppress_context__, *chain)


def outcome(call: Callable[..., Any], makings: list[Making], first: bool, handling: bool) -> Any:
    """What a call of these implementations comes to, and what they noted."""
    notes: list[str] = []
    impls = [impl_of(making(notes.append), wrapper=making in WRAPPERS) for making in makings]

    def do() -> Any:
        try:
            result = call("hook", impls, {"one": 1, "two": 2, "three": 3}, first)
        except BaseException as error:
            return ("raised", about(error))
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
def test_native_calls_come_to_the_same_as_pluggys(first: bool, handling: bool) -> None:
    native = hookcall.native(never, ours=[__name__])
    for makings in combinations():
        expected = outcome(multicall, makings, first, handling)
        assert outcome(native, makings, first, handling) == expected


def test_a_single_implementation_of_somebody_else_has_pluggy_make_the_call() -> None:
    asked = []

    def pluggys(*arguments: Any) -> Any:
        asked.append(arguments)
        return multicall(*arguments)

    native = hookcall.native(pluggys, ours=[__name__])
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


def test_what_the_native_call_does_not_do_is_left_to_pluggy() -> None:
    native = hookcall.native(lambda *arguments: "pluggy's", ours=[__name__])
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


def test_a_function_that_is_replaced_is_not_called_any_more() -> None:
    native = hookcall.native(lambda *arguments: "pluggy's", ours=[__name__])
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
    manager._inner_hookexec = hookcall.native(never, ours=[__name__])
    assert manager.hook.hook(one=3) == expected


@needs_known_pluggy
def test_calls_that_are_made_natively_can_be_monitored() -> None:
    manager = manager_with(Plugin())
    hookcall.install(config_of(manager))
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


def test_a_manager_that_is_monitored_is_left_alone() -> None:
    manager = manager_with(Plugin())
    manager.add_hookcall_monitoring(lambda *arguments: None, lambda *arguments: None)
    monitoring = manager._inner_hookexec
    hookcall.install(config_of(manager))
    assert manager._inner_hookexec is monitoring


def test_a_pluggy_that_does_more_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HookImpl, "__slots__", (*HookImpl.__slots__, "novelty"))
    manager = manager_with(Plugin())
    hookcall.install(config_of(manager))
    assert manager._inner_hookexec is multicall


def test_plugins_of_others_are_not_kept_alive() -> None:
    plugin = Plugin()
    manager = manager_with(plugin)
    manager._inner_hookexec = hookcall.native(multicall)
    assert manager.hook.hook(one=1) == [1]
    manager.unregister(plugin)
    alive = weakref.ref(plugin)
    del plugin
    gc.collect()
    assert alive() is None


def test_a_manager_that_nobody_needs_is_freed() -> None:
    class Knowing(Plugin):
        def __init__(self) -> None:
            self.manager = manager_with(self)

    plugin = Knowing()
    plugin.manager._inner_hookexec = hookcall.native(never, ours=[__name__])
    assert plugin.manager.hook.hook(one=1) == [1]
    alive = weakref.ref(plugin)
    del plugin
    gc.collect()
    assert alive() is None


# Whole runs


def test_hooks_of_a_conftest_wrap_those_of_pytest_in_workers(suite: Suite) -> None:
    suite.write(
        {
            "old_style.py": """
                import pytest

                @pytest.hookimpl(hookwrapper=True)
                def pytest_runtest_makereport(item, call):
                    outcome = yield
                    outcome.get_result().sections.append(("old", call.when))
            """
        }
    )
    suite.conftest(
        """
        import pytest
        from support import note

        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_makereport(item, call):
            report = yield
            report.sections.append(("new", report.outcome))
            return report

        @pytest.hookimpl(wrapper=True, tryfirst=True)
        def pytest_runtest_call(item):
            try:
                return (yield)
            except ValueError as error:
                pytest.skip(f"not today: {error}")

        def pytest_runtest_teardown(item, nextitem):
            note(f"teardown {item.name}")
        """
    )
    suite.test(
        """
        import pytest

        def test_passes(): pass
        def test_fails(): assert 0
        def test_cannot(): raise ValueError("wrong")
        """
    )
    run = suite.run("-p", "old_style")
    notes = sorted(note.split(maxsplit=1)[1] for note in suite.notes())
    plain = suite.plain("-p", "old_style")
    assert run.used_rustpar()
    assert run.outcomes == plain.outcomes
    assert run.counts() == {"passed": 1, "failed": 1, "skipped": 1}
    for name, outcome in (("test_passes", "passed"), ("test_fails", "failed"), ("test_cannot", "skipped")):
        sections = run.report(name)["sections"]
        assert sections == plain.report(name)["sections"]
        assert ["old", "call"] in sections
        assert ["new", outcome] in sections
    assert notes == ["teardown test_cannot", "teardown test_fails", "teardown test_passes"]


def test_warnings_point_where_they_point_in_plain_pytest(suite: Suite) -> None:
    suite.conftest(
        """
        import warnings

        def pytest_runtest_makereport(item, call):
            for level in (1, 2, 3):
                warnings.warn(f"of a hook in {call.when}, level {level}", stacklevel=level)
        """
    )
    suite.test(
        """
        import pytest
        import warnings

        def warn(name, level):
            warnings.warn(f"of a {name}, level {level}", stacklevel=level)

        @pytest.fixture
        def warning():
            for level in range(1, 7):
                warn("fixture", level)

        @pytest.mark.parametrize("level", range(1, 6))
        def test_it(level, warning):
            warn("test", level)
        """
    )
    run, plain = suite.run(), suite.plain()
    assert run.used_rustpar()

    def places(lines: list[str]) -> list[str]:
        return sorted(line.strip() for line in lines if "UserWarning: of a " in line)

    assert places(run.lines) == places(plain.lines)
    assert any("pluggy" in line and "of a hook" in line for line in plain.lines)
    assert any("pluggy" in line and "of a test" in line for line in plain.lines)


def test_tracebacks_that_show_everything_show_it_in_workers(suite: Suite) -> None:
    suite.test("def test_it(): assert 0\n")

    def places(run: Run) -> list[str]:
        return re.findall(r"^\S+\.py:\d+", run.report("test_it")["longrepr"], re.MULTILINE)

    run, plain = suite.run("--full-trace"), suite.plain("--full-trace")
    assert places(run) == places(plain)
    assert any("pluggy" in place for place in places(plain))
