"""The tests that are marked ``load``, as load tests: plan, tasks, and what is refused.

On a function, the mark makes a load test of it. On a class, its tests are the tasks of one behaviour: the first one
stands for all.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core
from rustpar.compat import user_fixtures
from rustpar.compat.sessions import is_skipped
from rustpar.config.load_option import profile_of
from rustpar.process.code_origin import CodeOrigins

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Fixtures that change or read something of the whole process, so that several users at once would disturb each other.
OF_THE_PROCESS = frozenset(
    (
        "capfd",
        "capfdbinary",
        "caplog",
        "capsys",
        "capsysbinary",
        "capteesys",
        "class_mocker",
        "mocker",
        "module_mocker",
        "monkeypatch",
        "package_mocker",
        "pytester",
        "recwarn",
        "session_mocker",
        "subtests",
        "testdir",
    )
)

# The arguments of the mark that concern a task and how it is run.
_OF_TASKS = ("weight", "fresh", "sequence")
_OF_PLANS = (
    "users",
    "duration",
    "stages",
    "rate",
    "rate_stages",
    "iterations",
    "iterations_per_user",
    "think",
    "graceful_stop",
    "seed",
    "thresholds",
    "abort",
)


@dataclass
class LoadTest:
    """A load test.

    Attributes:
        item: The test that stands for it.
        tasks: The tests that its users run; one if it is a function.
        plan: What is asked for.
        is_fresh: Whether function fixtures are set up anew for each iteration.
        is_class: Whether its tasks are those of a class.
    """

    item: pytest.Function
    tasks: list[pytest.Function]
    plan: _core.LoadPlan
    is_fresh: bool
    is_class: bool = False


@dataclass
class _Found:
    arguments: dict[str, Any]
    owner: pytest.Class | None
    items: list[pytest.Function] = field(default_factory=list)
    weights: list[int] = field(default_factory=list)


def load_tests_of(config: pytest.Config, items: Iterable[pytest.Item]) -> list[LoadTest]:
    """Return the load tests among these tests, in their order.

    Raises:
        pytest.UsageError: A mark is invalid, or a test cannot be run by several users at once.
    """
    found: dict[Any, _Found] = {}
    for item in items:
        marks = list(item.iter_markers("load"))
        is_own = any(mark.name == "load" for mark in item.own_markers)
        if not marks or not (is_own or isinstance(item, pytest.Function)):
            # The examples of a module that is marked as a whole are no load tests.
            continue
        function = _checked(item)
        owner = _marked_class(function)
        key = function if owner is None else owner
        own = marks[0].kwargs if owner is not None and len(marks) > 1 else {}
        entry = found.get(key)
        if entry is None:
            mark = marks[0] if owner is None else next(one for one in owner.own_markers if one.name == "load")
            entry = found[key] = _Found(_arguments(function, mark), owner)
        entry.items.append(function)
        entry.weights.append(_weight(function, own if owner is not None else marks[0].kwargs))
    return [_load_test(config, _in_order(entry) if entry.owner is not None else entry) for entry in found.values()]


def _in_order(found: _Found) -> _Found:
    """Return the tasks of a class in the order in which it defines them, without those that are skipped."""
    assert found.owner is not None
    bases = list(reversed(found.owner.obj.__mro__))
    tasks = list(zip(found.items, found.weights, strict=True))

    def place(task: tuple[pytest.Function, int]) -> tuple[int, int]:
        name = task[0].originalname
        of = next(number for number, base in enumerate(bases) if name in vars(base))
        return of, list(vars(bases[of])).index(name)

    # A plugin may have sorted or shuffled them, but a behaviour has an order.
    tasks.sort(key=place)
    run = [task for task in tasks if not is_skipped(task[0])] or tasks[:1]
    expected = [item.nodeid for item, _ in run if any(mark.name == "xfail" for mark in item.own_markers)]
    if expected:
        raise pytest.UsageError(f"{expected[0]}: xfail is for a whole load test, so write it on the class")
    parameters = [user_fixtures.shared_parameters(item) for item, _ in run]
    if any(one != parameters[0] for one in parameters):
        names = ", ".join(sorted({name for one in parameters for name in one}))
        raise pytest.UsageError(
            f"{found.owner.nodeid}: its tests share a fixture of module scope or wider that has parameters ({names}), "
            f"of which only one value can exist at a time"
        )
    return _Found(found.arguments, found.owner, [item for item, _ in run], [weight for _, weight in run])


def _checked(item: pytest.Item) -> pytest.Function:
    name = item.nodeid
    if type(item).__name__ == "TestCaseFunction" or not isinstance(item, pytest.Function):
        raise pytest.UsageError(
            f"{name}: only functions, and methods of classes that are not unittest's, can be load tests"
        )
    if inspect.isasyncgenfunction(item.function) or inspect.isgeneratorfunction(item.function):
        raise pytest.UsageError(f"{name}: a generator cannot be a load test")
    # What a plugin does to the process for every test, it does for each user.
    used = user_fixtures.requested_by_project(item, CodeOrigins().is_own_file)
    refused = [one for one in item.fixturenames if one in OF_THE_PROCESS and one in used]
    if refused:
        raise pytest.UsageError(
            f"{name}: the fixture {refused[0]} is of the whole process, so several users cannot have it at the same "
            f"time; a load test cannot use it, nor a fixture that does"
        )
    if any("raises" in mark.kwargs for mark in item.iter_markers("xfail")):
        raise pytest.UsageError(f"{name}: xfail(raises=...) cannot be judged for a load test: omit raises")
    return item


def _marked_class(item: pytest.Function) -> pytest.Class | None:
    """Return the class of a test that is marked itself; None if it is not, or if there is none."""
    parent = item.getparent(pytest.Class)
    if parent is not None and any(mark.name == "load" for mark in parent.own_markers):
        return parent
    return None


def _arguments(item: pytest.Function, mark: pytest.Mark) -> dict[str, Any]:
    known = (*_OF_PLANS, *_OF_TASKS)
    unknown = [name for name in mark.kwargs if name not in known]
    if mark.args or unknown:
        given = f"an argument without a name, {mark.args[0]!r}" if mark.args else f"an unknown argument, {unknown[0]}"
        raise pytest.UsageError(f"{item.nodeid}: the mark load has {given}; use {', '.join(known)}")
    return dict(mark.kwargs)


def _weight(item: pytest.Function, arguments: Mapping[str, Any]) -> int:
    weight = arguments.get("weight", 1)
    if not isinstance(weight, int) or weight < 1:
        raise pytest.UsageError(
            f"{item.nodeid}: invalid weight {weight!r} of the mark load: expected a whole number from 1"
        )
    return weight


def _load_test(config: pytest.Config, found: _Found) -> LoadTest:
    item, arguments = found.items[0], found.arguments
    where = item.nodeid if found.owner is None else found.owner.nodeid
    is_class = found.owner is not None
    sequence = arguments.get("sequence", False)
    if sequence and not is_class:
        raise pytest.UsageError(f"{where}: sequence=True is for a class, whose tests are the steps")
    if sequence and any(weight != 1 for weight in found.weights):
        raise pytest.UsageError(f"{where}: with sequence=True, all tests run in order: omit weight")
    if len({inspect.iscoroutinefunction(one.function) for one in found.items}) > 1:
        raise pytest.UsageError(f"{where}: the tests of a class are either all async def, or none is")
    plan_arguments = {name: value for name, value in arguments.items() if name in _OF_PLANS}
    try:
        plan = _core.LoadPlan(**plan_arguments, weights=found.weights if is_class else [], sequence=bool(sequence))
        plan = plan.in_profile(*profile_of(config))
    except (TypeError, OverflowError) as error:
        raise pytest.UsageError(f"{where}: invalid value in the mark load: {error}") from None
    except ValueError as error:
        raise pytest.UsageError(f"{where}: {error}") from None
    return LoadTest(item, found.items, plan, bool(arguments.get("fresh", False)), is_class)
