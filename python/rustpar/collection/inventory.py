"""What a collection tells whoever schedules it: order classes, needs, and the fixtures that tests share.

Made where tests are collected, in the template or an early worker, and sent with the node ids as plain values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rustpar.collection import constraints
from rustpar.collection.shared_fixtures import is_users_and_shared, key_of
from rustpar.compat.sessions import fixtures_of
from rustpar.config.values import is_given

if TYPE_CHECKING:
    from collections.abc import Sequence


def facts(config: pytest.Config, items: Sequence[pytest.Item]) -> dict[str, Any]:
    """What is to be known of a collection, as ``Engine.schedule`` takes it.

    Returns:
        ``classes``: the order class of each test, empty where there is one class only;
        ``needs``: (index of the test, whether it is serial, [(resource, whether shared)]) of tests that need anything;
        ``places``: how many may hold a resource at a time, by name;
        ``kinds``: the keys of shared fixtures, as the history knows them;
        ``instances``: of each instance of one, the number of its key;
        ``fixtures``: (index of the test, numbers of the instances) of tests that need any;
        ``marks``: the indices of the tests that carry each marker which a threshold names, for the journal.
    """
    instances = _Instances()
    for index, item in enumerate(items):
        instances.add(index, item)
    return {
        "classes": _classes(config, items),
        "needs": constraints.needs_of(items)[0],
        "places": constraints.limits_of(config),
        "kinds": list(instances.kinds),
        "instances": list(instances.numbers.values()),
        "fixtures": instances.of_tests,
        "marks": _marks(config, items),
    }


def _classes(config: pytest.Config, items: Sequence[pytest.Item]) -> list[int]:
    if not is_given(config, "rustpar_order"):
        return []
    from rustpar.collection import order

    return order.classes_of(config, items)


def _marks(config: pytest.Config, items: Sequence[pytest.Item]) -> dict[str, list[int]]:
    if not is_given(config, "rustpar_thresholds"):
        return {}
    from rustpar.collection import thresholds

    return thresholds.marks_of(config, items)


class _Instances:
    """Numbers the instances of shared fixtures: one for each module, class or package that uses it, and parameter.

    A fixture of the session that has no parameter is set up once in every worker, whatever is scheduled, and left out.
    """

    def __init__(self) -> None:
        self.kinds: dict[str, int] = {}
        self.numbers: dict[tuple[int, str, object], int] = {}
        self.of_tests: list[tuple[int, list[int]]] = []
        self._order: dict[tuple[int, str, object], int] = {}
        # Tests of one function, with other parameters, have one such object.
        self._shared: dict[int, list[Any]] = {}

    def add(self, index: int, item: pytest.Item) -> None:
        """Note the shared fixtures of a test."""
        info = fixtures_of(item)
        if info is None:
            return
        shared = self._shared.get(id(info))
        if shared is None:
            used = (found[-1] for found in info.name2fixturedefs.values() if found)
            shared = self._shared[id(info)] = [definition for definition in used if is_users_and_shared(definition)]
        if not shared:
            return
        indices = getattr(getattr(item, "callspec", None), "indices", {})
        needed = []
        for definition in shared:
            parameter = indices.get(definition.argname)
            if definition.scope == "session" and parameter is None:
                continue
            kind = self.kinds.setdefault(key_of(definition), len(self.kinds))
            instance = (kind, _home(definition, item), parameter)
            self.numbers.setdefault(instance, kind)
            needed.append(self._order.setdefault(instance, len(self._order)))
        if needed:
            self.of_tests.append((index, needed))


def _home(definition: Any, item: pytest.Item) -> str:
    """The node that a fixture's instance belongs to."""
    if definition.scope == "class":
        node = item.getparent(pytest.Class) or item.getparent(pytest.Module)
    elif definition.scope == "module":
        node = item.getparent(pytest.Module)
    else:
        return str(definition.baseid)
    return "" if node is None else node.nodeid
