"""Joining the parts of a collection that several workers have made, each of other files.

The hazard it handles: pytest sorts tests after the collection, by the parameters of their fixtures, and plugins may
drop or add some. If one process could have done that differently, the parts are not joined.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, zip_longest
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Part(NamedTuple):
    """What one worker has collected: as in its inventory."""

    worker: int
    node_ids: list[str]
    groups: Sequence[str | None]
    extras: dict[str, Any]

    @property
    def files(self) -> list[int]:
        """The number of the file of each test."""
        files: list[int] = self.extras["part"]["files"]
        return files


class Obstacle:
    """Why the parts of a collection are not used.

    Attributes:
        text: A short text.
        node_ids: Files, or tests in files, that have the cause, as far as they are known.
        is_error: Whether files could not be collected, which may be so in one process as well.
    """

    def __init__(self, text: str, *node_ids: str, is_error: bool = False) -> None:
        """Describe it."""
        self.text = text
        self.node_ids = node_ids
        self.is_error = is_error


@dataclass(frozen=True)
class Whole:
    """A joined collection, as one process would have made it.

    Attributes:
        node_ids: The node ids of all tests.
        groups: Their ``xdist_group`` names.
        extras: The further contents of the inventory; in its facts, ``owners`` are the workers that have collected
            each test.
        counts: The number of tests of each file.
        reports: The collection reports that have not passed, in the order of the files.
        modules: The modules that the files have imported, in that order: name and file.
        paths: What they have added to the front of ``sys.path``, in that order.
    """

    node_ids: list[str]
    groups: list[str | None]
    extras: dict[str, Any]
    counts: list[int]
    reports: list[object]
    modules: list[tuple[str, str]]
    paths: list[str]


def obstacle(parts: Sequence[Part]) -> Obstacle | None:
    """Return why parts cannot be joined; None if they can."""
    files_of: dict[str, dict[int, str]] = {}
    for part in parts:
        about, node_ids = part.extras["part"], part.node_ids
        failed = [data["nodeid"] for _, data, is_failed in about["reports"] if is_failed]
        if failed:
            return Obstacle("there are errors", *failed, is_error=True)
        if about["registering"]:
            return Obstacle("test files register plugins", *about["registering"])
        if any(number < 0 for number in part.files):
            return Obstacle("there are tests that belong to no file", node_ids[part.files.index(-1)])
        for place, (one, following) in enumerate(pairwise(part.files)):
            if one > following:
                return Obstacle("tests of several files are sorted", *node_ids[place : place + 2])
        if part.extras["facts"]["retries"]:
            return Obstacle("tests are marked flaky", node_ids[part.extras["facts"]["retries"][0][0]])
        for name, files in about["wide"].items():
            known = files_of.setdefault(name, {})
            known |= {file: node_ids[part.files.index(file)] for file in files}
    for name, found in sorted(files_of.items()):
        if len(found) > 1:
            return Obstacle(f"tests of several files are sorted by the parameter {name}", *found.values())
    return None


def join(parts: Sequence[Part], files: int) -> Whole:
    """Join the parts of a collection of so many files; :func:`obstacle` has found nothing against it."""
    places = sorted((file, index, number) for number, part in enumerate(parts) for index, file in enumerate(part.files))
    indices: list[list[int]] = [[0] * len(part.node_ids) for part in parts]
    counts = [0] * files
    for test, (file, index, number) in enumerate(places):
        indices[number][index] = test
        counts[file] += 1
    reports = [entry for part in parts for entry in part.extras["part"]["reports"]]
    imports = sorted((entry for part in parts for entry in part.extras["part"]["imports"]), key=lambda entry: entry[0])
    first = parts[0].extras
    seconds = [one for part in parts for one in part.extras["part"]["seconds"]]
    facts = _facts(parts, indices)
    facts["owners"] = [parts[number].worker for _, _, number in places]
    facts["collect_seconds"] = median(seconds) if seconds else 0.0
    extras = first | {
        "deselected": _deselected(parts),
        "reasons": [],
        "facts": facts,
        "loaded": sorted({file for part in parts for file in part.extras["loaded"]}),
        "thread_pool": max((part.extras["thread_pool"] for part in parts), key=lambda pool: pool[1] if pool else 0),
        "part": None,
    }
    return Whole(
        node_ids=[parts[number].node_ids[index] for _, index, number in places],
        groups=[parts[number].groups[index] for _, index, number in places],
        extras=extras,
        counts=counts,
        reports=[data for _, data, _ in sorted(reports, key=lambda entry: entry[0])],
        modules=list(dict.fromkeys((name, file) for _, modules, _ in imports for name, file in modules)),
        paths=list(dict.fromkeys(path for _, _, paths in imports for path in paths)),
    )


def _facts(parts: Sequence[Part], indices: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Join what the scheduling needs to know; `indices` has the index in the whole of each test of each part."""
    kinds: dict[str, int] = {}
    joined: dict[str, Any] = {"needs": [], "instances": [], "fixtures": [], "time_limits": []}
    for part, index_of in zip(parts, indices, strict=True):
        facts = part.extras["facts"]
        numbers = [kinds.setdefault(kind, len(kinds)) for kind in facts["kinds"]]
        before = len(joined["instances"])
        joined["instances"] += [numbers[kind] for kind in facts["instances"]]
        joined["fixtures"] += [
            (index_of[test], [before + instance for instance in needed]) for test, needed in facts["fixtures"]
        ]
        for name in ("needs", "time_limits"):
            joined[name] += [(index_of[test], *about) for test, *about in facts[name]]
    for name in ("needs", "fixtures", "time_limits"):
        joined[name].sort(key=lambda entry: entry[0])
    return {**parts[0].extras["facts"], **joined, "kinds": list(kinds)}


def _deselected(parts: Sequence[Part]) -> tuple[list[Any], list[Any]]:
    """Join the descriptions of deselected tests, in the order of the files."""
    marks: list[Any] = []
    found: list[tuple[int, Any]] = []
    for part in parts:
        tests, known = part.extras["deselected"]
        for file, (*about, numbers) in zip(part.extras["part"]["deselected"], tests, strict=True):
            found.append((file, (*about, [len(marks) + number for number in numbers])))
        marks += known
    found.sort(key=lambda entry: entry[0])
    return [about for _, about in found], marks


def difference(whole: Whole, parts: Sequence[Part], serial: Part) -> Obstacle | None:
    """Return how a joined collection differs from that of one process; None if they are the same.

    Args:
        whole: The joined collection.
        parts: Its parts.
        serial: What one process has collected.
    """
    for one, other in zip_longest(whole.node_ids, serial.node_ids):
        if one != other:
            both = [node_id for node_id in (one, other) if node_id is not None]
            return Obstacle(f"{one or 'no test'} instead of {other or 'no test'}", *both)
    marks = _by_node_id(parts)
    for test, (node_id, names) in enumerate(zip(serial.node_ids, serial.extras["part"]["marks"], strict=True)):
        if marks[node_id] != names or serial.groups[test] != whole.groups[test]:
            return Obstacle(f"{node_id} has other marks", node_id)
    mine, theirs = (sorted(about[0] for about in extras["deselected"][0]) for extras in (whole.extras, serial.extras))
    return None if mine == theirs else Obstacle("other tests are deselected", *serial.node_ids[:1])


def _by_node_id(parts: Sequence[Part]) -> Mapping[str, str]:
    return {
        node_id: names
        for part in parts
        for node_id, names in zip(part.node_ids, part.extras["part"]["marks"], strict=True)
    }
