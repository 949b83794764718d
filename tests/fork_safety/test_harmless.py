"""State that workers may share is not a reason for early workers, and tests see the same as under pytest-xdist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.shapes import reasons_by_plugin

if TYPE_CHECKING:
    from tests.harness import ForkCase

NOTED = """
    import asyncio
    import copy
    import hashlib
    import json
    import os
    import platform
    import socket
    import sqlite3
    import subprocess
    import sys
    import tempfile
    import threading
    import uuid
    from concurrent.futures import ThreadPoolExecutor
    from pathlib import Path
    from support import HERE, note

    def use(me):
        note(SEEN)
"""


SHAPES = {
    "harmless_reads_of_the_environment": f"""{NOTED}
    SEEN = [
        "PYTEST_XDIST_WORKER" in os.environ,
        os.environ.get("PYTEST_XDIST_WORKER_COUNT"),
        len(os.getenv("PYTEST_XDIST_TESTRUNUID", "")),
        len(dict(os.environ)) == len(os.environ.copy()),
        "HOME" in {{**os.environ, "ours": "1"}},
        sorted(name for name in os.environ if name.startswith("PYTEST_XDIST")),
        {{name: value for name, value in os.environ.items() if name.startswith("APP_")}},
        [value for name, value in sorted(os.environ.items()) if name == "HOME"],
        {{name.lower(): value for name, value in os.environ.items() if value != ""}}.get("home"),
        subprocess.run(["true"], env={{**os.environ, "ours": "1"}}).returncode,
        len(json.loads(json.dumps(dict(os.environ)))) == len(copy.deepcopy(os.environ.copy())),
    ]
        """,
    "harmless_reads_of_workerinput": f"""{NOTED}
    import xdist

    def pytest_sessionstart(session):
        global SEEN
        values = getattr(session.config, "workerinput", {{}})
        SEEN = [
            hasattr(session.config, "workerinput"),
            xdist.is_xdist_worker(session),
            xdist.is_xdist_controller(session),
            "workerid" in values,
            values.get("workercount"),
            len(values.get("testrunuid", "")),
        ]
        """,
    "commands_have_ended": f"""{NOTED}
    SEEN = [
        subprocess.run([sys.executable, "--version"], capture_output=True, text=True, check=True).stdout,
        subprocess.check_output("echo here", shell=True),
        os.system("true"),
        platform.platform(),
    ]
        """,
    "calls_leave_nothing_behind": f"""{NOTED}
    SEEN = [
        hashlib.sha256(b"x").hexdigest(),
        len(os.urandom(16)),
        uuid.uuid5(uuid.NAMESPACE_DNS, "example.org"),
        os.path.isdir(tempfile.gettempdir()),
        len(socket.gethostname()),
    ]
        """,
    "a_database_lives_in_memory": """
        import sqlite3
        from sync import wait_for_all
        from support import note

        DATABASE = sqlite3.connect(":memory:")
        DATABASE.execute("create table names (name)")
        DATABASE.execute("insert into names values ('everybody')")
        DATABASE.commit()

        def use(me):
            DATABASE.execute("insert into names values (?)", me)
            wait_for_all(me, "inserted")
            note(DATABASE.execute("select count(*) from names").fetchone())
        """,
    "a_thread_has_ended": f"""{NOTED}
    SEEN = []
    thread = threading.Thread(target=SEEN.append, args=["seen"])
    thread.start()
    thread.join()
    with ThreadPoolExecutor(2) as pool:
        SEEN += pool.map(len, ["one", "three"])
        """,
    "a_faulthandler_timer_was_cancelled": """
        import faulthandler

        def pytest_configure():
            faulthandler.dump_traceback_later(3600)

        def pytest_sessionstart():
            faulthandler.cancel_dump_traceback_later()

        def use(me):
            faulthandler.dump_traceback_later(3600)
            faulthandler.cancel_dump_traceback_later()
        """,
    "locks_and_queues_are_made_for_threads": """
        import queue
        import threading

        LOCK = threading.RLock()
        DONE = threading.Event()
        QUEUE = queue.Queue()

        def use(me):
            thread = threading.Thread(target=QUEUE.put, args=[me])
            with LOCK:
                thread.start()
            assert QUEUE.get(timeout=2) == me
            thread.join()
            assert not DONE.is_set()
        """,
    "temporary_files_are_removed_again": f"""{NOTED}
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "data").write_text("x")
    with tempfile.NamedTemporaryFile() as file, tempfile.TemporaryFile() as other:
        file.write(b"x")
        other.write(b"x")
    fd, name = tempfile.mkstemp()
    os.close(fd)
    os.unlink(name)
    SEEN = [os.path.exists(path) for path in (directory, file.name, name)]
        """,
    "a_file_is_open_for_reading": f"""{NOTED}
    FILE = open(os.path.join(HERE, "support.py"))
    QUIET = open(os.devnull, "w")
    SEEN = len(FILE.read())
        """,
    "a_file_was_written_and_closed": f"""{NOTED}
    with open(os.path.join(HERE, "history"), "a") as file:
        file.write("collected")
    SEEN = Path(HERE, "history").stat().st_size > 0
        """,
    "a_socket_was_closed_again": f"""{NOTED}
    def answers():
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", 1)) == 0

    ours, theirs = socket.socketpair()
    ours.send(b"x")
    SEEN = answers(), theirs.recv(1)
    ours.close()
    theirs.close()
        """,
    "event_loops_were_closed_again": f"""{NOTED}
    loop = asyncio.new_event_loop()
    SEEN = [loop.run_until_complete(asyncio.sleep(0, "done")), asyncio.run(asyncio.sleep(0, "done"))]
    loop.close()
        """,
    "a_log_file_is_opened_with_its_first_record": """
        import logging
        from sync import wait_for_all
        from support import note

        logging.getLogger("late").addHandler(logging.FileHandler("app.log", delay=True))

        def use(me):
            logging.getLogger("late").warning("a line")
            wait_for_all(me, "logged")
            note(len(open("app.log").readlines()))
        """,
    "the_process_id_is_written_by_the_logging_of_the_standard_library": """
        import io
        import logging
        import os

        STREAM = io.StringIO()
        HANDLER = logging.StreamHandler(STREAM)
        HANDLER.setFormatter(logging.Formatter("%(process)d"))
        logging.getLogger("app").addHandler(HANDLER)
        logging.getLogger("app").warning("collecting")

        def use(me):
            logging.getLogger("app").warning("testing")
            assert STREAM.getvalue().split()[-1] == str(os.getpid())
        """,
    "fixtures_create_resources_for_each_worker": """
        import os
        import random
        import secrets
        import socket
        import subprocess
        import tempfile
        import threading
        import uuid
        from concurrent.futures import ThreadPoolExecutor
        import pytest
        from sync import claim
        from support import note

        @pytest.fixture(scope="session", autouse=True)
        def resources(worker_id, testrun_uid, tmp_path_factory):
            claim(f"{worker_id}.db")
            claim(os.environ["PYTEST_XDIST_WORKER"])
            claim(tmp_path_factory.mktemp("data"))
            claim(os.getpid())
            claim(uuid.uuid4())
            claim(secrets.token_hex())
            claim(random.random())
            server = socket.create_server(("127.0.0.1", 0))
            claim(server.getsockname()[1])
            thread = threading.Thread(target=server.accept, daemon=True)
            thread.start()
            helper = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
            with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(1) as pool:
                claim(directory)
                note(pool.submit(len, "four").result())
                yield
            socket.create_connection(server.getsockname()).close()
            thread.join()
            server.close()
            helper.communicate()

        def use(me):
            pass
        """,
}


def test_state_that_may_be_shared_is_not_a_reason(fork_case: ForkCase) -> None:
    assert reasons_by_plugin(fork_case, SHAPES, n=3) == {}
