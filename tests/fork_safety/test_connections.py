"""Connections between processes that exist after collection make workers early: each worker creates its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.shapes import reasons_by_plugin

if TYPE_CHECKING:
    from tests.harness import ForkCase


# A worker gets back what it sends, and nothing from another worker.
ECHO = """
    import multiprocessing
    import os
    import queue
    import socket
    import threading
    from sync import wait_for_all

    def use(me):
        send(me.encode())
        wait_for_all(me, "sent")
        assert receive() == me.encode()
"""


CONNECTIONS = {
    "a_pair_of_sockets_is_open": f"""{ECHO}
    ours, theirs = socket.socketpair()
    theirs.settimeout(2)
    send = ours.send

    def receive():
        return theirs.recv(10)
        """,
    "a_connection_to_a_service_is_open": f"""{ECHO}
    def pytest_configure(config):
        global CONNECTION
        if hasattr(config, "workerinput"):
            CONNECTION = socket.create_connection(("127.0.0.1", int(os.environ["SERVICE"])))
            CONNECTION.settimeout(2)
        else:
            listener = socket.create_server(("127.0.0.1", 0))
            os.environ["SERVICE"] = str(listener.getsockname()[1])
            threading.Thread(target=serve, args=[listener], daemon=True).start()

    def serve(listener):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=answer, args=[connection], daemon=True).start()

    def answer(connection):
        while received := connection.recv(10):
            connection.send(received)

    def send(text):
        CONNECTION.send(text)

    def receive():
        return CONNECTION.recv(10)
        """,
    "a_helper_process_runs_until_it_is_ended": """
        import subprocess

        def pytest_sessionstart(session):
            session.config.helper = subprocess.Popen(["sleep", "50"])

        def pytest_sessionfinish(session):
            session.config.helper.terminate()
            assert session.config.helper.wait(2) == -15

        def use(me):
            pass
        """,
    "a_manager_of_shared_objects_is_running": """
        import multiprocessing
        from sync import wait_for_all

        MANAGER = multiprocessing.get_context("fork").Manager()
        NAMES = MANAGER.list()

        def use(me):
            NAMES.append(me)
            wait_for_all(me, "appended")
            assert list(NAMES) == [me]
        """,
}


def test_connections_make_workers_early(fork_case: ForkCase) -> None:
    kinds = {
        "a_pair_of_sockets_is_open": "leaves a socket open",
        "a_connection_to_a_service_is_open": "leaves a socket open",
        "a_helper_process_runs_until_it_is_ended": "leaves a child process running",
        "a_manager_of_shared_objects_is_running": "leaves a child process running",
    }
    found = reasons_by_plugin(fork_case, CONNECTIONS, n=3)
    assert {name: words for name, words in kinds.items() if words not in found.get(name, [])} == {}, found


def test_a_pipe_is_open(fork_case: ForkCase) -> None:
    fork_case.expect_early(
        f"""{ECHO}
    read, write = os.pipe()
    os.set_blocking(read, False)

    def send(text):
        os.write(write, text)

    def receive():
        return os.read(read, 10)
        """
    )


def test_a_queue_between_processes_is_open(fork_case: ForkCase) -> None:
    fork_case.expect_early(
        f"""{ECHO}
    QUEUE = multiprocessing.get_context("fork").Queue()
    send = QUEUE.put

    def receive():
        got = [QUEUE.get(timeout=2)]
        try:
            got.append(QUEUE.get(timeout=0.2))
        except queue.Empty:
            pass
        return b" ".join(got)
        """
    )


def test_a_helper_process_answers_through_pipes(fork_case: ForkCase) -> None:
    fork_case.expect_early(
        """
        import select
        import subprocess
        import sys
        from support import note

        COUNT = "import sys; [print(number, flush=True) for number, line in enumerate(sys.stdin)]"

        def pytest_sessionstart(session):
            global HELPER
            HELPER = subprocess.Popen(
                [sys.executable, "-c", COUNT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )

        def pytest_sessionfinish(session):
            HELPER.stdin.close()
            HELPER.wait(5)

        def use(me):
            HELPER.stdin.write("next\\n")
            HELPER.stdin.flush()
            assert select.select([HELPER.stdout], [], [], 2)[0]
            note(HELPER.stdout.readline())
            assert HELPER.poll() is None
        """
    )


def test_a_pool_of_processes_is_running(fork_case: ForkCase) -> None:
    fork_case.expect_early(
        """
        import multiprocessing

        def pytest_configure(config):
            global POOL
            POOL = multiprocessing.get_context("fork").Pool(1)

        def pytest_unconfigure(config):
            POOL.terminate()

        def use(me):
            assert POOL.apply_async(len, ["four"]).get(timeout=2) == 4
        """
    )


def test_a_lock_between_processes_exists(fork_case: ForkCase) -> None:
    fork_case.expect_early(
        """
        import multiprocessing
        from sync import wait_for_all

        LOCK = multiprocessing.get_context("fork").Lock()

        def use(me):
            got = LOCK.acquire(timeout=1)
            wait_for_all(me, "locked")
            assert got
        """
    )


def test_a_number_between_processes_exists(fork_case: ForkCase) -> None:
    fork_case.expect_early(
        """
        import multiprocessing
        from sync import wait_for_all
        from support import note

        NUMBER = multiprocessing.get_context("fork").Value("i", 0)

        def use(me):
            with NUMBER.get_lock():
                NUMBER.value += 1
            wait_for_all(me, "counted")
            note(NUMBER.value)
        """
    )


def test_memory_between_processes_exists(fork_case: ForkCase) -> None:
    fork_case.expect_early(
        """
        import atexit
        from multiprocessing.shared_memory import SharedMemory
        from sync import wait_for_all
        from support import note

        MEMORY = SharedMemory(create=True, size=10)
        atexit.register(MEMORY.unlink)

        def use(me):
            MEMORY.buf["abc".index(me)] = 1
            wait_for_all(me, "written")
            note(sum(MEMORY.buf[:3]))
        """
    )
