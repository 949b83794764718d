"""Per-worker state after the fork: name, standard streams, files, temporary directory.

The hazard it handles: a forked process shares open files with its parent, including their positions. Files that the
template writes to must be reopened by each worker under the same descriptor numbers, so that objects that use them (log
handlers, ``sys.stdout``) keep working.
"""

from __future__ import annotations

import io
import select
import sys
from pathlib import Path
from typing import Any, TextIO, cast

import pytest

from rustpar.compat import plugins
from rustpar.compat.capture import captures
from rustpar.compat.sessions import move_basetemp
from rustpar.process import unnamed_file
from rustpar.process.system import os


def replace_stdio(output: int) -> None:
    """Replace the standard streams of this process: empty input, `output` as output, inherited standard error."""
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
    """Create a standard stream as Python does, but line-buffered."""
    encoding = getattr(like, "encoding", None) or "utf-8"
    errors = getattr(like, "errors", None) or ("strict" if fd < 2 else "backslashreplace")
    mode = "w" if fd else "r"
    raw: Any = io.FileIO(fd, mode, closefd=False)
    raw.name = name
    buffer = io.BufferedWriter(raw) if fd else io.BufferedReader(raw)
    stream: Any = io.TextIOWrapper(buffer, encoding, errors, "\n" if fd else None, line_buffering=True)
    stream.mode = mode
    return cast("TextIO", stream)


def become_worker(config: pytest.Config, workerinput: dict[str, Any], output: int) -> None:
    """Turn a new fork of the template into the worker described by `workerinput`.

    ``config.workerinput`` is updated in place, because plugins may hold a reference.
    """
    os.environ["PYTEST_XDIST_WORKER"] = workerinput["workerid"]
    own: dict[str, Any] = config.workerinput  # type: ignore[attr-defined]
    if own["workerid"] != workerinput["workerid"]:
        own.clear()
        own.update(workerinput)
        _move_basetemp(config, workerinput["workerid"])
        plugins.adjust_pytest_benchmark(config, workerinput["workerid"])
    plugins.adjust_pytest_cov(config)
    plugins.reconnect_rerunfailures(config)
    replace_output(config, output)


def _move_basetemp(config: pytest.Config, worker_id: str) -> None:
    """Move the base of ``tmp_path`` next to the template's."""
    if config.option.basetemp is None:
        return
    basetemp = Path(config.option.basetemp).with_name(f"popen-{worker_id}")
    move_basetemp(config, basetemp)


def discard_unread_output(config: pytest.Config) -> None:
    """Redirect output that nobody reads any more to /dev/null, because the controller is gone.

    Otherwise a fixture that prints in its teardown would fail there.
    """
    saved = {capture.targetfd_save for name, capture in captures(config) if name == "out"}
    for fd in {1, *saved}:
        poller = select.poll()
        poller.register(fd, 0)
        if any(event & select.POLLERR for _, event in poller.poll(0)):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, fd)
            os.close(null)


def replace_output(config: pytest.Config, output: int) -> None:
    """Give this process its own standard output, the descriptor `output`, and its own capture files."""
    os.dup2(output, 1)
    for _, capture in captures(config):
        own = _capture_file()
        os.dup2(own, capture.tmpfile.fileno())
        os.close(own)
        if capture.targetfd == 1:
            os.dup2(output, capture.targetfd_save)
    os.close(output)


def captured_output(config: pytest.Config) -> list[bytes]:
    """Return what was captured so far, for :func:`replace_captured`."""
    numbers = [capture.tmpfile.fileno() for _, capture in captures(config)]
    return [os.pread(number, os.fstat(number).st_size, 0) for number in numbers]


def replace_captured(config: pytest.Config, contents: list[bytes]) -> None:
    """Give this process its own capture files, with these contents."""
    for (_, capture), content in zip(captures(config), contents, strict=True):
        own = _capture_file()
        os.write(own, content)
        os.dup2(own, capture.tmpfile.fileno())
        os.close(own)


def _capture_file() -> int:
    """Return a descriptor of an empty file; in memory if the suite's changes make temporary files impossible."""
    try:
        return unnamed_file.create()
    except Exception:
        return os.memfd_create("rustpar")
