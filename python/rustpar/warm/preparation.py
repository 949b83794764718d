"""What a warm server does before it listens: it imports pytest, and what the last runs have imported from packages.

The hazard it handles: an import may do what every run would inherit. Then the server starts anew without that module,
and without those that use it.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import os
import random
import re
import sys
import time
from typing import NamedTuple

from rustpar.compat.known_imports import HARMLESS, REFRESHED
from rustpar.process import gc_freeze, random_state
from rustpar.warm import files
from rustpar.warm.imports import ImportRecorder, with_dependents
from rustpar.warm.place import Place
from rustpar.warm.staleness import Snapshot
from rustpar.warm.store import ModuleStore

# How often the server starts anew because modules turned out to be unsuitable.
_MOST_STARTS = 5


class Prepared(NamedTuple):
    """What a server has imported.

    Attributes:
        store: The modules that runs get.
        snapshot: The files that must not change.
        left_out: The number of modules that were unsuitable.
        loaded: The names of all other modules.
    """

    store: ModuleStore
    snapshot: Snapshot
    left_out: int
    loaded: set[str]


def prepare(place: Place, started: int) -> Prepared:
    """Import everything; starts this program anew if modules are unsuitable, for the time numbered `started`."""
    environment = dict(os.environ)
    _import_pytest()
    left_out = _known_unsuitable(place)
    own = _own_packages(place.root)
    begun = time.monotonic()
    with ImportRecorder(output=1) as recorder:
        for name in _wanted(place):
            if name in sys.modules or name in left_out or name.partition(".")[0] in own or name.endswith(".__main__"):
                continue
            with contextlib.suppress(BaseException):
                importlib.import_module(name)
    faulty = {name: ", ".join(faults) for name, faults in recorder.failed.items()}
    for name, module in recorder.modules.items():
        faults = dict.fromkeys(fault for fault in module.faults if fault not in HARMLESS.get(name, ()))
        if faults and name not in REFRESHED:
            faulty[name] = ", ".join(faults)
    if faulty:
        new = with_dependents(faulty, recorder.modules)
        for name, reason in new.items():
            files.log(f"leaves out {name}: {reason}")
        files.write(place.left_out, left_out | new)
        if started < _MOST_STARTS:
            sys.stdout.flush()
            # Not in the project, whose modules would be found first.
            os.chdir("/")
            arguments = [*sys.orig_argv[:-1], str(started + 1)]
            # Modules may have set variables.
            os.execve(sys.executable, arguments, environment)
        files.log("leaves: too many modules are unsuitable")
        sys.exit(1)
    store = ModuleStore(recorder.modules)
    opened = {file for about in recorder.modules.values() for file in about.files}
    snapshot = Snapshot(list(sys.modules.values()), [path for path in sys.path if os.path.isdir(path)], opened)
    # Before the modules are hidden, among which numpy is looked for.
    gc_freeze.collect_and_freeze(lambda: random_state.find_unseeded(random.getstate()))
    store.hide()
    sys.meta_path.insert(0, store)
    gc_freeze.keep_frozen()
    files.log(f"{len(store)} modules, imported in {time.monotonic() - begun:.2f} s; {len(left_out)} are left out")
    return Prepared(store, snapshot, len(left_out), set(sys.modules))


def _import_pytest() -> None:
    """Import what every run of pytest imports first."""
    from rustpar.compat import default_plugins

    default_plugins.import_all()
    for name in ("rustpar.plugin", "rustpar.forkserver.server", "rustpar.recording.journal"):
        importlib.import_module(name)


def _known_unsuitable(place: Place) -> dict[str, str]:
    """Return the modules that were unsuitable, with the reasons, unless packages were installed since."""
    try:
        written = os.stat(place.left_out).st_mtime_ns
        newest = max(os.stat(path).st_mtime_ns for path in sys.path if os.path.isdir(path))
    except (OSError, ValueError):
        return {}
    found: dict[str, str] = files.read(place.left_out, {})
    return found if newest < written else {}


def _own_packages(root: str) -> set[str]:
    """Return the top-level modules of the project, as far as it is installed among the packages."""
    name = None
    with contextlib.suppress(OSError), open(os.path.join(root, "pyproject.toml"), encoding="utf-8") as file:
        found = re.search(r"^name\s*=\s*[\"']([^\"']+)", file.read(), re.MULTILINE)
        name = found and _normal(found[1])
    own: set[str] = set()
    for distribution in importlib.metadata.distributions():
        origin = distribution.read_text("direct_url.json") or ""
        if '"dir_info"' in origin or _normal(distribution.metadata["Name"] or "") == name:
            top = (distribution.read_text("top_level.txt") or "").split()
            parts = {file.parts[0].removesuffix(".py") for file in distribution.files or () if file.suffix == ".py"}
            own.update(top, parts)
    return own


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _wanted(place: Place) -> list[str]:
    runs = files.read(place.modules, {"runs": []})["runs"]
    return list(dict.fromkeys(name for run in runs for name in run))
