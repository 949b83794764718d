"""Resources that exist after collection and cannot be shared by processes make workers early."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.shapes import reasons, run_plugins

if TYPE_CHECKING:
    from tests.harness import ForkCase, Suite


THREADS = {
    "a_server_runs_in_a_thread": """
        import socket
        import socketserver
        import threading
        from support import note

        class Handler(socketserver.StreamRequestHandler):
            asked = 0

            def handle(self):
                Handler.asked += 1
                self.wfile.write(b"%d" % Handler.asked)

        def pytest_configure(config):
            global SERVER
            SERVER = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
            threading.Thread(target=SERVER.serve_forever, daemon=True).start()

        def use(me):
            with socket.create_connection(SERVER.server_address, timeout=5) as connection:
                note(f"answer {connection.recv(9)}")
        """,
    "log_records_go_through_a_listening_thread": """
        import logging
        import logging.handlers
        import queue
        import time

        class Keep(logging.Handler):
            kept = []

            def emit(self, record):
                self.kept.append(record.getMessage())

        def pytest_configure(config):
            records = queue.Queue()
            config.listener = logging.handlers.QueueListener(records, Keep())
            config.listener.start()
            logging.getLogger("app").addHandler(logging.handlers.QueueHandler(records))

        def pytest_unconfigure(config):
            config.listener.stop()

        def use(me):
            logging.getLogger("app").warning(me)
            end = time.monotonic() + 2
            while Keep.kept != [me]:
                assert time.monotonic() < end, Keep.kept
                time.sleep(0.01)
        """,
    "a_pool_of_threads_is_used_while_collecting": """
        from concurrent.futures import ThreadPoolExecutor

        POOL = ThreadPoolExecutor(max_workers=1)

        def pytest_collection_modifyitems(items):
            assert list(POOL.map(len, items and [items])) == [2]

        def use(me):
            assert POOL.submit(len, "four").result(timeout=2) == 4
        """,
    "a_timer_is_running": """
        import threading

        TIMER = threading.Timer(60, print)
        TIMER.daemon = True
        TIMER.start()

        def use(me):
            assert TIMER.is_alive()
        """,
}


def test_threads_make_workers_early(fork_case: ForkCase) -> None:
    found = reasons(run_plugins(fork_case, THREADS))
    threads = sorted(re.findall(r"leaves the thread (.*?) running", "\n".join(found)))
    # The timer's has only a number.
    names = [re.sub(r"^Thread-\d+ ?", "", thread) for thread in threads]
    assert sorted(names) == ["", "(_monitor)", "(serve_forever)", "ThreadPoolExecutor-0_0"]


def test_a_thread_is_started_below_threading(fork_case: ForkCase) -> None:
    fork_case.expect_early(
        """
        import _thread
        import time

        BEATS = []

        def beat():
            while True:
                BEATS.append(1)
                time.sleep(0.01)

        _thread.start_new_thread(beat, ())

        def use(me):
            before, end = len(BEATS), time.monotonic() + 2
            while len(BEATS) == before:
                assert time.monotonic() < end
                time.sleep(0.01)
        """
    )


def test_a_faulthandler_timer_is_running(fork_case: ForkCase) -> None:
    # The waiting thread is not a Python thread, and cancelling waits for its end.
    fork_case.expect_early(
        """
        from faulthandler import *
        import pytest

        dump_traceback_later(3600)

        def use(me):
            with pytest.raises(AssertionError):
                assert not me
            cancel_dump_traceback_later()
            dump_traceback_later(3600)
        """
    )


def test_the_line_that_starts_a_faulthandler_timer_is_named(suite: Suite) -> None:
    suite.conftest("import faulthandler\n\nfaulthandler.dump_traceback_later(3600)\n")
    suite.test("def test_fails(): assert False\ndef test_passes(): pass\n")
    run = suite.run()
    assert run.counts() == {"failed": 1, "passed": 1}
    assert "start: early (conftest.py:3 leaves a faulthandler timer running" in run.line("start: early")


def test_a_plugin_starts_a_faulthandler_timer_through_a_saved_reference(suite: Suite) -> None:
    suite.write(
        {
            "hasty.py": """
                from faulthandler import dump_traceback_later

                def pytest_sessionstart():
                    dump_traceback_later(3600)
            """
        }
    )
    suite.test("def test_fails(): assert False\ndef test_passes(): pass\n")
    run = suite.run("-p", "hasty")
    assert run.counts() == {"failed": 1, "passed": 1}
    assert "leaves a faulthandler timer running" in run.line("start: early")


def test_an_alarm_is_set(fork_case: ForkCase) -> None:
    fork_case.expect_template(
        """
        import signal
        from support import note

        def pytest_configure(config):
            signal.signal(signal.SIGALRM, lambda *args: None)
            signal.alarm(60)

        def use(me):
            note(signal.alarm(0) > 0)
        """
    )


FILES = {
    "a_database_is_open": """
        import atexit
        import os
        import sqlite3
        import tempfile
        from sync import wait_for_all
        from support import note

        FILE = tempfile.mktemp(suffix=".db")
        DATABASE = sqlite3.connect(FILE)
        DATABASE.execute("create table names (name)")
        DATABASE.commit()
        atexit.register(os.unlink, FILE)

        def use(me):
            with DATABASE:
                DATABASE.execute("insert into names values (?)", me)
            wait_for_all(me, "inserted")
            note(DATABASE.execute("select count(*) from names").fetchone())
        """,
    # Every process writes from the beginning of the file, so it contains a single line.
    "a_log_file_is_open": """
        import os
        from sync import wait_for_all
        from support import note

        def pytest_configure(config):
            global LOG
            LOG = open("tests.log", "w")

        def use(me):
            LOG.write("a line\\n")
            LOG.flush()
            wait_for_all(me, "written")
            note(os.path.getsize("tests.log"))
        """,
    "a_lock_file_is_open": """
        import fcntl
        from sync import wait_for_all

        LOCK = open("lock", "w")

        def use(me):
            wait_for_all(me, "lock")
            try:
                fcntl.flock(LOCK, fcntl.LOCK_EX | fcntl.LOCK_NB)
                wait_for_all(me, "locked")
                alone = me
            except BlockingIOError:
                wait_for_all(me, "locked")
                alone = None
            with open("holders", "a") as file:
                file.write(alone or "")
            wait_for_all(me, "noted")
            assert len(open("holders").read()) == 1
        """,
    "a_temporary_file_without_a_name_is_open": """
        import tempfile
        from sync import wait_for_all
        from support import note

        SCRATCH = tempfile.TemporaryFile()

        def use(me):
            SCRATCH.write(b"x")
            SCRATCH.flush()
            wait_for_all(me, "written")
            SCRATCH.seek(0)
            note(SCRATCH.read())
        """,
}


def test_files_make_workers_early(fork_case: ForkCase) -> None:
    found = reasons(run_plugins(fork_case, FILES, n=3))
    left = sorted(re.findall(r"leaves \S*/(\S+) open for writing", "\n".join(found)))
    # The names of temporary files are random; one without a name is shown by its number.
    assert [re.sub(r"^tmp\w+", "", re.sub(r"^#\d+", "#", name)) for name in left] == ["#", "lock", "tests.log", ".db"]


MAPPED = """
    import atexit
    import mmap
    import os
    import tempfile
    from sync import wait_for_all
    from support import note

    def use(me):
        MEMORY[ord(me)] = 1
        wait_for_all(me, "written")
        note(sum(MEMORY[:]))
"""


def test_a_file_is_mapped_into_memory(fork_case: ForkCase) -> None:
    fork_case.expect_early(
        f"""{MAPPED}
    fd, FILE = tempfile.mkstemp()
    atexit.register(os.unlink, FILE)
    os.truncate(fd, 4096)
    MEMORY = mmap.mmap(fd, 4096)
    os.close(fd)
        """
    )


def test_memory_without_a_file_is_mapped(fork_case: ForkCase) -> None:
    fork_case.expect_early(f"{MAPPED}\n    MEMORY = mmap.mmap(-1, 4096)\n")


def test_an_event_loop_is_open(fork_case: ForkCase) -> None:
    fork_case.expect_early(
        """
        import asyncio
        import os
        from sync import wait_for_all

        LOOP = asyncio.new_event_loop()
        asyncio.set_event_loop(LOOP)

        def use(me):
            read, write = os.pipe()
            called = []
            LOOP.add_reader(read, called.append, True)
            wait_for_all(me, "watching")
            if me == "a":
                os.write(write, b"x")
            wait_for_all(me, "written")
            LOOP.run_until_complete(asyncio.sleep(0.1))
            assert bool(called) == (me == "a")
            LOOP.remove_reader(read)
        """
    )


def test_a_selector_is_open(fork_case: ForkCase) -> None:
    fork_case.expect_early(
        """
        import os
        import selectors
        from sync import wait_for_all
        from support import note

        SELECTOR = selectors.DefaultSelector()

        def use(me):
            read, write = os.pipe()
            SELECTOR.register(read, selectors.EVENT_READ)
            wait_for_all(me, "watching")
            if me == "a":
                os.write(write, b"x")
            wait_for_all(me, "written")
            assert len(SELECTOR.select(timeout=0.1)) == (me == "a")
        """
    )
