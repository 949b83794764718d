"""Tests of the timeline page in Chromium, collected only if selenium is installed (`dev.py test` installs it)."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from selenium.webdriver import Chrome

    from tests.browser.page import Page

collect_ignore_glob = [] if find_spec("selenium") else ["test_*.py"]


@pytest.fixture(scope="session")
def chrome() -> Iterator[Chrome]:
    from tests.browser.page import start_chromium

    chromium = start_chromium()
    yield chromium
    chromium.quit()


@pytest.fixture
def page(chrome: Chrome, tmp_path: Path) -> Iterator[Page]:
    """A page that fails the test if it logs an error or makes a network request."""
    from tests.browser.page import Page

    page = Page(chrome, tmp_path)
    page.complaints()
    yield page
    assert page.complaints() == []
