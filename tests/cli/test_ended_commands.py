"""Commands that run pytest, and are ended while a test hangs."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness import Suite

HANGS = """
    import os
    import time

    def test_hangs():
        if os.path.exists("hang"):
            with open("pid.new", "w") as file:
                file.write(str(os.getpid()))
            os.rename("pid.new", "pid")
            time.sleep(600)
        assert False
"""


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("command", [("bisect", "test_it.py::test_hangs"), ("doctor", "-n1"), ("doctor", "-n0")])
def test_no_run_outlives_the_command(
    suite: Suite, command: tuple[str, ...], sent: signal.Signals, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    suite.test(HANGS)
    suite.run(n=None)
    Path(suite.path, "hang").touch()
    pid = Path(suite.path, "pid")
    process = subprocess.Popen(
        [sys.executable, "-m", "rustpar.cli", *command],
        cwd=suite.path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    eventually(pid.exists)
    process.send_signal(sent)
    process.wait(60)
    test = Path("/proc", pid.read_text())
    eventually(lambda: not test.exists())
