"""Where warm servers listen: one for each project, interpreter and environment, in a directory of their user.

This module is imported by the thin client, so it imports little.

The hazard it handles: another user could create the directory first, and would then be sent a command line and an
environment, and could have code run. A directory that is not the user's own, or that others can access, is not used.
"""

from __future__ import annotations

import os
import stat
import sys
import zlib
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

# A socket's path has at most 107 bytes.
_LONGEST_DIRECTORY = 70

# The files that tell where a project begins; those of pytest first.
_PROJECT_FILES = (
    "pytest.toml",
    ".pytest.toml",
    "pytest.ini",
    ".pytest.ini",
    "pyproject.toml",
    "tox.ini",
    "setup.cfg",
    "setup.py",
    ".git",
    ".hg",
)

# Variables that the interpreter, the C library and native libraries read by themselves. A server has to have the same.
_NATIVE_PREFIXES = (
    "PYTHON",
    "LC_",
    "LD_",
    "GLIBC_",
    "MALLOC_",
    "OMP_",
    "GOMP_",
    "KMP_",
    "MKL_",
    "OPENBLAS_",
    "GOTO_",
    "BLIS_",
    "NUMEXPR_",
    "NPY_",
    "CUDA_",
    "ROCM_",
    "SSL_",
    "OPENSSL_",
    "VIRTUAL_ENV",
    "ASAN_",
    "UBSAN_",
    "TSAN_",
)
_NATIVE_NAMES = frozenset({"LANG", "LANGUAGE", "HOME", "TZ", "NLSPATH", "GCONV_PATH", "LOCPATH"})


class Place(NamedTuple):
    """The files of a warm server.

    Attributes:
        base: Their path, without a suffix.
        root: The project's directory.
        about: The project, interpreter and environment, as a text.
    """

    base: str
    root: str
    about: str

    @property
    def socket(self) -> str:
        """The socket on which the server listens."""
        return f"{self.base}.socket"

    @property
    def lock(self) -> str:
        """The file that the server holds locked."""
        return f"{self.base}.lock"

    @property
    def log(self) -> str:
        """What the server has done, and why it has left modules out."""
        return f"{self.base}.log"

    @property
    def modules(self) -> str:
        """The modules that the last runs have imported."""
        return f"{self.base}.modules"

    def refusal(self, run: int) -> str:
        """Return the file in which a run, given by its process id, says why it has to start cold."""
        return f"{self.base}.{run}.refusal"

    @property
    def left_out(self) -> str:
        """The modules that the server must not import, with the reasons."""
        return f"{self.base}.left-out"


def native_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return those environment variables that are read by native code."""
    return {
        name: value for name, value in environment.items() if name in _NATIVE_NAMES or name.startswith(_NATIVE_PREFIXES)
    }


def project_directory(start: str) -> str:
    """Return the nearest directory, from `start` upwards, that has a configuration file or a repository."""
    directory = start
    while True:
        if any(os.path.lexists(os.path.join(directory, name)) for name in _PROJECT_FILES):
            return directory
        parent = os.path.dirname(directory)
        if parent == directory:
            return start
        directory = parent


def runtime_directory() -> str | None:
    """Return the directory of all warm servers of this user, which is created; None if it would not be safe."""
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    if base and len(os.fsencode(base)) < _LONGEST_DIRECTORY and _is_private(base):
        directory = os.path.join(base, "rustpar")
    else:
        directory = f"/tmp/rustpar-{os.getuid()}"
    try:
        os.mkdir(directory, 0o700)
    except FileExistsError:
        pass
    except OSError:
        return None
    return directory if _is_private(directory) else None


def _is_private(directory: str) -> bool:
    try:
        status = os.lstat(directory)
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077


def find() -> Place | None:
    """Return the place of the server for this process; None if there is no safe or no current directory."""
    directory = runtime_directory()
    if directory is None:
        return None
    try:
        root = project_directory(os.getcwd())
    except OSError:
        return None
    options = (list(sys.flags), sys.warnoptions, sorted(sys._xoptions.items()))
    about = ascii(
        (root, sys.executable, sys.prefix, sys.version, options, sorted(native_variables(os.environ).items()))
    ).encode()
    # The server compares the whole text.
    name = f"{zlib.crc32(about):08x}{zlib.adler32(about):08x}"
    return Place(os.path.join(directory, name), root, about.decode())
