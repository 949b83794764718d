"""The audit hook of the native module (PEP 578), which is idle unless somebody has asked for events.

The hazard it handles: audit hooks cannot be removed, and a fork inherits them. So there is one, installed once.
"""

from __future__ import annotations

import sys

from rustpar import _core

# Not empty if this process, or one that it was forked from, has the hook.
_installed_hooks: list[bool] = []


def install() -> None:
    """Install the hook, unless it is installed."""
    if not _installed_hooks:
        if not _core.add_audit_hook():
            sys.addaudithook(_core.audit)
        _installed_hooks.append(True)
