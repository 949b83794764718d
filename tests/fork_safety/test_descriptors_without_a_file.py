"""File descriptors without a file, such as an eventfd, make workers early and are named as the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

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


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("LIBC.eventfd(0, 0)", "an eventfd"),
        ("LIBC.timerfd_create(1, 0)", "a timerfd"),
        ("LIBC.inotify_init()", "an inotify instance"),
        ("LIBC.signalfd(-1, ctypes.create_string_buffer(128), 0)", "a signalfd"),
        ("os.pidfd_open(1)", "a pidfd"),
        ("LIBC.epoll_create(1)", "an event loop"),
    ],
)
def test_descriptors_without_a_file_are_named(suite: Suite, call: str, words: str) -> None:
    suite.conftest(f"import ctypes\nimport os\nLIBC = ctypes.CDLL(None)\nFD = {call}\nassert FD >= 0\n")
    suite.test("def test_one(): pass\ndef test_two(): pass\n")
    run = suite.run()
    assert run.counts() == {"passed": 2}
    assert f"start: early ({words} that was created during collection is still open)" in run.text


def test_closed_descriptors_without_a_file_are_not_a_reason(suite: Suite) -> None:
    suite.conftest("import os\nos.close(os.eventfd(0))\nos.close(os.pidfd_open(os.getpid()))\n")
    suite.test("def test_one(): pass\ndef test_two(): pass\n")
    assert suite.run().start() == "template"
