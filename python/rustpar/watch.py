"""What the template must not have done, if its forks are to be workers.

An object that remembers the process it was made in (``filelock`` locks, for one) refuses to work in another. Under
pytest-xdist each worker makes its own while it collects; forked workers would all hold the template's. So the template
watches who asks for the process id while it configures and collects.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

# Packages that ask for the process id and keep nothing that would be wrong in a fork: pytest and its own machinery,
# coverage (file names, made when data is saved) and hypothesis (temporary names, used at once).
_HARMLESS = ("_pytest", "pytest_cov", "pluggy", "xdist", "execnet", "rustpar", "coverage", "hypothesis")


class ProcessIdWatch:
    """Notes the first call of ``os.getpid`` that comes from outside the standard library.

    Attributes:
        reason: Where it came from, in words; None as long as there was none.
    """

    def __init__(self) -> None:
        """Begin to watch."""
        self.reason: str | None = None
        self._getpid = os.getpid
        paths = sysconfig.get_paths()
        # Where the standard library really is: a virtual environment names a directory above its packages.
        self._library = (paths["stdlib"], "<frozen")
        self._packages = {paths["purelib"], paths["platlib"]}
        os.getpid = self._watched

    def stop(self) -> None:
        """Watch no longer."""
        if os.getpid == self._watched:
            os.getpid = self._getpid

    def _watched(self) -> int:
        frame = sys._getframe(1)
        if self.reason is None and not self._is_harmless(frame.f_code.co_filename):
            place = self._place(frame)
            if place is not None:
                self.reason = f"{place} keeps the process id"
        return self._getpid()

    def _is_harmless(self, file: str) -> bool:
        for packages in self._packages:
            if file.startswith(packages + os.sep):
                return Path(file).relative_to(packages).parts[0].removesuffix(".py") in _HARMLESS
        return file.startswith(self._library)

    def _place(self, frame: FrameType) -> str | None:
        """The nearest caller outside installed packages, or the caller itself; None while a package is imported.

        What a package keeps from its import it has in every program that imports it and then forks, so it copes.
        """
        caller: FrameType | None = frame
        while caller is not None:
            file = caller.f_code.co_filename
            if file.startswith(tuple(self._packages)):
                if caller.f_code.co_name == "<module>":
                    return None
            elif not file.startswith(self._library):
                return f"{os.path.relpath(file)}:{caller.f_lineno}"
            caller = caller.f_back
        return f"{frame.f_code.co_filename}:{frame.f_lineno}"
