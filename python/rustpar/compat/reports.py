"""Reports for what happens outside of pytest's own run of a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from typing import NoReturn


def set_section(item: pytest.Item, when: str, key: str, text: str) -> None:
    """Show a text in the reports of a test, instead of the one that was set under this key before."""
    sections: list[tuple[str, str, str]] = item._report_sections
    sections[:] = [one for one in sections if one[:2] != (when, key)]
    item.add_report_section(when, key, text)


def teardown_report(item: pytest.Item, error: BaseException) -> pytest.TestReport:
    """Return the report of an error in the teardown of a test."""

    def teardown() -> NoReturn:
        __tracebackhide__ = True
        raise error

    call = pytest.CallInfo.from_call(teardown, when="teardown")
    # Not through the hook: plugins expect that the test has run in this process.
    return pytest.TestReport.from_item_and_call(item, call)
