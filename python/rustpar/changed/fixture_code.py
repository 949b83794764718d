"""Which code of a conftest runs without a fixture of it: what a fixture does concerns only the tests that use it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)

# Names of what pytest, and the decorators of its plugins, make fixtures with.
_FIXTURE = frozenset({"fixture", "yield_fixture"})

# Functions and classes that pytest calls.
_CALLED = ("pytest_", "test", "Test")


def outside_fixtures(tree: ast.Module) -> ast.Module:
    """Return the code of a file that may run although no test uses a fixture of it.

    These are the statements of the module, hooks, tests, and the functions and classes that they name, and that those
    name. An import that gives a module no other name does nothing by itself, and is left out.
    """
    definitions: dict[str, list[Definition]] = {}
    found: list[ast.stmt] = []
    for node in tree.body:
        if isinstance(node, _DEFINITIONS) and not node.name.startswith(_CALLED):
            definitions.setdefault(node.name, []).append(node)
            found.extend(part if isinstance(part, ast.stmt) else ast.Expr(part) for part in _evaluated(node))
        elif not isinstance(node, ast.Import) or any(alias.asname for alias in node.names):
            found.append(node)
    # Grows while it is gone through.
    for statement in found:
        for name in _names_of(statement):
            found.extend(definitions.pop(name, ()))
    return ast.Module(found, [])


def _evaluated(node: Definition) -> Iterator[ast.expr | ast.stmt]:
    """Yield what is evaluated when a function or a class is defined, except that a decorator makes a fixture of it."""
    for decorator in node.decorator_list:
        function = decorator.func if isinstance(decorator, ast.Call) else decorator
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        if name not in _FIXTURE:
            # It may call the function at once, or register it somewhere.
            yield decorator
            yield ast.Name(node.name, ast.Load())
        elif isinstance(decorator, ast.Call):
            yield from (keyword.value for keyword in decorator.keywords)
    if isinstance(node, ast.ClassDef):
        yield from node.bases
        yield from (keyword.value for keyword in node.keywords)
        yield from (statement for statement in node.body if not isinstance(statement, _DEFINITIONS))
    else:
        yield from filter(None, (*node.args.defaults, *node.args.kw_defaults))


def _names_of(node: ast.AST) -> Iterator[str]:
    """Yield the names in code, except in subscripts: those are types, or keys, and nothing calls them there."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name):
            yield node.id
        waiting.extend([node.value] if isinstance(node, ast.Subscript) else ast.iter_child_nodes(node))
