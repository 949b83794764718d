"""Detection of conftests that read the list of all tests, ``session.items``.

The hazard it handles: in a worker that has collected a part of the files, that list is its part. A fixture that looks
there whether any test needs a service would not start it for a test that the worker takes over later.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def find_reader(files: Iterable[str]) -> tuple[str, int] | None:
    """Return the first of these Python files in which ``session.items`` is read, and the line; None if none does."""
    for file in sorted(files):
        try:
            text = Path(file).read_bytes()
            # Parsing takes longer than looking.
            nodes = ast.walk(ast.parse(text)) if b".items" in text and b"session" in text else ()
        except (OSError, SyntaxError, ValueError):
            continue
        for node in nodes:
            if isinstance(node, ast.Attribute) and node.attr == "items" and _is_session(node.value):
                return file, node.lineno
    return None


def _is_session(node: ast.expr) -> bool:
    return (isinstance(node, ast.Name) and node.id == "session") or (
        isinstance(node, ast.Attribute) and node.attr == "session"
    )
