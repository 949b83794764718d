"""Tests that an earlier run has finished: they are collected, described for their reports, and not run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pytest

    from rustpar import _core


class Description(NamedTuple):
    """What a report of a test takes from the test.

    Attributes:
        location: ``item.location``.
        keywords: The names in ``item.keywords``.
    """

    location: tuple[str, int | None, str]
    keywords: list[str]


def take_out(items: list[pytest.Item], earlier: _core.EarlierRun) -> dict[int, Description]:
    """Remove the tests that have finished from `items`; return their descriptions by index.

    Raises:
        ValueError: The tests are not those that were collected then.
    """
    mask = earlier.divide([item.nodeid for item in items])
    finished = {index: _describe(items[index]) for index, is_finished in enumerate(mask) if is_finished}
    items[:] = [item for item, is_finished in zip(items, mask, strict=True) if not is_finished]
    return finished


def _describe(item: Any) -> Description:
    return Description(item.location, list(item.keywords))
