"""Non-public parts of pytest's configuration, sessions and items."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.faulthandler import fault_handler_stderr_fd_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


__all__ = ["fault_handler_stderr_fd_key"]


def basetemp_of(config: pytest.Config) -> Path | None:
    """Return the base directory of ``tmp_path``, created if needed; None without the tmpdir plugin."""
    factory: Any = getattr(config, "_tmp_path_factory", None)
    if factory is None:
        return None
    path: Path = factory.getbasetemp()
    return path


def move_basetemp(config: pytest.Config, basetemp: Path) -> None:
    """Change the base directory of ``tmp_path`` and the like."""
    config.option.basetemp = str(basetemp)
    factory: Any = getattr(config, "_tmp_path_factory", None)
    if factory is not None:
        factory._given_basetemp = basetemp
        factory._basetemp = None


def cache_directory(cache: pytest.Cache) -> Path:
    """Return the directory of pytest's cache."""
    return cache._cachedir


def stash_values(config: pytest.Config) -> list[object]:
    """Return all values in the configuration's stash."""
    return list(getattr(config.stash, "_storage", {}).values())


def set_program_name(config: pytest.Config, name: str) -> None:
    """Set the program name with which usage errors start."""
    config._parser.prog = name


def is_conftest_error(error: BaseException) -> bool:
    """Whether the error is the failed import of a conftest."""
    from _pytest.config import ConftestImportFailure

    return isinstance(error, ConftestImportFailure)


def setup_state_of(session: pytest.Session) -> Any:
    """Return the object that tracks set-up nodes: ``stack``, a mapping with nodes as keys, and ``teardown_exact``."""
    return session._setupstate


def running_item(session: pytest.Session) -> pytest.Item | None:
    """Return the test whose fixtures are set up; None if there is none."""
    last: Any = next(reversed(session._setupstate.stack), None)
    return last if isinstance(last, pytest.Item) else None


def needed_after_teardown(state: Any, nextitem: Any) -> Any:
    """Return the node up to which nodes stay set up when `nextitem` follows; None if there is no next test.

    That is the test itself, unless it has just run and runs again: pytest would not tear it down at all. A collector
    whose set-up has failed is set up anew as well.
    """
    stack = list(state.stack.items())
    if not stack or nextitem is not stack[-1][0]:
        return nextitem
    kept = stack[0][0]
    for node, (_finalizers, error) in stack[:-1]:
        if error is not None:
            break
        kept = node
    return kept


def forget_failures(item: pytest.Item) -> None:
    """Have fixtures set up anew that have failed for this test, and forget its failed subtests."""
    info = fixtures_of(item)
    used = () if info is None else tuple(info.name2fixturedefs.values())
    failed_fixtures = [
        definition
        for definitions in used
        for definition in definitions
        if definition.cached_result is not None and definition.cached_result[2] is not None
    ]
    if failed_fixtures:
        # pytest does this when it runs the test, unless there is a request already.
        item._initrequest()  # type: ignore[attr-defined]
    for definition in failed_fixtures:
        # What it had set up when it failed; an error in that changes nothing for the test, which has failed.
        with contextlib.suppress(Exception):
            definition.finish(item._request)  # type: ignore[attr-defined]
    failed: Any = {} if _FAILED_SUBTESTS is None else item.config.stash.get(_FAILED_SUBTESTS, {})
    for key in (getattr(item, "id", None), item.nodeid):
        failed.pop(key, None)


def renew_instance(item: pytest.Item) -> None:
    """Have a test method that has run before get a new instance of its class, as each test has one of its own."""
    method: Any = getattr(item, "_obj", None)
    owner: Any = getattr(item.parent, "obj", None)
    name = getattr(item, "originalname", None)
    if not isinstance(owner, type) or not isinstance(name, str):
        return
    # unittest's have a new one anyway, and a plugin may have made a test of another function.
    if getattr(method, "__func__", None) is getattr(owner, name, None):
        # Before pytest 8.2 only the method refers to it.
        vars(item).pop("_instance", None)
        item._obj = None  # type: ignore[attr-defined]


def fixtures_of(item: pytest.Item) -> Any:
    """Return pytest's fixture information of a test; None for items without any.

    ``name2fixturedefs`` maps each name to its definitions, the effective one last. The tests of a function share it.
    """
    return getattr(item, "_fixtureinfo", None)


def item_of(request: Any) -> pytest.Item:
    """Return the test that a fixture is set up for."""
    item: pytest.Item = request._pyfuncitem
    return item


def serialized(report: pytest.TestReport) -> dict[str, Any]:
    """Return a report as plain values, as pytest's own hook does."""
    return report._to_json()


def has_paths(config: pytest.Config) -> bool:
    """Whether the command line names files, directories or tests."""
    return config.args_source == config.ArgsSource.ARGS


def junit_file(config: pytest.Config) -> Any:
    """Return the plugin that writes the ``--junitxml`` file; None without that option."""
    from _pytest.junitxml import xml_key

    return config.stash.get(xml_key, None)


def is_skipped(item: pytest.Item) -> bool:
    """Whether a mark prevents that a test is set up."""
    from _pytest.skipping import evaluate_skip_marks, evaluate_xfail_marks

    if not any(mark.name in ("skip", "skipif", "xfail") for mark in item.iter_markers()):
        return False
    if evaluate_skip_marks(item) is not None:
        return True
    expected = evaluate_xfail_marks(item)
    return expected is not None and not expected.run and not item.config.option.runxfail


def keywords_of(node: Any) -> Any:
    """Return an empty mapping of keywords for a node."""
    from _pytest.mark.structures import NodeKeywords

    return NodeKeywords(node)


def has_failed_subtests(config: pytest.Config) -> bool:
    """Whether a subtest of the running test has failed; always False before pytest 9.0, which has no subtests."""
    return _FAILED_SUBTESTS is not None and bool(config.stash.get(_FAILED_SUBTESTS, None))


_FAILED_SUBTESTS: Any
try:
    from _pytest.subtests import failed_subtests_key

    _FAILED_SUBTESTS = failed_subtests_key
except ImportError:
    _FAILED_SUBTESTS = None


def all_fixtures_of(session: pytest.Session) -> Iterator[Any]:
    """Yield the definitions of all fixtures that tests of a session may request."""
    manager: Any = getattr(session, "_fixturemanager", None)
    # Lists of definitions by name; since pytest 9.2, by name and node or node id.
    for name in ("_arg2fixturedefs", "_arg2node2fixturedefs", "_arg2nodeid2fixturedefs"):
        for found in getattr(manager, name, {}).values():
            for definitions in found.values() if hasattr(found, "values") else (found,):
                yield from definitions


def is_set_up(definition: Any) -> bool:
    """Whether a fixture is set up, and not torn down yet."""
    return definition.cached_result is not None


def roots_of(definition: Any) -> list[object]:
    """Return what a fixture holds while it is set up: its value, and the functions that tear it down."""
    value = definition.cached_result[0] if definition.cached_result is not None else None
    return [value, *getattr(definition, "_finalizers", ())]


def release_values(item: pytest.Item) -> None:
    """Drop the values of a test's fixtures after its teardown, as pytest does right after the teardown's report."""
    values: Any = getattr(item, "funcargs", None)
    if isinstance(values, dict):
        values.clear()
