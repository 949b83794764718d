"""What belongs to each worker alone after the fork: its name, its standard streams, its files, its temporary directory.

The hazard it handles: a forked process shares open files with its parent, down to the position in them. Whatever the
template opened for itself to write to must be opened again by each worker, under the same descriptor numbers, so that
objects which hold them (log handlers, ``sys.stdout``) go on to work.
"""

from __future__ import annotations

import io
import select
import sys
import tempfile
from pathlib import Path
from typing import Any, TextIO, cast

import pytest

from rustpar.compat import plugins
from rustpar.compat.capture import captures
from rustpar.compat.sessions import move_basetemp
from rustpar.process.system import os


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
        plugins.rename_in_benchmark(config, workerinput["workerid"])
    plugins.own_measuring(config)
    _replace_output(config, output)


def _move_basetemp(config: pytest.Config, worker_id: str) -> None:
    """Put the base of ``tmp_path`` beside the template's."""
    if config.option.basetemp is None:
        return
    basetemp = Path(config.option.basetemp).with_name(f"popen-{worker_id}")
    move_basetemp(config, basetemp)


def let_go_of_lost_output(config: pytest.Config) -> None:
    """Have this process write to nowhere what nobody reads any more, since the controller is gone.

    A fixture that prints while it is torn down would stop there.
    """
    saved = {capture.targetfd_save for name, capture in captures(config) if name == "out"}
    for fd in {1, *saved}:
        poller = select.poll()
        poller.register(fd, 0)
        if any(event & select.POLLERR for _, event in poller.poll(0)):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, fd)
            os.close(null)


def _replace_output(config: pytest.Config, output: int) -> None:
    """Give the worker its own standard output and its own capture files."""
    os.dup2(output, 1)
    for _, capture in captures(config):
        own = _nameless_file()
        os.dup2(own, capture.tmpfile.fileno())
        os.close(own)
        if capture.targetfd == 1:
            os.dup2(output, capture.targetfd_save)
    os.close(output)


def _nameless_file() -> int:
    """A descriptor of an empty file; in memory where the suite has changed where temporary files are made."""
    try:
        fd, path = tempfile.mkstemp()
    except Exception:
        return os.memfd_create("rustpar")
    os.unlink(path)
    return fd
