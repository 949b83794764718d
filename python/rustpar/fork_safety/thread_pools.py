"""Thread pools of numerical libraries, of which every worker has one.

OpenBLAS, MKL and OpenMP start as many threads as there are CPUs, in each process. With several workers they compete.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import NamedTuple

from rustpar.fork_safety.native_threads import COUNT_FUNCTIONS

# Modules that load such a library; without any of them, nothing is looked for.
_MODULES = ("numpy", "scipy", "torch", "mkl", "sklearn")


class ThreadPool(NamedTuple):
    """A thread pool.

    Attributes:
        library: The name of the library.
        threads: How many threads it uses.
        variable: The environment variable that sets the number.
    """

    library: str
    threads: int
    variable: str


# By a part of the library's file name: functions that return the number of threads, name and variable.
_POOLS = {
    "openblas": (COUNT_FUNCTIONS, "OpenBLAS", "OPENBLAS_NUM_THREADS"),
    "mkl_rt": (("MKL_Get_Max_Threads",), "MKL", "MKL_NUM_THREADS"),
    "libgomp": (("omp_get_max_threads",), "OpenMP", "OMP_NUM_THREADS"),
    "libiomp": (("omp_get_max_threads",), "OpenMP", "OMP_NUM_THREADS"),
    "libomp": (("omp_get_max_threads",), "OpenMP", "OMP_NUM_THREADS"),
}


def largest() -> ThreadPool | None:
    """Return the largest pool that this process has loaded; None if there is none, or if a variable sets its size."""
    if not any(module in sys.modules for module in _MODULES):
        return None
    found = [pool for file in _libraries() if (pool := _pool_of(file)) is not None]
    return max(found, key=lambda pool: pool.threads, default=None)


def _libraries() -> set[str]:
    with contextlib.suppress(OSError):
        lines = Path("/proc/self/maps").read_text(errors="surrogateescape").splitlines()
        files = {line.split(maxsplit=5)[-1] for line in lines if "/" in line}
        return {file for file in files if any(part in Path(file).name for part in _POOLS)}
    return set()


def _pool_of(file: str) -> ThreadPool | None:
    import ctypes

    functions, library, variable = next(about for part, about in _POOLS.items() if part in Path(file).name)
    if variable in os.environ or "OMP_NUM_THREADS" in os.environ:
        return None
    with contextlib.suppress(OSError):
        loaded = ctypes.CDLL(file, mode=os.RTLD_NOLOAD | os.RTLD_NOW)
        counts = [int(getattr(loaded, name)()) for name in functions if hasattr(loaded, name)]
        if counts:
            return ThreadPool(library, max(counts), variable)
    return None
