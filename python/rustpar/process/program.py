"""How this process was started: as which program, and whether something watches it.

The thin client of a warm server imports this module, so it imports little.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

# The names of pytest's program, as people start it.
_PROGRAMS = ("pytest", "py.test")


def pytest_program(config: pytest.Config) -> tuple[str, str | None] | None:
    """Return the file of pytest's program, and its module with ``python -m``; None if another program calls pytest."""
    main = sys.modules["__main__"]
    parameters = config.invocation_params
    if list(parameters.args) != sys.argv[1:] or parameters.plugins:
        return None
    about = getattr(main, "__spec__", None)
    if about is not None:
        return (sys.argv[0], about.name) if about.name == "pytest.__main__" else None
    return (sys.argv[0], None) if sys.argv[0].rpartition("/")[2] in _PROGRAMS else None


def is_traced() -> bool:
    """Whether something traces, profiles or measures this process."""
    if sys.gettrace() is not None or sys.getprofile() is not None:
        return True
    monitoring: Any = getattr(sys, "monitoring", None)
    return monitoring is not None and any(monitoring.get_tool(tool) is not None for tool in range(6))
