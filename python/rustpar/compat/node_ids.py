"""Node ids: texts in pytest before 9.2, objects since."""

from __future__ import annotations

from typing import TYPE_CHECKING

from _pytest.reports import TestReport

if TYPE_CHECKING:
    from collections.abc import Callable


def id_attribute() -> str:
    """The attribute in which this pytest's reports keep their node id: an object since 9.2, text before."""
    probe = TestReport("a::b", ("a", 0, "b"), {}, "passed", None, "call")
    return "_id" if "_id" in vars(probe) else "nodeid"


def node_id_parser() -> Callable[[str], object] | None:
    """What makes the node id object of a report from its text; None where it is the text (before pytest 9.2)."""
    if id_attribute() == "nodeid":
        return None
    from _pytest.nodeid import NodeId

    parse: Callable[[str], object] = NodeId.parse
    return parse
