"""What belongs to each worker alone after the fork: its name, its standard streams, its files, its temporary directory.

The hazard it handles: a forked process shares open files with its parent, down to the position in them. Whatever the
template opened for itself to write to must be opened again by each worker, under the same descriptor numbers, so that
objects which hold them (log handlers, ``sys.stdout``) go on to work.
"""

from __future__ import annotations

import io
import os
import select
import sys
import tempfile
from pathlib import Path
from typing import Any, TextIO, cast

import pytest


def own_stdio(output: int) -> None:
    """Give this process standard streams of its own: no input, `output` as output, standard error as inherited."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(output, 1)
    os.close(output)
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        stream = _stream(fd, f"<{name}>", getattr(sys, f"__{name}__"))
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _stream(fd: int, name: str, like: TextIO | None) -> TextIO:
    """A standard stream as Python makes it, but for its buffer: what is written to it is shown line by line."""
    encoding = getattr(like, "encoding", None) or "utf-8"
    errors = getattr(like, "errors", None) or ("strict" if fd < 2 else "backslashreplace")
    mode = "w" if fd else "r"
    raw: Any = io.FileIO(fd, mode, closefd=False)
    raw.name = name
    buffer = io.BufferedWriter(raw) if fd else io.BufferedReader(raw)
    stream: Any = io.TextIOWrapper(buffer, encoding, errors, "\n" if fd else None, line_buffering=True)
    stream.mode = mode
    return cast("TextIO", stream)


def become(config: pytest.Config, workerinput: dict[str, Any], output: int) -> None:
    """Turn a fresh fork of the template into the worker that `workerinput` names.

    ``config.workerinput`` is refilled in place: plugins may have kept it.
    """
    os.environ["PYTEST_XDIST_WORKER"] = workerinput["workerid"]
    own: dict[str, Any] = config.workerinput  # type: ignore[attr-defined]
    if own["workerid"] != workerinput["workerid"]:
        own.clear()
        own.update(workerinput)
        _move_basetemp(config, workerinput["workerid"])
        _rename_in_benchmark(config, workerinput["workerid"])
    _own_measuring(config)
    _replace_output(config, output)


def _move_basetemp(config: pytest.Config, worker_id: str) -> None:
    """Put the base of ``tmp_path`` beside the template's."""
    if config.option.basetemp is None:
        return
    basetemp = Path(config.option.basetemp).with_name(f"popen-{worker_id}")
    config.option.basetemp = str(basetemp)
    factory = getattr(config, "_tmp_path_factory", None)
    if factory is not None:
        factory._given_basetemp = basetemp
        factory._basetemp = None


def _own_measuring(config: pytest.Config) -> None:
    """Tell pytest-cov before version 7, which names its data file and notes its process when a session starts.

    It measures anew where a test does not run in that process, and all workers would write to the same file.
    """
    plugin: Any = config.pluginmanager.get_plugin("_cov")
    if getattr(plugin, "pid", os.getpid()) == os.getpid():
        return
    plugin.pid = os.getpid()
    data: Any = getattr(plugin.cov_controller.cov, "_data", None)
    if isinstance(getattr(data, "_suffix", None), str):
        # A name with the process id in it, made when something is saved.
        data._suffix = True


def _rename_in_benchmark(config: pytest.Config, worker_id: str) -> None:
    """Tell pytest-benchmark, which keeps the worker's name: gw0 alone warns that benchmarks are switched off."""
    session: Any = getattr(config, "_benchmarksession", None)
    if hasattr(session, "xdist_benchmark_found"):
        session.xdist_worker = worker_id
        session.xdist_benchmark_found = False


def let_go_of_lost_output(config: pytest.Config) -> None:
    """Have this process write to nowhere what nobody reads any more, since the controller is gone.

    A fixture that prints while it is torn down would stop there.
    """
    manager: Any = config.pluginmanager.get_plugin("capturemanager")
    capturing = getattr(manager, "_global_capturing", None)
    saved = getattr(getattr(capturing, "out", None), "targetfd_save", None)
    for fd in {1} if saved is None else {1, saved}:
        poller = select.poll()
        poller.register(fd, 0)
        if any(event & select.POLLERR for _, event in poller.poll(0)):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, fd)
            os.close(null)


def _replace_output(config: pytest.Config, output: int) -> None:
    """Give the worker its own standard output and its own capture files."""
    os.dup2(output, 1)
    manager: Any = config.pluginmanager.get_plugin("capturemanager")
    capturing = getattr(manager, "_global_capturing", None)
    for capture in (getattr(capturing, "out", None), getattr(capturing, "err", None)):
        if capture is None or not hasattr(capture, "targetfd_save"):
            continue
        with tempfile.TemporaryFile(buffering=0) as own:
            os.dup2(own.fileno(), capture.tmpfile.fileno())
        if capture.targetfd == 1:
            os.dup2(output, capture.targetfd_save)
    os.close(output)
