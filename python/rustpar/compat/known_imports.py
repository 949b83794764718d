"""What popular packages do at their imports that would keep them out of a warm server, and is known not to matter.

Each entry was read in the package's source. What an entry says of a module is only used if nothing else was seen there.

The hazard it handles: one such module in numpy keeps all of scipy out, one in urllib3 whatever uses requests.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

# What makes no difference, by module, in the words of `warm/imports.py`.
HARMLESS: dict[str, frozenset[str]] = {
    # numpy 2.5: the date in a comment of the code that f2py generates.
    "numpy.f2py.rules": frozenset({"calls time.time"}),
    # joblib 1.6: the name of a semaphore that it creates and removes.
    "joblib._multiprocessing_helpers": frozenset({"calls os.getpid"}),
    # pymongo 4.20: asks for the process id again before it uses either.
    "bson.objectid": frozenset({"calls os.getpid", "calls os.urandom"}),
    # OpenTelemetry 1.45, FastAPI 0.165, torch 2.15, xarray 2026.9: keys of values that no other process gets.
    "opentelemetry.context": frozenset({"calls os.urandom"}),
    "opentelemetry.baggage": frozenset({"calls os.urandom"}),
    "opentelemetry.trace.propagation": frozenset({"calls os.urandom"}),
    "fastapi.telemetry._api": frozenset({"calls os.urandom"}),
    "torch.distributed._composable.contract": frozenset({"calls os.urandom"}),
    "xarray.backends.locks": frozenset({"calls os.urandom"}),
    # google-api-core 2: whether the support of this version of Python ends within months.
    "google.api_core": frozenset({"calls time.time"}),
    "google.cloud.bigquery": frozenset({"calls time.time"}),
    # rich 15: the number of a link. Numbers of a seeded generator are another matter, see `DRAWS`.
    "rich.style": frozenset({"changes random numbers"}),
}

# What such a module says if it takes random numbers: then it is only given if the generator was not seeded.
DRAWS = "changes random numbers"

# Modules that go through all environment variables, for those whose names start with one of these.
VARIABLES: dict[str, tuple[str, ...]] = {
    "dask.config": ("DASK_", "HOME"),
    "networkx": ("NETWORKX_",),
    "numba.core.config": ("NUMBA_",),
    "tqdm.std": ("TQDM_",),
}


def _refresh_hypothesis(module: Any) -> None:
    module._imported_at = time.time()


def _refresh_wsgiref(module: Any) -> None:
    module.BaseHandler.os_environ = module.read_environ()


# Modules that depend on the environment or the time, and what makes them those of this moment.
REFRESHED: dict[str, Callable[[Any], None]] = {
    "hypothesis.internal.observability": _refresh_hypothesis,
    "wsgiref.handlers": _refresh_wsgiref,
}
