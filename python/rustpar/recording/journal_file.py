"""Where journals are: the file that a run writes, and which others make room for it.

The hazard it handles: what somebody else has made must not be lost, nor the journal of a run that still writes it. Only
in the directory that is chosen here do journals make room for others; at a path that was given, only a journal is
replaced.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from pathlib import Path

# By name: a conftest can have put another clock in their place.
from time import localtime, strftime

import pytest

from rustpar import _core
from rustpar.compat.sessions import cache_directory
from rustpar.config.options import JOURNALS_KEPT
from rustpar.config.values import ini_text


def choose(config: pytest.Config, *, is_needed: bool) -> Path | None:
    """The file to write to; None when no journal is kept, unless one `is_needed` for this run alone."""
    given = _given(config)
    if given is not None:
        return given
    directory = _directory(config)
    if directory is None or _number_kept(config) == 0 or config.getoption("rustpar_journal", None):
        return _temporary(config) if is_needed else None
    name = f"{strftime('%Y%m%dT%H%M%S', localtime(_core.since_epoch()))}-{os.getpid()}"
    # A process can have several runs in a second.
    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    return next(path for path in (directory / f"{name}.jsonl" for name in names) if not path.exists())


def make_room(path: Path, config: pytest.Config) -> None:
    """Make sure that the file that was chosen can be made: remove what it takes the place of, and nothing else.

    Raises:
        pytest.UsageError: Something else is in the way.
        OSError: The directory cannot be used.
    """
    if path == _given(config):
        _clear(path)
    elif path.parent == _directory(config):
        config.cache.mkdir("rustpar").joinpath("runs").mkdir(exist_ok=True)
        for old in _surplus(_core.Journal.in_directory(path.parent), config):
            if not _core.Journal.is_written(old):
                old.unlink(missing_ok=True)


def _surplus(journals: list[Path], config: pytest.Config) -> list[Path]:
    """Those that go, to make room for one more: the oldest, where there are too many, or they take too much room."""
    from rustpar.recording.retention import limits_of

    number = max(0, len(journals) - _number_kept(config) + 1)
    _, limit = limits_of(config)
    if limit is not None:
        sizes = [_size(path) for path in journals]
        # The last run's stays: it is what people ask about.
        while number < len(journals) - 1 and sum(sizes[number:]) > limit:
            number += 1
    return journals[:number]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _given(config: pytest.Config) -> Path | None:
    """The path that was given, without links; None also for the null device, which is the word for no journal."""
    given = config.getoption("rustpar_journal", None)
    if not given:
        return None
    path = Path(config.invocation_params.dir, given)
    # What leads to a pipe has no other name.
    path = path if path.is_fifo() else Path(os.path.realpath(path))
    return None if path == Path(os.devnull) else path


def _directory(config: pytest.Config) -> Path | None:
    """Where journals are kept; None without pytest's cache."""
    cache: pytest.Cache | None = getattr(config, "cache", None)
    return None if cache is None else cache_directory(cache) / "d" / "rustpar" / "runs"


def _temporary(config: pytest.Config) -> Path:
    """A file for this run alone."""
    directory = tempfile.mkdtemp(prefix="rustpar-")
    config.add_cleanup(lambda: shutil.rmtree(directory, ignore_errors=True))
    return Path(directory, "journal.jsonl")


def _number_kept(config: pytest.Config) -> int:
    given = ini_text(config, "rustpar_journals").lower()
    given = {"true": JOURNALS_KEPT, "false": "0"}.get(given, given)
    if not given.isdecimal():
        raise pytest.UsageError(f"rustpar_journals: invalid number {given!r}: expected for example 10, or 0 for none")
    return int(given)


def _clear(path: Path) -> None:
    if not path.exists():
        return
    kind = "regular file" if not path.is_file() else "journal" if not _core.Journal.may_replace(path) else None
    if kind is not None:
        raise pytest.UsageError(f"--rustpar-journal: {path} is not a {kind} and is left alone; name another file")
    path.unlink()
