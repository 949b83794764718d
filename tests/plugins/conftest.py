"""Plugin comparisons, collected only if all plugins are installed (`dev.py plugins` installs them)."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

REQUIREMENTS = Path(__file__).parents[1] / "requirements" / "plugins.txt"


def _is_installed(distribution: str) -> bool:
    try:
        metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


_NAMES = [line.partition("==")[0] for line in REQUIREMENTS.read_text().splitlines() if "==" in line]
collect_ignore = [] if all(map(_is_installed, _NAMES)) else ["test_plugins.py"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that `dev.py plugins` uses to write the table."""
    parser.addoption("--write-table", action="store_true", help="Write what was found into docs/plugins.md.")
