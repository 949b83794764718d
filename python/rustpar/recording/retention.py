"""How much of what failures say a journal keeps: ``rustpar_journal_size``, read and obeyed natively.

``src/journal/text_limits.rs`` says what it means.
"""

from __future__ import annotations

import pytest

from rustpar import _core
from rustpar.config.values import ini_text

_INI = "rustpar_journal_size"


def limits_of(config: pytest.Config) -> tuple[int, int] | tuple[None, None]:
    """Characters of failures that a journal keeps, and bytes that all journals in pytest's cache may take together.

    Returns:
        Both; None for all, and for any number.

    Raises:
        pytest.UsageError: When the ini file gives no size.
    """
    try:
        return _core.journal_limits(ini_text(config, _INI)) or (None, None)
    except ValueError as error:
        raise pytest.UsageError(f"{_INI}: {error}") from None
