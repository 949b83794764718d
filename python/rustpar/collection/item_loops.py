"""Detection of hook implementations that treat collected tests one by one.

Most conftests with ``pytest_collection_modifyitems`` loop over the tests and mark some of them. It makes no difference
to such a loop whether it runs over all tests at once or over those of one file after those of another.

The hazard it handles: a loop may remember what it has seen. So only code of a few forms is accepted, in which nothing
but the test of an iteration can be changed; anything else may need all tests.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from typing import Any

# How deeply calls of the suite's own functions are followed.
_MAX_DEPTH = 3

# Statements without an effect, or that only end a function or an iteration.
_HARMLESS = (ast.Pass, ast.Continue, ast.Import, ast.ImportFrom)


def treats_items_one_by_one(function: Any) -> bool:
    """Whether an implementation of ``pytest_collection_modifyitems`` changes each test by that test alone."""
    definition = _definition_of(function)
    if definition is None or "items" not in [argument.arg for argument in definition.args.args]:
        # Without the tests as an argument it could get them from the session.
        return definition is not None and not definition.args.args
    return _Function(definition, getattr(function, "__globals__", {}), 0).is_loop_over_items()


def _definition_of(function: Any) -> ast.FunctionDef | None:
    """Return the syntax of a plain function; None if it cannot be read, or is decorated or a generator."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError, ValueError):
        return None
    definition = tree.body[0] if tree.body else None
    if not isinstance(definition, ast.FunctionDef) or any(
        isinstance(node, (ast.Yield, ast.YieldFrom, ast.Await, ast.Global, ast.Nonlocal, ast.NamedExpr))
        for node in ast.walk(definition)
    ):
        return None
    return definition


class _Function:
    """A function that gets all tests, or one test, as arguments."""

    def __init__(self, definition: ast.FunctionDef, names: dict[str, Any], depth: int) -> None:
        self._definition = definition
        self._globals = names
        self._depth = depth

    def is_loop_over_items(self) -> bool:
        """Whether it uses ``items`` only in loops over them that change nothing but the test of the iteration."""
        loops = [
            node for node in ast.walk(self._definition) if isinstance(node, ast.For) and _is_name(node.iter, "items")
        ]
        uses = [node for node in ast.walk(self._definition) if _is_name(node, "items")]
        if not loops or len(uses) != len(loops):
            return False
        if any(isinstance(node, ast.Name) and node.id == "session" for node in ast.walk(self._definition)):
            return False
        within = {id(node) for loop in loops for one in loop.body for node in ast.walk(one)}
        if any(id(loop) in within for loop in loops):
            return False
        return all(
            isinstance(loop.target, ast.Name) and not loop.orelse and self._is_local(loop.body, {loop.target.id}, set())
            for loop in loops
        )

    def changes_only(self, parameters: set[str]) -> bool:
        """Whether it changes nothing but what these parameters stand for, which belongs to one test."""
        return self._is_local(self._definition.body, parameters, set())

    def _is_local(self, body: list[ast.stmt], own: set[str], assigned: set[str]) -> bool:
        """Whether statements change only what the names in `own` stand for, and variables that they have `assigned`.

        A variable must be assigned before it is read: otherwise it could have its value from the test before.
        """
        stored = {
            node.id
            for one in body
            for node in ast.walk(one)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        return all(self._is_local_statement(one, own, assigned, stored) for one in body)

    def _is_local_statement(self, one: ast.stmt, own: set[str], assigned: set[str], stored: set[str]) -> bool:
        known = own | assigned

        def only_reads(expression: ast.expr | None) -> bool:
            nodes = () if expression is None else tuple(ast.walk(expression))
            names = [node for node in nodes if isinstance(node, ast.Name)]
            # The targets of a comprehension are its own.
            targets = {name.id for name in names if isinstance(name.ctx, ast.Store)}
            read = {name.id for name in names} - targets
            calls = (node for node in nodes if isinstance(node, ast.Call))
            return read & stored <= known and all(self._is_reading_call(call, own, known) for call in calls)

        if isinstance(one, _HARMLESS):
            return True
        if isinstance(one, ast.Return):
            return self._depth > 0 and only_reads(one.value)
        if isinstance(one, ast.Expr):
            if not isinstance(one.value, ast.Call):
                return only_reads(one.value)
            call = one.value
            arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
            return all(map(only_reads, arguments)) and self._is_local_call(call, own)
        if isinstance(one, ast.Assign) and all(isinstance(target, ast.Name) for target in one.targets):
            is_local = only_reads(one.value)
            assigned |= {target.id for target in one.targets if isinstance(target, ast.Name)}
            return is_local
        if isinstance(one, ast.If):
            # What only one branch assigns may be unassigned afterwards.
            first, second = set(assigned), set(assigned)
            is_local = self._is_local(one.body, own, first) and self._is_local(one.orelse, own, second)
            assigned |= first & second
            return is_local and only_reads(one.test)
        if isinstance(one, ast.For) and not one.orelse:
            targets = {node.id for node in ast.walk(one.target) if isinstance(node, ast.Name)}
            return only_reads(one.iter) and self._is_local(one.body, own, assigned | targets)
        return False

    def _is_reading_call(self, call: ast.Call, own: set[str], known: set[str]) -> bool:
        """Whether a call in an expression can change nothing: a method that reads, or a function like that."""
        if isinstance(call.func, ast.Name):
            return self._is_known(call, own, known)
        if not isinstance(call.func, ast.Attribute) or call.func.attr in _MUTATING:
            return False
        root = _root_of(call.func)
        if not isinstance(root, ast.Name) or root.id in known or root.id not in self._globals:
            return True
        value = self._globals[root.id]
        if not inspect.ismodule(value):
            return type(value).__module__ in _PLAIN_TYPES
        if value.__name__.partition(".")[0] in _READING_PACKAGES:
            return True
        # A module of the suite: its functions may count.
        return self._changes_only_own(_attribute_of(value, call.func), call, own)

    def _is_local_call(self, call: ast.Call, own: set[str]) -> bool:
        """Whether a statement calls a method of something `own`, or a function that changes only that."""
        if isinstance(call.func, ast.Name):
            return self._is_known(call, own, own)
        between = call.func
        while isinstance(between, ast.Attribute) and isinstance(between.value, ast.Attribute):
            between = between.value
            if between.attr not in _OWN_ATTRIBUTES:
                return False
        return isinstance(between, ast.Attribute) and isinstance(between.value, ast.Name) and between.value.id in own

    def _is_known(self, call: ast.Call, own: set[str], known: set[str]) -> bool:
        """Whether a function is a builtin that reads, or one of the suite that changes only the test it gets."""
        assert isinstance(call.func, ast.Name)
        name = call.func.id
        if name in known:
            return False
        value = self._globals.get(name)
        return name in _BUILTINS if value is None else self._changes_only_own(value, call, own)

    def _changes_only_own(self, value: Any, call: ast.Call, own: set[str]) -> bool:
        """Whether what is called is a function of the suite that changes only the test it gets."""
        definition = _definition_of(value) if inspect.isfunction(value) and self._depth < _MAX_DEPTH else None
        if definition is None or any(isinstance(argument, ast.Starred) for argument in call.args):
            return False
        parameters = [argument.arg for argument in definition.args.args]
        given = {keyword.arg: keyword.value for keyword in call.keywords} | dict(
            zip(parameters, call.args, strict=False)
        )
        passed = {
            parameter
            for parameter, argument in given.items()
            if parameter is not None and isinstance(argument, ast.Name) and argument.id in own
        }
        return _Function(definition, value.__globals__, self._depth + 1).changes_only(passed)


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _root_of(node: ast.expr) -> ast.expr:
    """Return what a chain of attributes, items and calls starts with."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node


def _attribute_of(module: Any, expression: ast.expr) -> Any:
    """Return what a chain of attributes of a module stands for; None if it is none."""
    if isinstance(expression, ast.Name):
        return module
    if not isinstance(expression, ast.Attribute):
        return None
    holder = _attribute_of(module, expression.value)
    return vars(holder).get(expression.attr) if inspect.ismodule(holder) else None


# Packages with functions that change nothing that another test is told of.
_READING_PACKAGES = frozenset(sys.stdlib_module_names) | {"pytest", "_pytest"}

# Collections of a test's own, which may be changed.
_OWN_ATTRIBUTES = frozenset({"extra_keyword_matches", "fixturenames", "keywords", "own_markers", "user_properties"})

# Modules of types whose methods, except those below, only read: text, collections, patterns, and marks.
_PLAIN_TYPES = frozenset({"builtins", "re", "_pytest.mark.structures", "pathlib"})

# Methods by which collections change, and iterators.
_MUTATING = frozenset(
    {
        "__next__", "__setitem__", "add", "append", "clear", "discard", "extend", "insert", "pop", "popitem", "remove",
        "reverse", "send", "setdefault", "sort", "update",
    }
)  # fmt: skip

_BUILTINS = frozenset(
    {
        "abs", "all", "any", "bool", "dict", "getattr", "hasattr", "int", "isinstance", "issubclass", "len", "list",
        "max", "min", "repr", "set", "sorted", "str", "sum", "tuple", "type",
    }
)  # fmt: skip
