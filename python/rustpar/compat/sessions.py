"""Non-public parts of pytest's configuration, sessions and items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from _pytest.faulthandler import fault_handler_stderr_fd_key

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

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


def junit_file(config: pytest.Config) -> Any:
    """Return the plugin that writes the ``--junitxml`` file; None without that option."""
    from _pytest.junitxml import xml_key

    return config.stash.get(xml_key, None)


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
