"""Extract file, line and message of a failure or skip from a report.

The hazard it handles: an error is raised where it is noticed, often in the standard library or in a package: in
`assertEqual`, a mock, a parser. Readers of a report want the project's line that led there. And failures have many
forms, some of them without a location.
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from rustpar.process.code_origin import CodeOrigins

# Directories of installed packages, in any environment.
_PACKAGES = {"site-packages", "dist-packages"}


class FailureLocation(NamedTuple):
    """The location and message of a failure or skip.

    Attributes:
        path: The file, relative to rootdir if it is below it.
        line: The line number, counted from 1.
        message: The error, which may have several lines, or the reason of a skip or xfail.
    """

    path: str | None
    line: int | None
    message: str


class Finder:
    """Finds the failure location in reports."""

    def __init__(self, config: pytest.Config) -> None:
        """Find locations below the rootdir of `config`."""
        self._root = config.rootpath
        # The directory that paths in tracebacks are relative to.
        self._base = config.invocation_params.dir

    @cached_property
    def _places(self) -> CodeOrigins:
        # Created at the first failure: determining the directories of packages takes more than a millisecond.
        from rustpar.process.code_origin import CodeOrigins

        return CodeOrigins()

    def find(self, report: Any) -> FailureLocation:
        """Return the location and message of a report that has not passed."""
        longrepr = report.longrepr
        if isinstance(longrepr, tuple) and len(longrepr) == 3:
            path, line, reason = longrepr
            reason = str(getattr(report, "wasxfail", "") or reason).removeprefix("Skipped: ")
            # Plugins may omit the line.
            return FailureLocation(
                self._below_root(str(path)) or str(path), None if line is None else int(line), reason
            )
        # A failure in the quarantine is passed on as an expected one.
        if hasattr(report, "wasxfail") and not hasattr(report, "rustpar_quarantine"):
            return FailureLocation(None, None, str(report.wasxfail).removeprefix("reason: "))
        path, line = next(self._own_places(longrepr), _location(report))
        return FailureLocation(path, line, _error(longrepr))

    def _own_places(self, longrepr: Any) -> Iterator[tuple[str, int]]:
        """Yield the locations in a traceback that are in the project's own code, innermost first."""
        entries = getattr(getattr(longrepr, "reprtraceback", None), "reprentries", ())
        places = [getattr(entry, "reprfileloc", None) for entry in entries]
        for place in (getattr(longrepr, "reprcrash", None), *reversed(places)):
            path = None if place is None else self._below_root(str(place.path))
            if path is not None and not _PACKAGES.intersection(Path(path).parts):
                yield path, int(place.lineno)

    def _below_root(self, path: str) -> str | None:
        """Return a path relative to rootdir; None if it is not below it, or not the project's own."""
        whole = os.path.normpath(Path(self._base, path))
        if path.startswith("<") or not Path(whole).is_relative_to(self._root) or not self._places.is_own_file(whole):
            return None
        return str(Path(whole).relative_to(self._root))


def _location(report: Any) -> tuple[str | None, int | None]:
    """Return the location of the test or collector itself."""
    path, line, _ = getattr(report, "location", None) or (None, None, "")
    return str(path) if path else None, None if line is None else int(line) + 1


def _error(longrepr: Any) -> str:
    crash = getattr(longrepr, "reprcrash", None)
    if crash is not None:
        return str(crash.message)
    text = str(longrepr or "").strip()
    if isinstance(longrepr, str) or not text:
        return text
    # A failed import or a missing fixture marks its error lines with "E", a failed doctest ends with the error.
    lines = text.splitlines()
    errors = [line for line in lines if line.startswith("E ")]
    return (errors[0][1:] if errors else lines[-1]).strip()
