"""File descriptors without a file, such as an eventfd, make workers early and are named as the reason."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.harness import ForkCase, Suite

EVENTS = """
    import os
    import select
    from sync import wait_for_all
    from support import note

    def is_ready(fd):
        return bool(select.select([fd], [], [], 0.2)[0])
"""


def test_an_eventfd_is_open(fork_case: ForkCase) -> None:
    fork_case.expect_early(
        f"""{EVENTS}
    BELL = os.eventfd(0)

    def use(me):
        if me == "a":
            os.eventfd_write(BELL, 1)
        wait_for_all(me, "written")
        assert is_ready(BELL) == (me == "a")
        """
    )


def test_a_process_descriptor_is_open(fork_case: ForkCase) -> None:
    fork_case.expect_early(
        f"""{EVENTS}
    SELF = os.pidfd_open(os.getpid())

    def use(me):
        with open(f"/proc/self/fdinfo/{{SELF}}") as file:
            pid = next(int(line.split()[1]) for line in file if line.startswith("Pid:"))
        assert pid == os.getpid()
        """
    )


# Calls that open descriptors, and what they are called.
CALLS = {
    "LIBC.eventfd(0, 0)": "an eventfd",
    "LIBC.timerfd_create(1, 0)": "a timerfd",
    "LIBC.inotify_init()": "an inotify instance",
    "LIBC.signalfd(-1, ctypes.create_string_buffer(128), 0)": "a signalfd",
    "os.pidfd_open(1)": "a pidfd",
    "LIBC.epoll_create(1)": "an event loop",
}


def test_descriptors_without_a_file_are_named(suite: Suite) -> None:
    calls = "".join(f"FDS.append({call})\n" for call in CALLS)
    suite.conftest(f"import ctypes\nimport os\nLIBC = ctypes.CDLL(None)\nFDS = []\n{calls}assert min(FDS) >= 0\n")
    suite.test("def test_one(): pass\ndef test_two(): pass\n")
    run = suite.run("-v")
    assert run.counts() == {"passed": 2}
    assert run.start() == "early"
    found = re.findall(r"(?:start: early \(|  and )(.*?) that was created during collection is still open", run.out)
    assert sorted(found) == sorted(CALLS.values())


def test_closed_descriptors_without_a_file_are_not_a_reason(suite: Suite) -> None:
    suite.conftest("import os\nos.close(os.eventfd(0))\nos.close(os.pidfd_open(os.getpid()))\n")
    suite.test("def test_one(): pass\ndef test_two(): pass\n")
    assert suite.run().start() == "template"
