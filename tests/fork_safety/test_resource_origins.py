"""A reason for early workers names the line that leaked the resource, not a later line that made a similar one."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Suite

# A resource leaked by the third line of a conftest, and similar ones that later lines create and close.
CASES = {
    "socket": (
        "import socket",
        "KEPT = socket.socket()",
        "socket.socket().close()",
        "leaves a socket open",
    ),
    "pair": (
        "import socket",
        "KEPT = socket.socketpair()",
        "for one in socket.socketpair(): one.close()",
        "leaves a socket open",
    ),
    "thread": (
        "import threading",
        "threading.Thread(target=threading.Event().wait, daemon=True, name='listener').start()",
        "other = threading.Thread(target=int); other.start(); other.join()",
        "leaves the thread listener running",
    ),
    "child": (
        "import subprocess, sys",
        "KEPT = subprocess.Popen(['sleep', '60'])",
        "subprocess.run([sys.executable, '-c', 'pass'])",
        "leaves a child process running",
    ),
    "forked-child": (
        "import multiprocessing, time",
        "KEPT = multiprocessing.get_context('fork').Process(target=time.sleep, args=(60,), daemon=True)\nKEPT.start()",
        "import os; os.waitpid(os.fork() or os._exit(0), 0)",
        "leaves a child process running",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_reason_names_the_line_that_leaked_the_resource(suite: Suite, case: str) -> None:
    if case == "thread" and sys.version_info < (3, 12):
        pytest.skip("this Python has no audit event for it")
    imported, leaving, done, reason = CASES[case]
    end = "KEPT.kill(); KEPT.wait()" if "subprocess" in imported else "pass"
    suite.conftest(
        f"{imported}, time\n\n{leaving}\n\ntime.sleep(0.05)\n\n{done}\n\ndef pytest_unconfigure(config):\n    {end}\n"
    )
    suite.test("def test_one(): pass\ndef test_two(): pass\n")
    run = suite.run()
    assert run.counts() == {"passed": 2}
    line = run.line("start: early")
    assert re.search(rf"conftest\.py:[34] {reason}", line), line
