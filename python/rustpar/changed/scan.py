"""What a file of Python says about other files: its imports, its literals, and what it may do that is not known before.

The names of modules in texts count as well: code may be executed from them, and they may be the examples of a doctest.
"""

from __future__ import annotations

import ast
import re
import sys
import warnings
from typing import TYPE_CHECKING

from rustpar import _core
from rustpar.changed.fixture_code import outside_fixtures

if TYPE_CHECKING:
    from collections.abc import Iterator

    Import = tuple[int, str, list[str]]
    Facts = tuple[list[Import], list[str], bool, bool, bool, bool, bool, bool, bool]

# What scans are stored for: the parser is Python's.
SCANNER = f"{_core.VERSION}, {sys.version_info.major}.{sys.version_info.minor}"

# Functions that import or execute what their first argument says. With a literal, that is a name like others.
_BY_ARGUMENT = frozenset(
    {
        "__import__",
        "import_module",
        "importorskip",
        "find_spec",
        "resolve_name",
        "run_module",
        "run_path",
        "load_module",
    }
    | {"load_source", "spec_from_file_location", "SourceFileLoader", "import_string", "import_object", "locate"}
    | {"import_from_string", "import_by_path", "exec", "eval", "execfile"}
)
# Those that find modules themselves.
_FINDING = frozenset(
    {"iter_modules", "walk_packages", "entry_points", "iter_entry_points", "load_entry_point", "exec_module"}
)
# Builtins; methods of other objects have these names, too.
_BUILTINS = frozenset({"exec", "eval"})
# Those that import what a word names, as a module somewhere.
_BY_NAME = (_BY_ARGUMENT - _BUILTINS) | {"call_command"}

# Functions and methods that find the files of a directory.
_LISTING = frozenset({"glob", "iglob", "rglob", "iterdir", "listdir", "scandir", "walk"})

# Names of what starts processes, or runs pytest. Functions of the module `os` follow.
_PROCESSES = frozenset(
    {"subprocess", "Popen", "pexpect", "pytester", "testdir", "script_runner", "create_subprocess_exec"}
    | {"create_subprocess_shell", "posix_spawn", "posix_spawnp", "pty", "run_process", "open_process", "xprocess"}
    | {"ProcessStarter", "plumbum", "sarge", "delegator"}
)
_PROCESSES_OF_OS = re.compile(r"(system|popen|exec[lv]\w*|spawn\w+)$")
_REQUESTING = frozenset({"getfixturevalue", "getfuncargvalue"})
_START_METHODS = frozenset({"spawn", "forkserver"})
_PYTHON = re.compile(r"(?:^|[\s/\\'\"])(?:python|pypy)[\d.]*(?:\.exe)?(?:$|[\s'\"])")

# Longer literals are texts, not names.
_MOST_CHARACTERS = 200

_NAME = re.compile(r"[\w.\-/\\:@+]+")
_IMPORT = re.compile(
    r"^[ \t>.]*(?:.*;[ \t]*)?(?:from[ \t]+(?P<dots>\.*)(?P<module>[\w.]*)[ \t]+import[ \t]+(?P<names>[\w, \t()]+)"
    r"|import[ \t]+(?P<modules>[\w., \t]+))",
    re.MULTILINE,
)


def scan(source: bytes) -> Facts | None:
    """Return what a file says, as ``Changes.add_facts`` takes it; None if it cannot be parsed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    found = _Scan(tree)
    starts, starts_python = found.processes()
    # Going through most files once is enough.
    starts_outside = starts and _Scan(outside_fixtures(tree)).processes()[0]
    return (*found.facts(), starts, starts_python, starts_outside, found.requests_fixtures())


class _Scan:
    """Goes through the nodes of a file once."""

    def __init__(self, tree: ast.Module) -> None:
        self._imports: list[Import] = []
        self._strings: dict[str, None] = {}
        self._identifiers: set[str] = set()
        self._is_dynamic = self._uses_os = self._uses_executable = False
        # Names of functions that are called with a literal, and docstrings.
        self._safe: set[ast.expr] = set()
        self._docstrings: set[ast.expr] = set()
        for node in ast.walk(tree):
            self._visit(node)

    def facts(self) -> tuple[list[Import], list[str], bool, bool, bool]:
        """Return imports, literals, whether imports are dynamic or by name, and whether directories are listed."""
        by_name, lists = (not names.isdisjoint(self._identifiers) for names in (_BY_NAME, _LISTING))
        return self._imports, list(self._strings), self._is_dynamic, by_name, lists

    def requests_fixtures(self) -> bool:
        """Whether fixtures are requested by names that are computed while tests run."""
        return not _REQUESTING.isdisjoint(self._identifiers | self._strings.keys())

    def processes(self) -> tuple[bool, bool]:
        """Return whether processes are started, and whether those of Python are."""
        strings = self._strings
        is_spawning = "multiprocessing" in self._identifiers and not _START_METHODS.isdisjoint(strings)
        starts = self._uses_os or is_spawning or not _PROCESSES.isdisjoint(self._identifiers | strings.keys())
        is_python = self._uses_executable or any(_PYTHON.search(text) for text in strings)
        return starts, starts and is_python

    def _visit(self, node: ast.AST) -> None:
        """Note what a node says; its parent was visited before."""
        if isinstance(node, ast.Import):
            for alias in node.names:
                self._imports.append((0, alias.name, []))
                self._identifiers.update(alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            names = [alias.name for alias in node.names if alias.name != "*"]
            self._imports.append((node.level, node.module or "", names))
            self._identifiers.update((node.module or "").split("."), names)
            self._uses_os |= node.module == "os" and any(_PROCESSES_OF_OS.match(name) for name in names)
            self._uses_executable |= node.module == "sys" and "executable" in names
            self._is_dynamic |= any(alias.asname and alias.name in _BY_ARGUMENT | _FINDING for alias in node.names)
        elif isinstance(node, ast.Call):
            if node.args and isinstance(node.args[0], ast.Constant):
                self._safe.add(node.func)
        elif isinstance(node, ast.Name):
            self._see(node, node.id)
        elif isinstance(node, ast.Attribute):
            self._see(node, node.attr)
            if isinstance(node.value, ast.Name):
                self._uses_os |= node.value.id == "os" and bool(_PROCESSES_OF_OS.match(node.attr))
                self._uses_executable |= node.value.id == "sys" and node.attr == "executable"
        elif isinstance(node, (ast.Assign, ast.AugAssign)):
            # `from package import *` imports the modules that it names.
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            is_all = any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets)
            self._is_dynamic |= is_all and not _is_list_of_literals(node.value)
        elif isinstance(node, ast.arg):
            self._identifiers.add(node.arg)
        elif isinstance(node, ast.Expr):
            if isinstance(node.value, ast.Constant):
                self._docstrings.add(node.value)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if node not in self._docstrings:
                self._strings.update(dict.fromkeys(_names_in(node.value)))
            self._imports.extend(_imports_in(node.value))

    def _see(self, node: ast.Name | ast.Attribute, name: str) -> None:
        self._identifiers.add(name)
        is_computed = name in _BY_ARGUMENT and node not in self._safe
        if name in _FINDING or (is_computed and (name not in _BUILTINS or isinstance(node, ast.Name))):
            self._is_dynamic = True


def _is_list_of_literals(node: ast.expr) -> bool:
    return isinstance(node, (ast.List, ast.Tuple)) and all(isinstance(one, ast.Constant) for one in node.elts)


def _names_in(text: str) -> Iterator[str]:
    """Yield what may be the name of a module or a file: the whole text, and words in it with a dot or a slash."""
    if len(text) <= _MOST_CHARACTERS and "\n" not in text:
        yield text
    for word in _NAME.findall(text):
        if len(word) <= _MOST_CHARACTERS and word != text and ("." in word or "/" in word or "\\" in word):
            yield word


def _imports_in(text: str) -> Iterator[Import]:
    """Yield the imports of code in a text."""
    if "import" not in text:
        return
    for found in _IMPORT.finditer(text):
        if found["modules"] is not None:
            for module in found["modules"].split(","):
                yield 0, module.split()[0] if module.split() else "", []
        else:
            names = [name.split()[0] for name in found["names"].strip("() \t").split(",") if name.split()]
            yield len(found["dots"]), found["module"], names
