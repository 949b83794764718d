"""The inventory of a collection: order classes, constraints and shared fixtures, for scheduling.

It is made by the process that collects, the template or an early worker, and sent with the node ids as plain values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rustpar.collection import constraints, time_limits
from rustpar.collection.shared_fixtures import is_shared_user_fixture, key_of
from rustpar.compat.sessions import fixtures_of
from rustpar.config.retry_options import PLUGIN
from rustpar.config.values import is_given

if TYPE_CHECKING:
    from collections.abc import Sequence


def facts(config: pytest.Config, items: Sequence[pytest.Item]) -> dict[str, Any]:
    """Return what ``Engine.schedule`` needs to know about collected tests.

    Returns:
        ``classes``: the order class of each test, empty if there is only one class;
        ``needs``: (index of the test, whether it is serial, [(resource, whether shared)]) of tests with constraints;
        ``places``: how many tests may hold a resource at a time, by name;
        ``kinds``: the history's keys of the shared fixtures;
        ``instances``: for each instance of a shared fixture, the index of its key in ``kinds``;
        ``fixtures``: (index of the test, indices of the instances) of tests that use any;
        ``time_limits``: (index of the test, seconds) of tests with a limit of their own;
        ``retries``: what `retry_rules.rules_after_crash` returns;
        ``owners``: the worker that has collected each test, empty if one process has collected all, and
            ``collect_seconds``, how long collecting a file has taken then; both are filled in by the controller;
        ``load``: (index of the test, plan) of all tests if they run as load tests, with which no constraints apply;
        ``marks``: the indices of the tests that carry each marker named by a threshold, for the journal.
    """
    instances = _Instances()
    for index, item in enumerate(items):
        instances.add(index, item)
    load: Any = config.pluginmanager.get_plugin("rustpar-load")
    return {
        "classes": [] if load is not None else _classes(config, items),
        "needs": [] if load is not None else constraints.constraints_of(items)[0],
        "load": [] if load is None else load.plans(items),
        "places": constraints.limits_of(config),
        "kinds": list(instances.kinds),
        "instances": list(instances.numbers.values()),
        "fixtures": instances.of_tests,
        "time_limits": time_limits.limits_of(config, items),
        "retries": _retries(config, items),
        "marks": marks(config, items),
        "owners": [],
        "collect_seconds": 0.0,
    }


def _classes(config: pytest.Config, items: Sequence[pytest.Item]) -> list[int]:
    if not is_given(config, "rustpar_order"):
        return []
    from rustpar.collection import order

    return order.classes_of(config, items)


def _retries(config: pytest.Config, items: Sequence[pytest.Item]) -> list[tuple[int, int, int, str]]:
    if not config.pluginmanager.has_plugin(PLUGIN):
        return []
    from rustpar.collection import retry_rules

    return retry_rules.rules_after_crash(items)


def marks(config: pytest.Config, items: Sequence[pytest.Item]) -> dict[str, list[int]]:
    """Return the indices of the tests that carry each marker named by a threshold."""
    if not is_given(config, "rustpar_thresholds"):
        return {}
    from rustpar.collection import thresholds

    return thresholds.marks_of(config, items)


class _Instances:
    """Numbers the instances of shared fixtures: one for each module, class or package that uses it, and each parameter.

    Session fixtures without parameters are left out: every worker sets them up once, however tests are scheduled.
    """

    def __init__(self) -> None:
        self.kinds: dict[str, int] = {}
        self.numbers: dict[tuple[int, str, object], int] = {}
        self.of_tests: list[tuple[int, list[int]]] = []
        self._order: dict[tuple[int, str, object], int] = {}
        # By the id of pytest's fixture information, which the parametrized tests of a function share.
        self._shared: dict[int, list[Any]] = {}

    def add(self, index: int, item: pytest.Item) -> None:
        """Record the shared fixtures that a test uses."""
        info = fixtures_of(item)
        if info is None:
            return
        shared = self._shared.get(id(info))
        if shared is None:
            used = (found[-1] for found in info.name2fixturedefs.values() if found)
            shared = self._shared[id(info)] = [definition for definition in used if is_shared_user_fixture(definition)]
        if not shared:
            return
        indices = getattr(getattr(item, "callspec", None), "indices", {})
        needed = []
        for definition in shared:
            parameter = indices.get(definition.argname)
            if definition.scope == "session" and parameter is None:
                continue
            kind = self.kinds.setdefault(key_of(definition), len(self.kinds))
            instance = (kind, _scope_node_id(definition, item), parameter)
            self.numbers.setdefault(instance, kind)
            needed.append(self._order.setdefault(instance, len(self._order)))
        if needed:
            self.of_tests.append((index, needed))


def _scope_node_id(definition: Any, item: pytest.Item) -> str:
    """Return the node id of the collector that a fixture's instance belongs to."""
    if definition.scope == "class":
        node = item.getparent(pytest.Class) or item.getparent(pytest.Module)
    elif definition.scope == "module":
        node = item.getparent(pytest.Module)
    else:
        return str(definition.baseid)
    return "" if node is None else node.nodeid
