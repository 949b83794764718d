"""Parts of pytest's configuration, session and items that have no public interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from _pytest.faulthandler import fault_handler_stderr_fd_key

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

__all__ = ["fault_handler_stderr_fd_key"]


def basetemp_of(config: pytest.Config) -> Path | None:
    """The directory that holds what ``tmp_path`` and the like make, made if need be; None without that plugin."""
    factory: Any = getattr(config, "_tmp_path_factory", None)
    if factory is None:
        return None
    path: Path = factory.getbasetemp()
    return path


def move_basetemp(config: pytest.Config, basetemp: Path) -> None:
    """Have ``tmp_path`` and the like make their directories there from now on."""
    config.option.basetemp = str(basetemp)
    factory: Any = getattr(config, "_tmp_path_factory", None)
    if factory is not None:
        factory._given_basetemp = basetemp
        factory._basetemp = None


def cache_directory(cache: pytest.Cache) -> Path:
    """Where pytest's cache is."""
    return cache._cachedir


def stash_values(config: pytest.Config) -> list[object]:
    """What plugins have put into the configuration's stash."""
    return list(getattr(config.stash, "_storage", {}).values())


def set_program_name(config: pytest.Config, name: str) -> None:
    """Have usage errors begin with this name."""
    config._parser.prog = name


def is_conftest_error(error: BaseException) -> bool:
    """Whether a conftest could not be imported."""
    from _pytest.config import ConftestImportFailure

    return isinstance(error, ConftestImportFailure)


def setup_state_of(session: pytest.Session) -> Any:
    """What knows which nodes are set up: ``stack``, a mapping with nodes as keys, and ``teardown_exact``."""
    return session._setupstate


def fixtures_of(item: pytest.Item) -> Any:
    """What pytest knows of the fixtures that a test asks for by name; None for items that have none.

    Its ``name2fixturedefs`` has for each name the definitions, the one that counts last. Tests of a function share it.
    """
    return getattr(item, "_fixtureinfo", None)


def item_of(request: Any) -> pytest.Item:
    """The test that a fixture is set up for."""
    item: pytest.Item = request._pyfuncitem
    return item


def serialized(report: pytest.TestReport) -> dict[str, Any]:
    """A report as plain values, as pytest's own hook makes them."""
    return report._to_json()


def junit_file(config: pytest.Config) -> Any:
    """What writes the file of ``--junitxml``; None without it."""
    from _pytest.junitxml import xml_key

    return config.stash.get(xml_key, None)


def keywords_of(node: Any) -> Any:
    """An empty mapping of keywords for a node."""
    from _pytest.mark.structures import NodeKeywords

    return NodeKeywords(node)


def has_failed_subtests(config: pytest.Config) -> bool:
    """Whether a subtest of the running test has failed; pytest has subtests since 9.0."""
    return _FAILED_SUBTESTS is not None and bool(config.stash.get(_FAILED_SUBTESTS, None))


_FAILED_SUBTESTS: Any
try:
    from _pytest.subtests import failed_subtests_key

    _FAILED_SUBTESTS = failed_subtests_key
except ImportError:
    _FAILED_SUBTESTS = None
