"""Whether a run resumes another; what that needs is only imported then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rustpar.recording.resumption import Resumption

RESUMPTION: pytest.StashKey[Resumption] = pytest.StashKey()


def resumption_of(config: pytest.Config) -> Resumption | None:
    """Return how this run resumes another; None if it does not."""
    return config.stash.get(RESUMPTION, None)
