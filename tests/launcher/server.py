"""The process that forks the runs of one process of tests.

Its arguments are the number of its socket, the name of a variable, and the id of the process of tests.

A first run tells it which modules are imported, in the process that reports and in those that run tests. The variable
marks the processes of a run: what the system shows as a fork's initial environment gets the value of its run.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import random
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

from rustpar import _core
from rustpar.process import forking, gc_freeze, random_state
from rustpar.warm import fresh
from rustpar.warm.messages import Channel, Closed

# The exit status of a fork that could not become like a new process; pytest has none like it.
FAILED = 120

# A conftest that writes the names of all modules with a file except the suite's own, and whether pytest rewrote them.
_SUITE = """
import atexit, json, os, sys

def write():
    here = os.path.dirname(os.path.abspath(__file__))
    names = {
        name: type(module.__loader__).__name__ == "AssertionRewritingHook"
        for name, module in list(sys.modules.items())
        if getattr(getattr(module, "__spec__", None), "name", None) == name
        and os.path.dirname(getattr(module, "__file__", None) or here) != here
    }
    with open(os.path.join(here, f"{os.getpid()}.json"), "w") as file:
        json.dump(names, file)
"""
_TESTS = """
import pytest, conftest

@pytest.mark.parametrize("n", range(4))
def test_it(n): conftest.write()
"""


def _wanted_modules() -> dict[str, bool]:
    """Return the modules that a short run imports, and whether pytest has rewritten their assertions."""
    with tempfile.TemporaryDirectory() as directory:
        suite = Path(directory)
        (suite / "conftest.py").write_text(_SUITE + "\natexit.register(write)\n")
        (suite / "test_it.py").write_text(_TESTS)
        # Elsewhere it would remove what earlier runs have left in the temporary directory, which can take minutes.
        base = f"--basetemp={suite / 'tmp'}"
        command = [sys.executable, "-m", "pytest", "-n", "2", "-q", "--rootdir", directory, base]
        output = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=50)
        assert output.returncode == 0, output.stdout + output.stderr
        found: dict[str, bool] = {}
        for file in suite.glob("*.json"):
            found |= json.loads(file.read_text())
        return found


def _import(modules: dict[str, bool]) -> None:
    import pytest
    from _pytest.assertion.rewrite import AssertionRewritingHook

    hook = AssertionRewritingHook(pytest.Config.fromdictargs({}, []))
    hook.mark_rewrite(*(name for name, is_rewritten in modules.items() if is_rewritten))
    sys.meta_path.insert(0, hook)
    for name in modules:
        # Some exist only under the name that pytest gives them.
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    sys.meta_path.remove(hook)


def _mark_place(name: str) -> int:
    """Return the address of the variable's value in the initial environment."""
    start = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[47])
    content = Path("/proc/self/environ").read_bytes()
    return start + (b"\0" + content).index(f"\0{name}=".encode()) + len(name) + 1


def _set_mark(place: int, value: str) -> None:
    with Path("/proc/self/mem").open("r+b", buffering=0) as memory:
        memory.seek(place)
        memory.write(value.encode())


def _path(environment: dict[str, str], directory: str, base: list[str]) -> list[str]:
    """Return `sys.path` as ``python -m pytest`` makes it."""
    given = environment.get("PYTHONPATH", "").split(os.pathsep)
    added = dict.fromkeys(str(Path(directory, path)) for path in given if path)
    return [directory, *added, *base]


class _Launcher:
    """Forks a process for each request, and tells how it has ended."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        # The runs that are going on: a descriptor of the process, and its id.
        self._runs: dict[int, int] = {}

    def next_run(self) -> dict[str, Any] | None:
        """Serve until the connection is closed; return the request in a fork."""
        while True:
            poller = select.poll()
            for number in (self._channel.socket.fileno(), *self._runs):
                poller.register(number, select.POLLIN)
            for number, _ in poller.poll():
                if number in self._runs:
                    self._end(number)
                    continue
                try:
                    request = self._channel.receive()
                except Closed:
                    return None
                if self._is_fork():
                    return request

    def _is_fork(self) -> bool:
        launcher, process = os.getpid(), forking.fork()
        if process == 0:
            # A run ends with the tests, whatever ends them.
            if not _core.die_with_parent(launcher):
                os._exit(FAILED)
            return True
        for descriptor in self._channel.descriptors:
            os.close(descriptor)
        self._channel.descriptors.clear()
        self._runs[os.pidfd_open(process)] = process
        self._channel.send({"started": process})
        return False

    def _end(self, number: int) -> None:
        process = self._runs.pop(number)
        os.close(number)
        _, status = os.waitpid(process, 0)
        self._channel.send({"ended": process, "status": os.waitstatus_to_exitcode(status)})


def _become(request: dict[str, Any], descriptors: list[int], base: list[str]) -> None:
    """Become like a new process of the client."""
    request["sys.path"] = _path(request["environment"], request["directory"], base)
    fresh.become(request, descriptors)
    # What these modules have kept from their import.
    sys.modules["xdist.plugin"]._sys_path[:] = sys.path
    multiprocessing: Any = sys.modules.get("multiprocessing.process")
    if multiprocessing is not None:
        multiprocessing.ORIGINAL_DIR = request["directory"]


def main() -> None:
    """Serve; in a fork, run pytest."""
    if not _core.die_with_parent(int(sys.argv[3])):
        return
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    name, base = sys.argv[2], sys.path[1:]
    place = _mark_place(name)
    modules = _wanted_modules()
    _import(modules)
    gc_freeze.collect_and_freeze(lambda: random_state.find_unseeded(random.getstate()))
    gc_freeze.keep_frozen()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel.send({"not rewritten": [name for name, is_rewritten in modules.items() if not is_rewritten]})
    loaded = set(sys.modules)
    request = _Launcher(channel).next_run()
    if request is None:
        return
    try:
        _set_mark(place, request["environment"][name])
        descriptors, channel.descriptors = channel.descriptors, []
        channel.close()
        _become(request, descriptors, base)
    except BaseException:
        traceback.print_exc()
        os._exit(FAILED)
    try:
        runpy.run_module("pytest.__main__", run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        # Taking apart what every fork has imported would take a fifth of the CPU time of a short run.
        fresh.end(ended, loaded)


if __name__ == "__main__":
    main()
