"""Node ids: strings in pytest before 9.2, objects since."""

from __future__ import annotations

from typing import TYPE_CHECKING

from _pytest.reports import TestReport

if TYPE_CHECKING:
    from collections.abc import Callable


def id_attribute() -> str:
    """Return the attribute with the node id of this pytest's reports: an object since 9.2, before a string."""
    probe = TestReport("a::b", ("a", 0, "b"), {}, "passed", None, "call")
    return "_id" if "_id" in vars(probe) else "nodeid"


def node_id_parser() -> Callable[[str], object] | None:
    """Return the function that makes a node id object of a string; None before pytest 9.2."""
    if id_attribute() == "nodeid":
        return None
    from _pytest.nodeid import NodeId

    parse: Callable[[str], object] = NodeId.parse
    return parse
