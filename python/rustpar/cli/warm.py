"""``rustpar warm status|stop|log``: the warm servers of this user."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from rustpar import _core
from rustpar.warm import place as places
from rustpar.warm import run

if TYPE_CHECKING:
    from collections.abc import Sequence

HELP = "show or stop the warm servers of this user"


def main(arguments: Sequence[str]) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(prog="rustpar warm", description="The warm servers of this user.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    commands.add_parser("status", help="list the servers, with their projects")
    commands.add_parser("stop", help="stop all servers; runs that are going on end first")
    commands.add_parser("log", help="print what this project's server has done, and which modules it leaves out")
    command = parser.parse_args(list(arguments)).command
    return {"status": _status, "stop": _stop, "log": _log}[command]()


def _places() -> list[places.Place]:
    directory = places.runtime_directory()
    if directory is None:
        return []
    suffix = ".socket"
    names = sorted(name.removesuffix(suffix) for name in os.listdir(directory) if name.endswith(suffix))
    return [places.Place(os.path.join(directory, name), "", "") for name in names]


def _status() -> int:
    found = [about for place in _places() if (about := run.answer(place, {"status": True})) is not None]
    if not found:
        print("no warm server is running")
    for about in found:
        print(f"{about['root']}: process {about['pid']}, {about['python']}")
        left_out = f", {about['left out']} left out" if about["left out"] else ""
        runs = f"{about['runs']} run{'' if about['runs'] == 1 else 's'}"
        now = f", {about['running']} now" if about["running"] else f", idle for {_core.spoken(about['idle'])}"
        print(f"  {about['modules']} modules{left_out}; {runs} in {_core.spoken(about['age'])}{now}")
    return 0


def _stop() -> int:
    stopped = [about for place in _places() if (about := run.answer(place, {"stop": True})) is not None]
    print(
        f"stopped {len(stopped)} warm server{'' if len(stopped) == 1 else 's'}"
        if stopped
        else "no warm server is running"
    )
    return 0


def _log() -> int:
    place = places.find()
    try:
        if place is not None:
            with open(place.log) as log:
                sys.stdout.writelines(log)
            return 0
    except FileNotFoundError:
        pass
    print("rustpar warm: this project has had no warm server", file=sys.stderr)
    return 2
