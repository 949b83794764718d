"""Runs that are forked from a process that has loaded the conftests, and the reasons why they are not."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.harness import MARK, RUN_LIMIT, marked_processes
from tests.watch.watching import watching

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.harness import Suite
    from tests.watch.watching import Watching

# The time is different each time that the conftest is executed; that it looks at this clock is not seen.
_CONFTEST = """\
import datetime, helper
LOADED = datetime.datetime.now().timestamp()
"""
_TEST = """\
import conftest, helper
def test_loaded(): print(f"\\nloaded at {conftest.LOADED}, {helper.VALUE}")
"""
PROJECT = {
    "pytest.ini": "[pytest]\npythonpath = .\naddopts = -rP\n",
    "helper.py": "VALUE = 1\n",
    "conftest.py": _CONFTEST,
    "test_one.py": _TEST,
}


def loaded(watched: Watching) -> str:
    """Return when the last run has loaded its conftest."""
    found = re.search(r"loaded at ([\d.]+)", watched.last())
    assert found is not None, watched.text
    return found[1]


def again(watched: Watching) -> str:
    """Run all tests once more; return when its conftest was loaded."""
    before = watched.runs
    watched.terminal.type(b"\r")
    watched.wait_for_run(before + 1)
    return loaded(watched)


def changed(watched: Watching, **modules: str) -> str:
    """Change modules; return when the conftest of the run that follows was loaded."""
    before = watched.runs
    watched.change(**modules)
    watched.wait_for_run(before + 1)
    return loaded(watched)


@contextlib.contextmanager
def kept(
    suite: Suite, files: Mapping[str, str], *args: str, environment: Mapping[str, str] | None = None
) -> Iterator[Watching]:
    """Watch a project until a run that was forked from a warm server has loaded its conftests."""
    suite.write({**PROJECT, **files})
    with watching(suite, *args, environment=environment) as watched:
        watched.wait_for_run(1)
        watched.wait_for_server()
        again(watched)
        yield watched


def test_conftests_are_loaded_once_for_many_runs(suite: Suite) -> None:
    with kept(suite, {}) as watched:
        first = loaded(watched)
        assert again(watched) == first
        assert changed(watched, test_one=_TEST + "def test_two(): assert 0\n") == first
        assert "1 failed, 1 passed" in watched.last()
        assert changed(watched, test_one=_TEST) == first
        assert watched.quit() == 0


def test_a_change_of_what_conftests_have_imported_loads_them_again(suite: Suite) -> None:
    with kept(suite, {}) as watched:
        loads = [loaded(watched), changed(watched, conftest=_CONFTEST + "\n"), changed(watched, helper="VALUE = 2\n")]
        assert len(set(loads)) == 3
        assert again(watched) == loads[-1]
        assert f"{loads[-1]}, 2\n" in watched.last()


READING = {
    "helper.py": "import pathlib\nVALUE = pathlib.Path(__file__).with_name('data.txt').read_text()\n",
    "data.txt": "1",
}


def test_a_change_of_a_file_that_conftests_have_read_loads_them_again(suite: Suite) -> None:
    with kept(suite, READING) as watched:
        first, before = loaded(watched), watched.runs
        watched.write({"data.txt": "2"})
        watched.wait_for_run(before + 1)
        assert loaded(watched) != first
        assert f"{loaded(watched)}, 2\n" in watched.last()


EXECUTING = """
import importlib.util, pathlib
found = importlib.util.spec_from_file_location("other", pathlib.Path(__file__).with_name("data.py"))
module = importlib.util.module_from_spec(found)
found.loader.exec_module(module)
VALUE = module.VALUE
"""


def test_a_module_is_read_although_it_was_compiled_before_and_is_not_kept(suite: Suite) -> None:
    files = {"helper.py": EXECUTING, "data.py": "VALUE = 1\n"}
    with kept(suite, files, environment={"PYTHONDONTWRITEBYTECODE": ""}) as watched:
        changed(watched, data="VALUE = 22\n")
        # Compiled by the run before.
        again(watched)
        assert ", 22\n" in watched.last()
        changed(watched, data="VALUE = 333\n")
        assert ", 333\n" in watched.last()


def test_a_new_or_removed_file_loads_conftests_again(suite: Suite) -> None:
    outside = suite.path.parent / f"outside-{suite.path.name}"
    outside.mkdir()
    helper = f"import os\nVALUE = sorted(os.listdir({str(outside)!r}))\n"
    with kept(suite, {"helper.py": helper}) as watched:
        loads, before = [loaded(watched)], watched.runs
        watched.write({"test_new.py": "def test_new(): pass\n"})
        watched.wait_for_run(before + 1)
        loads.append(again(watched))
        (suite.path / "test_new.py").unlink()
        watched.wait_for_run(before + 3)
        loads.append(again(watched))
        (outside / "new").touch()
        loads.append(again(watched))
        assert len(set(loads)) == 4
        assert again(watched) == loads[-1]
        assert f"{loads[-1]}, ['new']\n" in watched.last()


# What a conftest may do, and why it is loaded again then.
REASONS = {
    "import uuid; KEPT = uuid.uuid4()": "creates a unique value",
    "import os; KEPT = os.getpid()": "keeps the process id",
    "import random; KEPT = random.random()": "draws a random number without a seed",
    "import time; KEPT = time.time()": "looks at the clock",
    "import tempfile; KEPT = tempfile.TemporaryDirectory()": "creates",
    "open('/proc/self/comm', 'w').close()": "writes /proc/self/comm",
    "import os; os.chmod('helper.py', 0o644)": "changes",
    "import shutil; shutil.rmtree('gone', ignore_errors=True)": "changes",
    "import subprocess; subprocess.run(['true'])": "runs true",
    "import sqlite3; sqlite3.connect(':memory:').close()": "opens the database :memory:",
    "import socket; KEPT = socket.socket()": "leaves a socket open",
    "import socket; socket.socket(type=socket.SOCK_DGRAM).connect(('127.0.0.1', 9))": "connects to",
    "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()": "thread",
    "import signal; signal.setitimer(signal.ITIMER_VIRTUAL, 1000)": "a timer is running",
    "import sys; sys.settrace(lambda *_: None)": "traced or measured",
    "import signal; signal.signal(signal.SIGCHLD, lambda *_: None)": "the end of child processes is handled",
    "import fcntl; KEPT = open(__file__); fcntl.flock(KEPT, fcntl.LOCK_EX)": "is locked",
}


def test_conftests_that_do_more_than_define_things_are_loaded_in_each_run(suite: Suite) -> None:
    with kept(suite, {}) as watched:
        for line, reason in REASONS.items():
            first = changed(watched, conftest=f"{_CONFTEST}{line}\n")
            found = re.search(r"rustpar: watch: conftests are loaded in each run \((.*)\)", watched.last())
            assert found is not None, line
            assert reason in found[1], line
        assert again(watched) != first


@pytest.mark.parametrize(
    ("args", "reason"),
    [(("-s",), "what conftests print is not captured"), (("-p", "helper"), "helper is a plugin of the project")],
    ids=["-s", "-p"],
)
def test_options_may_need_conftests_in_each_run(suite: Suite, args: tuple[str, ...], reason: str) -> None:
    with kept(suite, {}, *args) as watched:
        first = loaded(watched)
        assert reason in watched.last()
        assert again(watched) != first


def test_a_run_has_its_own_random_numbers_and_files(suite: Suite) -> None:
    conftest = (
        _CONFTEST + "import random\nseeded = random.Random(1)\nlines = open(__file__)\nprint('from a conftest')\n"
    )
    test = (
        "import random, conftest\n"
        "def test_values(): print('drawn', random.random(), conftest.seeded.random(), conftest.lines.readline())\n"
        "def test_loaded(): print(f'loaded at {conftest.LOADED},')\n"
    )
    with kept(suite, {"conftest.py": conftest, "test_one.py": test}) as watched:
        first = loaded(watched)
        assert again(watched) == first
        *_, one, two = re.findall(r"drawn (\S+) (\S+) (.*)", watched.text)
        assert one[0] != two[0]
        assert one[1:] == two[1:]


def test_what_conftests_print_is_captured_in_each_run(suite: Suite) -> None:
    conftest = (
        _CONFTEST
        + "COLLECTED = []\n"
        + "def pytest_collectreport(report): COLLECTED.extend(text for _, text in report.sections)\n"
        + "import sys\nsys.audit('open', 'no-flags')\nprint('from a conftest')\n"
    )
    test = _TEST + "def test_collected(): assert ''.join(conftest.COLLECTED).count('from a conftest') == 1\n"
    with kept(suite, {"conftest.py": conftest, "test_one.py": test}) as watched:
        first = loaded(watched)
        for _ in range(2):
            assert "2 passed" in watched.last()
            assert again(watched) == first


def test_ctrl_c_reaches_a_run_that_was_forked(suite: Suite) -> None:
    slow = _TEST + (
        "def test_slow():\n    import pathlib, time\n    pathlib.Path('.sleeping').touch()\n    time.sleep(60)\n"
    )
    with kept(suite, {}) as watched:
        first, before = loaded(watched), watched.runs
        watched.change(test_one=slow)
        watched.terminal.wait((suite.path / ".sleeping").exists)
        watched.terminal.type(b"\x03")
        watched.wait_for_run(before + 1)
        assert "KeyboardInterrupt" in watched.last()
        assert loaded(watched) == first


def test_a_run_is_like_one_that_was_started(suite: Suite) -> None:
    helper = "from os import getpid\nfrom random import choice\nfrom time import time\nVALUE = 1\n"
    test = _TEST + (
        "import os, random, subprocess, time\n"
        "def test_process():\n"
        "    assert os.environ['FROM_CONFTEST'] == '1' and 'RUSTPAR_WATCH' not in os.environ\n"
        "    assert not open('/proc/thread-self/children').read()\n"
        "    assert os.getsid(0) == os.getpgid(0) == os.getpid()\n"
        "    assert helper.getpid is os.getpid and helper.choice == random.choice and helper.time is time.time\n"
        "def test_input():\n"
        "    assert subprocess.run(['cat'], capture_output=True, timeout=20).stdout == b''\n"
    )
    conftest = _CONFTEST + "import os\nos.environ['FROM_CONFTEST'] = '1'\n"
    with kept(suite, {"conftest.py": conftest, "helper.py": helper, "test_one.py": test}) as watched:
        first = loaded(watched)
        assert "3 passed" in watched.last()
        assert again(watched) == first
        assert "3 passed" in watched.last()


def test_nothing_is_left_when_the_command_is_killed(suite: Suite) -> None:
    with kept(suite, {}) as watched:
        first = loaded(watched)
        assert again(watched) == first
        watched.terminal.process.send_signal(signal.SIGKILL)
        # The server would be there for the next run; so would the process that its forks are named like.
        end = time.monotonic() + RUN_LIMIT
        while len(marked_processes(os.environ[MARK])) > 1:
            assert time.monotonic() < end
            time.sleep(0.02)
