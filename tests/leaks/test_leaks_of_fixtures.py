"""What a shared fixture opens is its own until it is torn down; what it leaves then is reported with its name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.harness import Suite

FIXTURES = """
    import logging
    import os
    import socket
    import subprocess
    import tempfile
    import threading
    from concurrent.futures import ThreadPoolExecutor

    import pytest

    kept = []

    @pytest.fixture(scope="session")
    def session_pool():
        pool = ThreadPoolExecutor(2)
        yield pool
        pool.shutdown()

    @pytest.fixture(scope="session")
    def unclosed_pool():
        pool = ThreadPoolExecutor(1)
        kept.append(pool)
        return pool

    class Client:
        def connect(self):
            self.connection = socket.create_server(("127.0.0.1", 0))

    @pytest.fixture(scope="module")
    def client():
        client = Client()
        yield client
        client.connection.close()

    @pytest.fixture(scope="module")
    def unclosed_client():
        client = Client()
        kept.append(client)
        yield client

    @pytest.fixture(scope="module")
    def hidden():
        # No object that can be reached from the fixture has the descriptor: one of native code, for example.
        numbers = []
        yield numbers
        os.close(numbers.pop())

    @pytest.fixture(scope="module")
    def log(tmp_path_factory):
        handler = logging.FileHandler(tmp_path_factory.mktemp("log") / "log.txt")
        yield handler
        handler.close()

    @pytest.fixture(scope="class")
    def variables():
        os.environ["OF_CLASS"] = "1"
        before = os.getcwd()
        os.chdir("/")
        yield
        os.chdir(before)
        del os.environ["OF_CLASS"]

    @pytest.fixture(scope="module")
    def left_variable():
        os.environ["LEFT"] = "1"

    @pytest.fixture(scope="module", params=[1, 2])
    def service(request):
        child = subprocess.Popen(["sleep", "20"])
        directory = tempfile.mkdtemp()
        yield child
        child.kill()
        child.wait()
        os.rmdir(directory)

    @pytest.fixture(scope="module", params=["first", "second"])
    def unremoved(request):
        return tempfile.mkdtemp(prefix=request.param, dir=os.path.dirname(__file__))
"""

TESTS = """
    import os
    import threading
    import time
    import unittest

    import pytest

    at_import = open(os.devnull)

    def test_pools_start_threads(session_pool, unclosed_pool):
        session_pool.submit(int).result()
        unclosed_pool.submit(int).result()

    def test_pools_start_more_threads(session_pool):
        for one in [session_pool.submit(time.sleep, 0.01) for _ in range(2)]:
            one.result()

    def test_clients_connect(client, unclosed_client, log):
        client.connect()
        unclosed_client.connect()

    def test_hidden(hidden):
        hidden.append(os.dup(2))

    class TestClass:
        def test_variables(self, variables):
            assert os.environ["OF_CLASS"]

        def test_variables_are_still_set(self, variables):
            assert os.environ["OF_CLASS"]

    def test_variable_is_left(left_variable):
        pass

    @pytest.mark.allow_leaks("environment")
    def test_service(service):
        assert service.poll() is None

    def test_unremoved(unremoved):
        pass

    class TestUnit(unittest.TestCase):
        @classmethod
        def setUpClass(cls):
            cls.opened = open(os.devnull)
            cls.stop = threading.Event()
            cls.threads = []

        @classmethod
        def tearDownClass(cls):
            cls.opened.close()
            cls.stop.set()
            for thread in cls.threads:
                thread.join()

        def test_uses_what_the_class_has(self):
            self.threads.append(threading.Thread(target=self.stop.wait))
            self.threads[0].start()

    class TestUnclosed(unittest.TestCase):
        @classmethod
        def setUpClass(cls):
            cls.opened = open(os.devnull)

        def test_one(self):
            pass

        def test_two(self):
            pass
"""

# The first group: the test with whose teardown the fixture was torn down.
FOUND = [
    r"test_it\.py::TestUnclosed::test_two: fixture setUpClass left a file open: /dev/null \(descriptor \d+\)",
    r"test_it\.py::(.*): fixture left_variable \(module scope\) left the environment changed: added LEFT",
    r"test_it\.py::(.*): fixture unclosed_client \(module scope\) left a socket open: 127\.0\.0\.1:\d+ \(.*\)",
    r"test_it\.py::(.*): fixture unclosed_pool \(session scope\) left a thread running: ThreadPoolExecutor-\d_0 \(.*\)",
    r"test_it\.py::test_unremoved\[second\]: fixture unremoved \(.*\) left a temporary directory: .*/first\w+",
    r"test_it\.py::(.*): fixture unremoved \(module scope\) left a temporary directory: .*/second\w+",
]


def test_fixtures_are_named_after_they_were_torn_down(suite: Suite) -> None:
    suite.conftest(FIXTURES)
    suite.test(TESTS)
    for mode in ((None, ()), ("1", ()), ("1", ("--rustpar-start=xdist",))):
        count, arguments = mode
        run = suite.run("--rustpar-leaks=warn", *arguments, n=count)
        assert run.ret == 0, run.text
        lines = run.section("leaks")
        unmatched = list(lines)
        for pattern in FOUND:
            matching = [line for line in unmatched if re.fullmatch(pattern, line)]
            assert len(matching) == 1, (pattern, lines)
            unmatched.remove(matching[0])
        assert not unmatched


def test_a_fixture_torn_down_at_the_end_of_a_stopped_session_is_reported(suite: Suite) -> None:
    suite.test(
        """
        import os

        import pytest

        @pytest.fixture(scope="session")
        def left():
            os.environ["LEFT"] = "1"

        def test_one(left):
            pass

        def test_two(left):
            assert not os.environ.get("STOP")

        def test_three(left):
            pass
        """
    )
    line = "fixture left (session scope) left the environment changed: added LEFT"
    for count in (None, "1"):
        run = suite.run_with({"STOP": "1"}, "--rustpar-leaks=warn", "-x", "--tb=no", n=count)
        assert run.section("leaks") == [f"test_it.py::test_two: {line}"]
        run = suite.run("--rustpar-leaks=fail", n=count)
        assert run.counts() == {"passed": 3, "errors": 1}
        assert f"test_it.py::test_three: {line}" in run.lines
