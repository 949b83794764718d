"""The ini option ``rustpar_journal_size``: how much text of failures a journal keeps.

It is parsed and applied natively (``src/journal/text_limits.rs``).
"""

from __future__ import annotations

import pytest

from rustpar import _core
from rustpar.config.values import ini_text

_INI = "rustpar_journal_size"


def limits_of(config: pytest.Config) -> tuple[int, int] | tuple[None, None]:
    """Return the limits for journals.

    Returns:
        Characters of failures that a journal keeps, and bytes that all journals in pytest's cache may take; (None,
        None) for no limits.

    Raises:
        pytest.UsageError: The value in the ini file is not a size.
    """
    try:
        return _core.journal_limits(ini_text(config, _INI)) or (None, None)
    except ValueError as error:
        raise pytest.UsageError(f"{_INI}: {error}") from None
