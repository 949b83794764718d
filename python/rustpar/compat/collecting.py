"""Collection of a session's files at another time than pytest's: private parts of the session and of modules."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _pytest.pathlib import resolve_package_path
from _pytest.warnings import catch_warnings_for_item

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import pytest


def replace_genitems(
    session: pytest.Session, generate: Callable[[Any], Iterable[pytest.Item]]
) -> Callable[[Any], Iterator[pytest.Item]]:
    """Have `generate` make the tests of each collector of a session; return pytest's own method."""
    original: Callable[[Any], Iterator[pytest.Item]] = session.genitems
    session.genitems = generate  # type: ignore[assignment, method-assign]
    return original


def restore_genitems(session: pytest.Session) -> None:
    """Have pytest's own method make tests again."""
    vars(session).pop("genitems", None)


@contextlib.contextmanager
def recorded_warnings(config: pytest.Config) -> Iterator[None]:
    """Record warnings as pytest does while it collects, with the configured filters."""
    with catch_warnings_for_item(config=config, ihook=config.hook, when="collect", item=None):
        yield


def module_name_of(config: pytest.Config, path: Path) -> str | None:
    """Return the name with which a file is imported; None if it can have no other's."""
    if path.suffix != ".py" or config.getoption("importmode") == "importlib":
        return None
    package = resolve_package_path(path)
    if package is None:
        return path.stem
    # As `import_path` of pytest.
    names = path.with_suffix("").relative_to(package.parent).parts
    return ".".join(names[:-1] if names[-1] == "__init__" else names)


def wide_parameters(item: pytest.Item) -> Iterator[str]:
    """Yield the names of a test's parameters that pytest sorts tests of several files by."""
    callspec: Any = getattr(item, "callspec", None)
    if callspec is not None:
        for name, scope in callspec._arg2scope.items():
            if scope.value in ("session", "package"):
                yield name
