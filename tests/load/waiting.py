"""The text of a load test whose iterations take some time."""

from __future__ import annotations

WAITING = """
import time
import pytest

@pytest.mark.load({mark})
def test_it(load):
    time.sleep(0.005)
    {body}
"""


def waiting(mark: str, body: str = "pass") -> str:
    """Return a load test whose iterations take some time."""
    return WAITING.format(mark=mark, body=body)
