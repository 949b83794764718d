"""Coverage data that the workers of a killed run have left behind, for the run that resumes it.

Their files are combined with those of the resumed run, as if its own workers had written them.

The hazard it handles: a process can be killed while it writes. coverage.py writes without a journal, so such a file can
be damaged; then it is deleted, and the tests of that worker are run again. And pytest-cov deletes existing data when it
starts, before it is known what can be resumed. So it is prevented from that, and deletion is up to this module.
"""

from __future__ import annotations

import contextlib
import glob
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from rustpar.coverage import measuring

if TYPE_CHECKING:
    from collections.abc import Iterable

_IS_APPENDED: pytest.StashKey[bool] = pytest.StashKey()


def keep_until_known(config: pytest.Config) -> None:
    """Prevent pytest-cov from deleting data files at its start; `prepare` deletes those that are not needed."""
    config.stash[_IS_APPENDED] = bool(getattr(config.known_args_namespace, "cov_append", False))
    measuring.keep_data_files(config)


def prepare(config: pytest.Config, workers: Iterable[int] | None) -> list[int] | None:
    """Delete data that does not belong to this run, and return the processes of whose tests there is data.

    Args:
        config: The session's configuration.
        workers: The processes of the workers of a run that is resumed; None if there is no such run.

    Returns:
        Those of the processes that have left an undamaged data file; None if this run measures no coverage.
    """
    settings = measuring.settings_of(config)
    if settings is None:
        return None
    from coverage import CoverageData

    data_file = Path(settings.data_file).absolute()
    if measuring.is_by_plugin(config) and not config.stash.get(_IS_APPENDED, True):
        # With [run] parallel, pytest-cov deletes the files of all processes.
        CoverageData(basename=str(data_file)).erase(parallel=settings.parallel and workers is None)
    if workers is None:
        return []
    files = files_of(data_file, workers)
    for damaged in [pid for pid, paths in files.items() if not all([_is_whole(path) for path in paths])]:
        for path in files.pop(damaged):
            path.unlink(missing_ok=True)
    return list(files)


def files_of(data_file: Path, processes: Iterable[int]) -> dict[int, list[Path]]:
    """Return the data files of processes: those beside `data_file` whose names contain the process id."""
    wanted, found = set(processes), dict[int, list[Path]]()
    for path in data_file.parent.glob(f"{glob.escape(data_file.name)}.*"):
        named = re.search(r"\.pid(\d+)(\.|$)", path.name.removeprefix(data_file.name))
        if named is not None and int(named[1]) in wanted and not path.name.endswith("-journal"):
            found.setdefault(int(named[1]), []).append(path)
    return found


def files_of_runs(config: pytest.Config, processes: Iterable[int]) -> list[Path]:
    """Return the undamaged data files of all processes of the runs to which `processes` belong.

    A process that was not a worker, or has completed no test, has left one as well.
    """
    settings = measuring.settings_of(config)
    if settings is None or measuring.is_by_plugin(config):
        return []
    data_file = Path(settings.data_file).absolute()
    found: set[Path] = set()
    for path in [path for paths in files_of(data_file, processes).values() for path in paths]:
        run = path.name.rpartition(".pid")[0]
        if run.startswith(f"{data_file.name}.{measuring.FORK_PREFIX}"):
            found.update(path.parent.glob(f"{glob.escape(run)}.pid*"))
    return [path for path in sorted(found) if _is_whole(path)]


def _is_whole(path: Path) -> bool:
    """Whether a file is an undamaged database with data of coverage.py."""
    import sqlite3

    with contextlib.suppress(sqlite3.Error):
        # Opened for writing, so that SQLite rolls back what was not completed.
        uri = f"file:{quote(str(path))}?mode=rw"
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
            (result,) = connection.execute("pragma integrity_check").fetchone()
            return result == "ok" and bool(connection.execute("select version from coverage_schema").fetchall())
    return False
