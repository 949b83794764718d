"""Reports for what happens outside of pytest's own run of a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from typing import NoReturn


def teardown_report(item: pytest.Item, error: BaseException) -> pytest.TestReport:
    """Return the report of an error in the teardown of a test."""

    def teardown() -> NoReturn:
        __tracebackhide__ = True
        raise error

    call = pytest.CallInfo.from_call(teardown, when="teardown")
    # Not through the hook: plugins expect that the test has run in this process.
    return pytest.TestReport.from_item_and_call(item, call)
