"""Whether the files of a suite can be collected separately, each by another process.

The hazard it handles: a plugin or a conftest may look at all collected tests at once, to sort them, to count them or to
drop some. In a process that has collected a part of them, it would decide by that part. So a suite is separable only if
everything that gets the collected tests is known to treat them one by one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rustpar.collection import item_loops, session_items
from rustpar.compat.collecting import module_name_of
from rustpar.config.values import is_given

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pytest

# The hooks that get all collected tests, one after the other or at once, or run around the collection.
_HOOKS = (
    "pytest_collection",
    "pytest_itemcollected",
    "pytest_collection_modifyitems",
    "pytest_collection_finish",
    "pytest_deselected",
    "pytest_report_collectionfinish",
)

# Packages whose implementations of these hooks have been read and treat tests one by one, unless one of the options
# below is given: pytest-benchmark 5 and hypothesis 6 add marks, anyio 4 replaces a test by its parametrized ones.
_KNOWN = frozenset({"_pytest", "xdist", "rustpar", "_hypothesis_pytestplugin", "pytest_benchmark", "anyio"})

# Options of pytest and rustpar that select, sort or repeat tests by looking at all of them, and their names there.
_OPTIONS = {
    "lf": "--lf",
    "failedfirst": "--ff",
    "newfirst": "--nf",
    "stepwise": "--stepwise",
    "stepwise_skip": "--stepwise-skip",
    "keepduplicates": "--keep-duplicates",
    "rustpar_forked": "--rustpar-forked",
    "forked": "--forked",
    "rustpar_load": "--rustpar-load",
    "rustpar_repeat": "--rustpar-repeat",
    "rustpar_resume": "--rustpar-resume",
    "rustpar_shard": "--rustpar-shard",
}
_SETTINGS = ("rustpar_order", "rustpar_thresholds", "rustpar_once", "rustpar_record_imports")
_PLUGINS = {"rustpar-changed": "--rustpar-changed", "rustpar-leaks": "--rustpar-leaks"}


def obstacle(config: pytest.Config) -> str | None:
    """Return why the files must be collected by one process, as far as it is known before; None if nothing is."""
    for name, option in _OPTIONS.items():
        # An empty text is a value, as that of --rustpar-resume.
        if config.getoption(name, None) not in (None, False):
            return f"{option} needs all tests"
    for name in _SETTINGS:
        if is_given(config, name):
            return f"{name} needs all tests"
    for plugin, option in _PLUGINS.items():
        if config.pluginmanager.has_plugin(plugin):
            return f"{option} needs all tests"
    if any("::" in argument for argument in config.args):
        return "the command line names tests in a file"
    return _obstacle_of_hooks(config)


def _obstacle_of_hooks(config: pytest.Config) -> str | None:
    for name in _HOOKS:
        hook: Any = getattr(config.hook, name)
        for implementation in hook.get_hookimpls():
            function = implementation.function
            module = getattr(function, "__module__", None) or ""
            if module.partition(".")[0] in _KNOWN:
                continue
            if name == "pytest_collection_modifyitems" and item_loops.treats_items_one_by_one(function):
                continue
            return f"{_place_of(config, function)} {name} may need all tests"
    return None


def _place_of(config: pytest.Config, function: Any) -> str:
    """Return the file and line of a function, relative to rootdir if it is in there."""
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    if code is None:
        return str(getattr(function, "__module__", "a plugin's"))
    return f"{_relative(config, code.co_filename)}:{code.co_firstlineno}"


def _relative(config: pytest.Config, file: str) -> Path:
    path = Path(file)
    return path.relative_to(config.rootpath) if path.is_relative_to(config.rootpath) else path


def obstacle_in_files(config: pytest.Config, nodes: Sequence[Any], files: Sequence[Any]) -> str | None:
    """Return why `nodes`, found in the directories, must be collected by one process; None if they are separable.

    Args:
        config: The session's configuration, with all conftests loaded.
        nodes: The files in the order of the collection, and tests that belong to no file.
        files: Those of them that are files.
    """
    if len(nodes) > len(files):
        return "there are tests that belong to no file"
    if len({file.path for file in files}) < 2:
        return "there is only one file"
    # Another one than before: conftests in directories have been loaded meanwhile.
    return _obstacle_of_hooks(config) or _reader(config) or _name_clash(config, {file.path for file in files})


def _reader(config: pytest.Config) -> str | None:
    plugins = (getattr(plugin, "__file__", None) for plugin in config.pluginmanager.get_plugins())
    found = session_items.find_reader(
        file for file in plugins if isinstance(file, str) and Path(file).name == "conftest.py"
    )
    return None if found is None else f"{_relative(config, found[0])}:{found[1]} session.items are all tests"


def _name_clash(config: pytest.Config, paths: Iterable[Path]) -> str | None:
    """Return that two files have the same module name, which is an error in one process; None if that is not so."""
    names: dict[str, Path] = {}
    for path in sorted(paths):
        name = module_name_of(config, path)
        if name is not None and names.setdefault(name, path) != path:
            return f"{names[name].name} and {path} have the same module name"
    return None
