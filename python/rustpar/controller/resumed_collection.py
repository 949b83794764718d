"""The collection of a run with workers in its journal, and what a run does that resumes another.

The template has taken out the tests that have finished. So the indices that it and the engine use are those of the
other tests, and the journal has the numbers of all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rustpar.controller.nodes import with_platform
from rustpar.recording.resumed_run import resumption_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rustpar.recording.journal import JournalWriter


class ResumedCollection:
    """Records what the template has collected; in a run that resumes another, with the tests that have finished."""

    def __init__(self, config: pytest.Config, writer: JournalWriter, testrun_uid: str) -> None:
        """Record the collection of `config` with `writer`."""
        self._config = config
        self._writer = writer
        self._testrun_uid = testrun_uid
        self._resumption = resumption_of(config)

    def record_collection(self, collection: list[str], groups: Sequence[str | None], extras: dict[str, Any]) -> int:
        """Record which tests were collected; return how many.

        Args:
            collection: The tests that are to run.
            groups: The group of each of them.
            extras: What the template has sent about the collection.
        """
        serial = [index for index, is_serial, _ in extras["facts"]["needs"] if is_serial]
        deselected, marks = len(extras["deselected"][0]), extras["facts"]["marks"]
        finished = extras["finished"]
        if finished is None:
            self._writer.collected(collection, deselected, groups, serial)
            self._writer.marked(marks)
            return len(collection)
        node_ids, descriptions, marks = finished
        left = [index for index in range(len(node_ids)) if index not in descriptions]
        all_groups: list[str | None] = [None] * len(node_ids)
        for index, group in zip(left, groups, strict=True):
            all_groups[index] = group
        self._writer.collected(node_ids, deselected, all_groups, [left[index] for index in serial])
        self._writer.marked(marks)
        self._writer.schedule(left)
        return len(node_ids)

    def refusal(self, extras: dict[str, Any]) -> pytest.UsageError | None:
        """Return why the run cannot be resumed, now that its tests are known; None if it can, or need not."""
        if self._resumption is None:
            return None
        try:
            self._resumption.check(extras["finished"][0], extras["loaded"])
        except pytest.UsageError as error:
            return error
        return None

    def after_start(self, extras: dict[str, Any], workerinfo: Mapping[str, Any]) -> None:
        """Record the project's files, and report the finished tests, while workers run the others.

        Args:
            extras: What the template has sent about the collection.
            workerinfo: What it has sent about itself.
        """
        self._writer.loaded(extras["loaded"])
        if self._resumption is None:
            return
        from rustpar.collection.finished_tests import Description
        from rustpar.recording.replay import Replay
        from rustpar.recording.resumption import Finished

        node_ids, descriptions, _ = extras["finished"]
        finished = Finished(node_ids, {index: Description(*about) for index, about in descriptions.items()})
        self._resumption.replay(
            finished, self._writer, Replay(self._config, self._testrun_uid, with_platform(workerinfo))
        )
