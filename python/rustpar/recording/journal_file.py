"""The path of a run's journal, and the deletion of older ones.

The hazard it handles: no file of the user must be lost, nor a journal that another run still writes. Journals are only
deleted in the directory chosen here; at a path that was given, only a journal is replaced.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from pathlib import Path

# Imported by name, because a conftest may replace them.
from time import localtime, strftime

import pytest

from rustpar import _core
from rustpar.compat.sessions import cache_directory
from rustpar.config.values import ini_text


def retention_of(config: pytest.Config) -> _core.Retention:
    """How many journals are kept, and how large they may be.

    Raises:
        pytest.UsageError: A value in the configuration file is invalid.
    """
    try:
        return _core.Retention(ini_text(config, "rustpar_journals"), ini_text(config, "rustpar_journal_size"))
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None


def choose(config: pytest.Config, *, is_needed: bool) -> Path | None:
    """Return the file to write; None if no journal is kept. A temporary one if it `is_needed` for this run."""
    number = retention_of(config).number
    given = _given(config)
    if given is not None:
        return given
    directory = directory_of(config)
    if directory is None or number == 0 or config.getoption("rustpar_journal", None):
        return _temporary(config) if is_needed else None
    name = f"{strftime('%Y%m%dT%H%M%S', localtime(_core.since_epoch()))}-{os.getpid()}"
    # A process can start several runs in one second.
    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    return next(path for path in (directory / f"{name}.jsonl" for name in names) if not path.exists())


def make_room(path: Path, config: pytest.Config, resumed: Path | None = None) -> Path:
    """Make sure that the file can be created: delete the journal that it replaces, or surplus ones.

    Args:
        path: The run's journal.
        config: The session's configuration.
        resumed: The journal of the run that this one resumes: it is kept.

    Returns:
        The file to create: another one in the same directory if the journal at `path` is needed until `publish`.

    Raises:
        pytest.UsageError: The path exists and is not a journal.
        OSError: The directory cannot be used.
    """
    if _is_same(path, resumed):
        path = _unpublished(path)
        _clear(path)
    elif path == _given(config):
        _clear(path)
    elif path.parent == directory_of(config):
        config.cache.mkdir("rustpar").joinpath("runs").mkdir(exist_ok=True)
        retention_of(config).make_room(path.parent, resumed)
    return path


def publish(path: Path, resumed: Path) -> None:
    """Replace the journal of the resumed run by that of this run, if they have the same path.

    Raises:
        OSError: That is not possible.
    """
    if _is_same(path, resumed) and _unpublished(path).exists():
        _unpublished(path).replace(path)


def _is_same(path: Path, resumed: Path | None) -> bool:
    return resumed is not None and os.path.realpath(path) == os.path.realpath(resumed)


def _unpublished(path: Path) -> Path:
    return path.with_name(f"{path.name}.new")


def _given(config: pytest.Config) -> Path | None:
    """Return the given path, with symbolic links resolved; None also for the null device, which means no journal."""
    given = config.getoption("rustpar_journal", None)
    if not given:
        return None
    path = Path(config.invocation_params.dir, given)
    # A named pipe keeps its name.
    path = path if path.is_fifo() else Path(os.path.realpath(path))
    return None if path == Path(os.devnull) else path


def directory_of(config: pytest.Config) -> Path | None:
    """Return the directory in which journals are kept; None without pytest's cache."""
    cache: pytest.Cache | None = getattr(config, "cache", None)
    return None if cache is None else cache_directory(cache) / "d" / "rustpar" / "runs"


def _temporary(config: pytest.Config) -> Path:
    """Return a temporary file, which is deleted at the end of the run."""
    directory = tempfile.mkdtemp(prefix="rustpar-")
    config.add_cleanup(lambda: shutil.rmtree(directory, ignore_errors=True))
    return Path(directory, "journal.jsonl")


def _clear(path: Path) -> None:
    if not path.exists():
        return
    kind = "regular file" if not path.is_file() else "journal" if not _core.Journal.may_replace(path) else None
    if kind is not None:
        raise pytest.UsageError(
            f"--rustpar-journal: {path} is not a {kind}, and is not overwritten; choose another path"
        )
    path.unlink()
