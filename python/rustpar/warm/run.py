"""What a run of pytest has to do with warm servers: it is handed over to one, or tells the next one what to import.

The hazard it handles: only a run that a person or a script has started as a program can be handed over. One that a
program has started with :func:`pytest.main` has to run in that program.
"""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from rustpar.config.values import has_entry, ini_text
from rustpar.process import program
from rustpar.warm import client, files
from rustpar.warm import place as places
from rustpar.warm.imports import is_library, library_directories
from rustpar.warm.messages import Closed

if TYPE_CHECKING:
    from types import ModuleType

# How many runs' modules are kept. A run of a single file needs fewer than others.
_MOST_RUNS = 5

# Whether this process is to be warm whatever the configuration says; whether it is a fork of a server; why it is not.
was_asked = False
is_fork = False
reason: str | None = None

# The process id of the run that this process, a fork of a server, belongs to.
process = 0


def is_wanted(config: pytest.Config) -> bool:
    """Whether this run may be warm.

    Raises:
        pytest.UsageError: The value in the configuration file is neither true nor false.
    """
    if was_asked or config.known_args_namespace.rustpar_warm:
        return True
    if not has_entry(config, "rustpar_warm"):
        return False
    value = ini_text(config, "rustpar_warm").lower()
    if value not in ("true", "false", "1", "0", "yes", "no", "on", "off"):
        raise pytest.UsageError(f"rustpar_warm = {value}: use true or false")
    return value in ("true", "1", "yes", "on")


def start(config: pytest.Config) -> None:
    """Hand the run over, if a server is there; this process ends then. Otherwise, see to it that one comes."""
    global reason
    if is_fork:
        # Before a conftest changes the environment.
        place_of_run()
        return
    # A worker of pytest-xdist's own engine has that variable before its configuration.
    if not is_wanted(config) or "PYTEST_XDIST_WORKER" in os.environ:
        return
    if not was_asked:
        started = program.pytest_program(config)
        if started is None:
            reason = "pytest was started by another program"
        else:
            reason = client.hand_over(client.Main(*started), list(config.invocation_params.args))
    place = place_of_run()
    if place is not None and sys.platform == "linux":
        # As it is now: the suite may change it.
        environment = dict(os.environ)
        config.add_cleanup(lambda: _start_server(place, environment))


@functools.cache
def place_of_run() -> places.Place | None:
    """Return the place of the server for this run, as of the first call; forks of a server know it from that."""
    return places.find()


class WarmRun:
    """The plugin of a run that may be warm: says why it is not, and records which modules its tests have imported."""

    def __init__(self, place: places.Place | None) -> None:
        """Record them for the server at this place, if any."""
        self._place = place

    def pytest_report_header(self, config: pytest.Config) -> str | None:
        """Say with ``-v`` why the run has started cold."""
        return f"rustpar: warm: cold start ({reason})" if config.option.verbose > 0 and reason is not None else None

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write them to the server's list."""
        if self._place is None or session.config.pluginmanager.has_plugin("dsession") or not session.items:
            return
        names = imported_modules()
        runs = files.read(self._place.modules, {"runs": []})["runs"]
        others = [run for run in runs if set(run) != set(names)]
        with contextlib.suppress(OSError):
            files.write(self._place.modules, {"runs": [names, *others][:_MOST_RUNS]})


def register(config: pytest.Config) -> None:
    """Register the plugin of a run that may be warm, in the process that reports and in one that runs tests."""
    is_first = getattr(config, "workerinput", {}).get("workerid", "gw0") == "gw0"
    if not is_first or not is_wanted(config):
        return
    config.pluginmanager.register(WarmRun(place_of_run()), "rustpar-warm")


def imported_modules() -> list[str]:
    """Return the imported modules of the standard library and of installed packages, unless they were rewritten."""
    libraries = library_directories()
    return [name for name, module in list(sys.modules.items()) if _is_kept(name, module, libraries)]


def _is_kept(name: str, module: ModuleType, libraries: tuple[str, ...]) -> bool:
    about = getattr(module, "__spec__", None)
    if about is None or about.name != name or name.partition(".")[0] in ("__main__", "rustpar", "_pytest", "pytest"):
        return False
    file: Any = getattr(module, "__file__", None)
    if not isinstance(file, str) or not is_library(file, libraries):
        return False
    # Not one whose assertions pytest has rewritten, nor one of an editable installation.
    loader: Any = getattr(module, "__loader__", None)
    return type(loader).__module__.startswith(("importlib", "_frozen_importlib"))


def _start_server(place: places.Place, environment: dict[str, str]) -> None:
    """Start a server in the background, unless there is one."""
    # A suite may have replaced sockets, and much else.
    with contextlib.suppress(Exception):
        if not os.path.exists(place.modules) or answer(place, {"status": True}) is not None:
            return
    # Like a new process of a service: it must not keep a terminal or a pipe of this run open.
    arguments = [sys.executable, *_interpreter_flags(), "-m", "rustpar.warm.server", *place, "1"]
    with contextlib.suppress(OSError), open(place.log, "a") as log:
        subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            # Not in the project, whose modules would be found first.
            cwd="/",
            env=environment,
        )


def _interpreter_flags() -> list[str]:
    found: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    # It knows some of the -X options.
    given = {found[place + 1].partition("=")[0] for place, flag in enumerate(found[:-1]) if flag == "-X"}
    for name, value in sys._xoptions.items():
        if name not in given:
            found += ["-X", name if value is True else f"{name}={value}"]
    return found


def answer(place: places.Place, question: dict[str, Any]) -> dict[str, Any] | None:
    """Return what the server at this place answers; None if there is none."""
    with contextlib.suppress(OSError, Closed), client.connected(place.socket) as channel:
        channel.send(question)
        return channel.receive()
    return None
