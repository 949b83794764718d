"""Packages depend on one another in one direction only, and only one package uses private names of dependencies."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "python" / "rustpar"

# From top to bottom: a package only imports from packages below it, including imports for annotations.
LAYERS = (
    "plugin",
    "cli",
    "watch",
    "warm",
    "controller",
    "forkserver",
    "worker",
    "debugger",
    "forked",
    "load",
    "once",
    "fork_safety",
    "leaks",
    "changed",
    "terminal",
    "retries",
    "repeats",
    "quarantine",
    "recording",
    "collection",
    "process",
    "coverage",
    "compat",
    "config",
)


def imports(path: Path) -> Iterator[tuple[str, ...]]:
    """Yield the modules of this package that a file imports, split at the dots."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (tuple(name.split(".")[1:]) for name in names if name.startswith("rustpar."))


def files() -> Iterator[tuple[str, Path]]:
    """Yield each file with its package or top-level module."""
    for path in sorted(PACKAGE.rglob("*.py")):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if room != "__init__":
            yield room, path


def test_every_package_belongs_to_a_layer() -> None:
    assert {room for room, _ in files()} == set(LAYERS)


def test_no_package_imports_from_one_above_it() -> None:
    upwards = [
        f"{path.relative_to(PACKAGE)} imports {'.'.join(name)}"
        for room, path in files()
        for name in imports(path)
        if name[0] in LAYERS and LAYERS.index(name[0]) < LAYERS.index(room)
    ]
    assert not upwards


def test_modules_have_no_circular_imports() -> None:
    modules = {path.relative_to(PACKAGE).with_suffix("").parts: path for _, path in files()}
    arrows = {
        module: {name[:end] for name in imports(path) for end in (1, 2) if name[:end] in modules} - {module}
        for module, path in modules.items()
    }
    while free := [module for module, targets in arrows.items() if not targets & arrows.keys()]:
        for module in free:
            del arrows[module]
    assert not arrows


def test_package_init_files_only_have_a_docstring() -> None:
    for path in PACKAGE.glob("*/__init__.py"):
        statements = ast.parse(path.read_text()).body
        assert len(statements) == 1, path
        assert isinstance(statements[0], ast.Expr), path


# Rust: the modules that each top-level module may use. Files directly in `src` are the crate root.
RUST_ROOMS = {
    "text": set[str](),
    "platform": set[str](),
    "fork_safety": set[str](),
    "changes": {"platform", "text"},
    "watch": {"text"},
    "schedule": {"text"},
    "protocol": {"platform"},
    "coverage": {"platform"},
    "history": {"platform", "protocol"},
    "leaks": {"platform", "text"},
    "journal": {"platform", "protocol", "text"},
    "analysis": {"journal", "protocol", "schedule", "text"},
    "load": {"analysis", "journal", "text"},
    "report": {"analysis", "journal", "leaks", "load", "protocol", "schedule", "text"},
    "replay": {"journal", "text"},
    "cli": {"analysis", "history", "journal", "platform", "protocol", "replay", "report", "text"},
    "engine": {"journal", "load", "platform", "protocol", "schedule", "text"},
}


def rust_files(room: str) -> list[Path]:
    return sorted((ROOT / "src" / room).rglob("*.rs"))


def test_every_rust_module_belongs_to_a_layer() -> None:
    rooms = {path.name for path in (ROOT / "src").iterdir() if path.is_dir()}
    assert rooms == {*RUST_ROOMS, "bridge"}


@pytest.mark.parametrize("room", RUST_ROOMS)
def test_a_rust_module_only_uses_modules_below_it(room: str) -> None:
    for path in rust_files(room):
        used = set(re.findall(r"\bcrate::(?:\{)?([a-z_]+)", path.read_text())) - {room}
        assert used <= RUST_ROOMS[room], path


def test_only_the_bridge_names_pyo3() -> None:
    naming = [path for room in RUST_ROOMS for path in rust_files(room) if "pyo3" in path.read_text()]
    assert not naming


def test_only_the_platform_and_one_file_of_the_bridge_have_unsafe_code() -> None:
    having = [
        path.relative_to(ROOT / "src")
        for path in (ROOT / "src").rglob("*.rs")
        if re.search(r"\bunsafe\b(?! code)", path.read_text())
    ]
    assert {path.parts[0] for path in having} == {"platform", "bridge"}
    assert [path.name for path in having if path.parts[0] == "bridge"] == ["heap.rs"]


def test_files_named_in_the_documentation_exist() -> None:
    texts = [*ROOT.glob("docs/*.md"), ROOT / "CONTRIBUTING.md"]
    named = {name for text in texts for name in re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.(?:py|rs))`", text.read_text())}
    assert named
    assert not {name for name in named if not (ROOT / name).exists() and not (PACKAGE / name).exists()}


def private_names(path: Path) -> Iterator[str]:
    """Yield private names of pytest, pluggy, pytest-xdist or coverage.py that a file uses."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            modules = [node.module]
        elif isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        else:
            continue
        yield from (name for name in modules if re.match(r"_pytest\b|pluggy\._|xdist\b", name))


# Private attributes of their objects.
PRIVATE = re.compile(
    r"\._(?:tw|file|setupstate|fixtureinfo|pyfuncitem|hookexec|inner_hookexec|multicall|remove_plugin|tmp_path_factory"
    r"|global_capturing|cachedir|parser|add_stats|to_json|storage|collector|data\._suffix|warn_no_data|auto_save)\b"
)


def test_only_compat_uses_private_names_of_dependencies() -> None:
    for room, path in files():
        if room != "compat":
            assert not [*private_names(path)], path
            named = [line for line in path.read_text().splitlines() if PRIVATE.search(line) and "self._" not in line]
            assert not named, path


def test_the_sessions_select_tests_that_exist() -> None:
    selected = re.findall(r'"(tests/[^"]+)"', (ROOT / "noxfile.py").read_text())
    assert len(selected) > 10
    for path, _, test in (name.partition("::") for name in selected):
        assert (ROOT / path).exists(), path
        assert not test or f"\ndef {test}(" in (ROOT / path).read_text(), test


def test_the_tests_that_start_new_processes_exist() -> None:
    _, _, listed = (ROOT / "tests" / "conftest.py").read_text().partition("\nNEW_PROCESSES = (")
    names = re.findall(r'"([^"]+)"', listed.partition("\n)")[0])
    assert len(names) > 10
    for path, _, test in (name.partition("::") for name in names):
        found = [*(ROOT / "tests").glob(path.rstrip("/") + "*")]
        assert found, path
        assert not test or f"\ndef {test}" in found[0].read_text(), test


def test_files_with_tests_have_different_names() -> None:
    # pytest imports them as modules without packages.
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert len(names) == len(set(names))
