"""Which line of a project's own code is behind something that was seen."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

# Packages that look at what differs between workers, and keep nothing of it that would be wrong in a fork: pytest and
# its own machinery, coverage (file names, made when data is saved) and hypothesis (temporary names, used at once).
# pytest-cov reads the worker's id for the data it sends back, pytest-benchmark to switch itself off.
_HARMLESS = (
    "_pytest",
    "pytest_cov",
    "pytest_benchmark",
    "pluggy",
    "xdist",
    "execnet",
    "rustpar",
    "coverage",
    "hypothesis",
)


# Where this package is: an editable install is not beside the others.
_THIS_PACKAGE = str(Path(__file__).parent.parent) + os.sep


class CodeOrigins:
    """Knows the directories of the standard library and of installed packages."""

    def __init__(self) -> None:
        """Look where they are."""
        paths = sysconfig.get_paths()
        # Where the standard library really is: a virtual environment names a directory above its packages.
        self._library = (paths["stdlib"], "<frozen")
        self._packages = tuple({paths["purelib"] + os.sep, paths["platlib"] + os.sep})
        self._own: dict[str, bool] = {}

    def is_own(self, frame: FrameType) -> bool:
        """Whether this is the project's own code: neither the standard library's nor an installed package's."""
        file = frame.f_code.co_filename
        known = self._own.get(file)
        if known is None:
            known = self._own[file] = self.is_own_file(file)
        return known

    def own_frames(self, frame: FrameType, *, through_imports: bool = False) -> Iterator[FrameType]:
        """The frames of the project's own code from `frame` on outwards, up to pytest, or the import of a package."""
        caller: FrameType | None = frame
        while caller is not None:
            if self.is_own(caller):
                yield caller
            elif not self.is_library(caller):
                is_import = caller.f_code.co_name == "<module>" and not through_imports
                if is_import or self.is_harmless(caller.f_code.co_filename):
                    return
            caller = caller.f_back

    def is_own_file(self, file: str) -> bool:
        """The same for a file."""
        return not file.startswith((*self._packages, *self._library, _THIS_PACKAGE))

    def is_library(self, frame: FrameType) -> bool:
        """Whether this is code of the standard library."""
        file = frame.f_code.co_filename
        return file.startswith(self._library) and not file.startswith(self._packages)

    def of(self, frame: FrameType, *, importing_counts: bool = False) -> str | None:
        """The nearest caller in the project's own code, or the caller itself, as ``file:line``.

        None where the caller is known to keep nothing, and while a package is imported, unless that counts, too: what a
        package keeps from its import it has in every program that imports it and then forks, so it copes.
        """
        if self.is_harmless(frame.f_code.co_filename):
            return None
        caller: FrameType | None = frame
        while caller is not None:
            file = caller.f_code.co_filename
            if self.is_harmless(file):
                # pytest itself: what lies behind it called pytest, not this.
                break
            if file.startswith(self._packages):
                if caller.f_code.co_name == "<module>" and not importing_counts:
                    return None
            elif not self.is_library(caller):
                return f"{os.path.relpath(file)}:{caller.f_lineno}"
            caller = caller.f_back
        return f"{frame.f_code.co_filename}:{frame.f_lineno}"

    def behind_import(self, frame: FrameType) -> str | None:
        """The nearest line of the project's own code behind a frame, be it in the import of a package."""
        for caller in self.own_frames(frame, through_imports=True):
            return f"{os.path.relpath(caller.f_code.co_filename)}:{caller.f_lineno}"
        return None

    def last_imported(self) -> str | None:
        """The file of the project's own module of which the import has begun last."""
        for module in reversed(list(sys.modules.values())):
            file = getattr(module, "__file__", None)
            if isinstance(file, str) and self.is_own_file(file):
                return os.path.relpath(file)
        return None

    def outside_library(self, frame: FrameType) -> FrameType | None:
        """The first caller outside the standard library."""
        caller: FrameType | None = frame
        while caller is not None and self.is_library(caller):
            caller = caller.f_back
        return caller

    def behind_library(self, frame: FrameType, *, importing_counts: bool = False) -> str | None:
        """What :meth:`of` says for the first caller outside the standard library."""
        caller = self.outside_library(frame)
        return None if caller is None else self.of(caller, importing_counts=importing_counts)

    def is_harmless(self, file: str) -> bool:
        """Whether a file belongs to a package that keeps nothing which would be wrong in a fork."""
        if file.startswith(_THIS_PACKAGE):
            return True
        for packages in self._packages:
            if file.startswith(packages):
                return Path(file).relative_to(packages).parts[0].removesuffix(".py") in _HARMLESS
        return False
