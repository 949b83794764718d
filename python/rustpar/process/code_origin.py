"""Finding the line of the project's own code that causes an event."""

from __future__ import annotations

import os
import site
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

# Packages that read what differs between workers, but store nothing that would be wrong in a fork: pytest and its own
# machinery, coverage (file names, created when data is saved) and hypothesis (temporary names, used at once).
# pytest-cov reads the worker's id for the data it sends back, pytest-benchmark to disable itself.
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


# The location of this package, because an editable install is not in site-packages.
_THIS_PACKAGE = str(Path(__file__).parent.parent) + os.sep


class CodeOrigins:
    """Classifies code: standard library, installed packages, or the project's own."""

    def __init__(self) -> None:
        """Determine the directories."""
        # The real location of the standard library; a virtual environment's path is a parent of its packages. Asking
        # sysconfig for it would read the interpreter's build configuration, which takes 3 ms.
        self._library = (str(Path(os.__file__).parent), "<frozen")
        packages = site.getsitepackages()
        if site.ENABLE_USER_SITE:
            packages.append(site.getusersitepackages())
        self._packages = tuple(path + os.sep for path in packages)
        self._own: dict[str, bool] = {}

    def is_own(self, frame: FrameType) -> bool:
        """Whether a frame runs the project's own code: neither the standard library's nor an installed package's."""
        file = frame.f_code.co_filename
        known = self._own.get(file)
        if known is None:
            known = self._own[file] = self.is_own_file(file)
        return known

    def own_frames(self, frame: FrameType, *, through_imports: bool = False) -> Iterator[FrameType]:
        """Yield the project's own frames from `frame` outwards, up to pytest or the import of a package."""
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
        """Whether a file is the project's own code."""
        return not file.startswith((*self._packages, *self._library, _THIS_PACKAGE))

    def put_back(self, replaced: list[tuple[object, object]]) -> None:
        """Put back functions that the project's modules have imported by name, given with what has replaced them."""
        originals = {id(replacement): original for original, replacement in replaced}
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if isinstance(file, str) and self.is_own_file(file):
                for name, value in list(vars(module).items()):
                    if id(value) in originals:
                        setattr(module, name, originals[id(value)])

    def is_library(self, frame: FrameType) -> bool:
        """Whether a frame runs code of the standard library."""
        file = frame.f_code.co_filename
        return file.startswith(self._library) and not file.startswith(self._packages)

    def line_of(self, frame: FrameType, *, importing_counts: bool = False) -> str | None:
        """Return the nearest caller in the project's own code, or else `frame` itself, as ``file:line``.

        Returns None for packages that are known to be harmless, and for code executed by a package's import, unless
        `importing_counts`: packages keep such values in every program that imports them and then forks, so they handle
        that.
        """
        if self.is_harmless(frame.f_code.co_filename):
            return None
        caller: FrameType | None = frame
        while caller is not None:
            file = caller.f_code.co_filename
            if self.is_harmless(file):
                # The code beyond pytest's frames has called pytest, not this code.
                break
            if file.startswith(self._packages):
                if caller.f_code.co_name == "<module>" and not importing_counts:
                    return None
            elif not self.is_library(caller):
                return f"{os.path.relpath(file)}:{caller.f_lineno}"
            caller = caller.f_back
        return f"{frame.f_code.co_filename}:{frame.f_lineno}"

    def own_line(self, frame: FrameType) -> str | None:
        """Return the nearest calling line in the project's own code, even if the call is in a package's import."""
        for caller in self.own_frames(frame, through_imports=True):
            return f"{os.path.relpath(caller.f_code.co_filename)}:{caller.f_lineno}"
        return None

    def last_own_import(self) -> str | None:
        """Return the file of the project's module whose import was started last."""
        for module in reversed(list(sys.modules.values())):
            file = getattr(module, "__file__", None)
            if isinstance(file, str) and self.is_own_file(file):
                return os.path.relpath(file)
        return None

    def outside_library(self, frame: FrameType) -> FrameType | None:
        """Return the first caller outside the standard library."""
        caller: FrameType | None = frame
        while caller is not None and self.is_library(caller):
            caller = caller.f_back
        return caller

    def line_outside_library(self, frame: FrameType, *, importing_counts: bool = False) -> str | None:
        """Apply :meth:`line_of` to the first caller outside the standard library."""
        caller = self.outside_library(frame)
        return None if caller is None else self.line_of(caller, importing_counts=importing_counts)

    def is_harmless(self, file: str) -> bool:
        """Whether a file belongs to a package that stores nothing that would be wrong in a fork."""
        if file.startswith(_THIS_PACKAGE):
            return True
        for packages in self._packages:
            if file.startswith(packages):
                return Path(file).relative_to(packages).parts[0].removesuffix(".py") in _HARMLESS
        return False
