"""The file of ``--rustpar-quarantine`` or ``rustpar_quarantine``, parsed natively (``src/analysis/quarantine.rs``)."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from rustpar import _core
from rustpar.config.values import ini_path


class File(NamedTuple):
    """A quarantine file.

    Attributes:
        name: Its path, relative to rootdir.
        entries: Its entries.
    """

    name: str
    entries: _core.Quarantine


_KEY: pytest.StashKey[File | None] = pytest.StashKey()


def file_of(config: pytest.Config) -> File | None:
    """Return the file that was given; None if there is none, or if the option is empty.

    Raises:
        pytest.UsageError: It cannot be read, or a line is invalid; the message names the line.
    """
    if _KEY not in config.stash:
        config.stash[_KEY] = _read(config)
    return config.stash[_KEY]


def _read(config: pytest.Config) -> File | None:
    given: str | None = config.getoption("rustpar_quarantine", None)
    path = ini_path(config, "rustpar_quarantine") if given is None else Path(given) if given else None
    if path is None:
        return None
    name = os.path.relpath(path, config.rootpath)
    try:
        return File(name, _core.Quarantine(path.read_text(encoding="utf-8"), time.strftime("%Y-%m-%d")))
    except OSError as error:
        problem = error.strerror or str(error)
        raise pytest.UsageError(f"could not read the quarantine file {name}: {problem}") from None
    except ValueError as error:
        raise pytest.UsageError(f"quarantine file {name}: {error}") from None
