"""Functions of Python that a suite replaces are replaced in its tests, and do not affect the run itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Suite

NO = "def no(*args, **kwargs): raise RuntimeError('not here')\n"

CONFTESTS = {
    "fork": f"import os\n{NO}os.fork = no\n",
    "process ids": "import os\nos.getpid = lambda: 1234\nos.getppid = lambda: 1\n",
    "children": f"import os\n{NO}os.pidfd_open = no\n",
    "signals": f"import signal\n{NO}def pytest_collection_finish(): signal.signal = signal.getsignal = no\n",
    "temporary files": f"import tempfile\n{NO}tempfile.TemporaryFile = tempfile.mkstemp = no\n",
    "environment": "import os\nos.environ = dict(os.environ)\n",
    "fork hook that fails": f"import os\n{NO}os.register_at_fork(before=no)\n",
    "fork hook that exits": "import os\nos.register_at_fork(after_in_child=lambda: os._exit(7))\n",
}


@pytest.mark.parametrize("start", ["auto", "early"])
@pytest.mark.parametrize("replaced", CONFTESTS)
def test_a_conftest_replaces_functions(suite: Suite, replaced: str, start: str) -> None:
    suite.conftest(CONFTESTS[replaced])
    suite.test("def test_one(): pass\ndef test_two(): pass\n")
    run = suite.run(f"--rustpar-start={start}")
    assert run.counts() == {"passed": 2}, run.text
    assert run.ret == 0
    assert "INTERNALERROR" not in run.text


@pytest.mark.parametrize("replaced", ["fork", "process ids", "signals", "environment"])
def test_a_conftest_replaces_functions_although_there_is_a_template(suite: Suite, replaced: str) -> None:
    suite.conftest(CONFTESTS[replaced])
    suite.test("def test_one(): pass\ndef test_two(): pass\n")
    assert suite.run("--rustpar-start=template").counts() == {"passed": 2}


def test_a_client_that_closes_in_forked_processes_makes_workers_early(suite: Suite) -> None:
    suite.write(
        {
            "client.py": """
                import os
                class Client:
                    is_open = True
                    def __init__(self): os.register_at_fork(after_in_child=self.close)
                    def close(self): self.is_open = False
            """
        }
    )
    suite.conftest("import client\nCLIENT = client.Client()\n")
    suite.test("import conftest\ndef test_one(): assert conftest.CLIENT.is_open\ndef test_two(): test_one()\n")
    run = suite.run()
    assert run.counts() == {"passed": 2}, run.text
    line = run.line("start: early")
    assert "client.py:5 registers a function to run at forks (os.register_at_fork)" in line


def test_workers_start_if_the_temporary_directory_has_been_removed(suite: Suite) -> None:
    suite.conftest(
        """
        import tempfile, shutil
        directory = tempfile.mkdtemp()
        tempfile.tempdir = directory
        def pytest_collection_finish(session): shutil.rmtree(directory, ignore_errors=True)
        """
    )
    suite.test("def test_one(): pass\ndef test_two(): assert 0, 'told'\n")
    for start in ("auto", "template"):
        run = suite.run(f"--rustpar-start={start}")
        assert run.counts() == {"passed": 1, "failed": 1}, run.text
        assert run.ret == 1


def test_tests_run_while_imports_are_blocked(suite: Suite) -> None:
    suite.conftest(
        """
        import sys, pytest

        class Block:
            def find_spec(self, name, path=None, target=None): raise ModuleNotFoundError(name)

        @pytest.fixture(autouse=True, scope="session")
        def offline():
            sys.meta_path.insert(0, block := Block())
            yield
            sys.meta_path.remove(block)
        """
    )
    suite.test(
        """
        import warnings, pytest
        def test_warns(): warnings.warn("x")
        def test_records(record_testsuite_property): record_testsuite_property("a", 1)
        def test_fails(): assert {"a": 1} == {"a": 2}
        def test_is_skipped(): pytest.skip("s")
        """
    )
    plain = suite.plain()
    for start in ("auto", "early"):
        run = suite.run(f"--rustpar-start={start}")
        assert run.outcomes == plain.outcomes, run.text
        assert "INTERNALERROR" not in run.text


@pytest.mark.parametrize("restarts", ["0", "4"])
def test_a_run_that_loses_all_workers_before_their_first_test_does_not_pass(suite: Suite, restarts: str) -> None:
    suite.conftest("import os\nos.register_at_fork(after_in_child=lambda: os._exit(0))\n")
    suite.test("def test_one(): pass\ndef test_two(): pass\n")
    run = suite.run("--rustpar-start=template", f"--max-worker-restart={restarts}")
    assert run.ret == 1
    assert "2 tests were lost (collected, but neither run nor skipped on purpose)" in run.text
