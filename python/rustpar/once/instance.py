"""What distinguishes the values of one fixture: the module or package it belongs to, and parameters.

A fixture has another value if one of the fixtures that it needs has other parameters, even if it has none itself.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from rustpar.compat.fixtures import is_same_key
from rustpar.compat.sessions import fixtures_of, item_of


class Instance(NamedTuple):
    """An instance of a fixture.

    Attributes:
        node_id: The node id of the collector that it belongs to; empty for the session.
        parameters: The parameters on which its value depends, by the names of fixtures.
    """

    node_id: str
    parameters: dict[str, object]

    def is_same(self, other: Instance) -> bool:
        """Whether this is the same instance; parameters are compared as pytest does."""
        return (
            self.node_id == other.node_id
            and self.parameters.keys() == other.parameters.keys()
            and all(is_same_key(value, other.parameters[name]) for name, value in self.parameters.items())
        )


def needed_names(definition: Any, info: Any) -> set[str]:
    """Return the names of the fixtures that one needs, directly or not, and its own."""
    names, waiting, seen = {definition.argname}, [definition], {id(definition)}
    while waiting:
        for name in waiting.pop().argnames:
            names.add(name)
            for other in info.name2fixturedefs.get(name) or ():
                if id(other) not in seen:
                    seen.add(id(other))
                    waiting.append(other)
    return names


def instance_for(definition: Any, item: pytest.Item) -> Instance:
    """Return the instance of a fixture that a test needs."""
    info = fixtures_of(item)
    parameters: dict[str, object] = getattr(getattr(item, "callspec", None), "params", {})
    if parameters and info is not None:
        names = needed_names(definition, info)
        parameters = {name: value for name, value in parameters.items() if name in names}
    node: Any = None
    if definition.scope == "module":
        node = item.getparent(pytest.Module)
    elif definition.scope == "package":
        node = item.getparent(pytest.Package)
    return Instance("" if node is None else node.nodeid, dict(parameters))


def instance_of(definition: Any, request: Any) -> Instance:
    """Return the instance of a fixture that is requested."""
    return instance_for(definition, item_of(request))
