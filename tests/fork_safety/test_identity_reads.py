"""Resources named after the worker or its process make workers early: each worker creates its own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.shapes import reasons_by_plugin

if TYPE_CHECKING:
    from tests.harness import ForkCase, Suite

# The table already exists if another worker uses the same database.
DATABASE = """
    import contextlib
    import multiprocessing
    import os
    import sqlite3
    from os import getpid
    from pathlib import Path
    from support import note
    from sync import claim

    def use(me):
        note(NAME)
        with contextlib.closing(sqlite3.connect(f"{NAME}.db")) as database:
            database.execute("create table mine (name)")

    NAME = "controller"
"""


# Reads of the worker's name.
FROM_ENVIRONMENT = [
    'os.environ["PYTEST_XDIST_WORKER"] if "PYTEST_XDIST_WORKER" in os.environ else "controller"',
    'os.environ["PYTEST_XDIST_WORKER"] if "PYTEST_XDIST_WORKER" in os.environ.keys() else "controller"',
    'os.environ.get("PYTEST_XDIST_WORKER", "controller")',
    'os.getenv("PYTEST_XDIST_WORKER", "controller")',
    '100 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw99").removeprefix("gw"))',
    'os.environ.copy().get("PYTEST_XDIST_WORKER")',
    'dict(os.environ).get("PYTEST_XDIST_WORKER")',
    '{**os.environ, "OTHER": "1"}.get("PYTEST_XDIST_WORKER")',
    '{k.lower(): v for k, v in os.environ.items()}.get("pytest_xdist_worker")',
    '" ".join(v for k, v in os.environ.items() if k == "PYTEST_XDIST_WORKER")',
    '" ".join(os.environ[k] for k in os.environ if not k != "PYTEST_XDIST_WORKER")',
    'os.environb.get(b"PYTEST_XDIST_WORKER", b"").decode()',
    'os.path.expandvars("$PYTEST_XDIST_WORKER")',
]

FROM_WORKERINPUT = [
    'config.workerinput["workerid"]',
    'getattr(config, "workerinput", {"workerid": "master"})["workerid"]',
    'dict(config.workerinput)["workerid"]',
]


def test_a_database_is_named_after_the_worker_in_the_environment(fork_case: ForkCase) -> None:
    fork_case.expect_early(f"{DATABASE}\n    NAME = '-'.join(map(str, [{', '.join(FROM_ENVIRONMENT)}]))\n")


def test_a_database_is_named_after_the_worker_in_workerinput(fork_case: ForkCase) -> None:
    fork_case.expect_early(
        f"""{DATABASE}
    def pytest_configure(config):
        global NAME
        if hasattr(config, "workerinput"):
            NAME = "-".join([{", ".join(FROM_WORKERINPUT)}])
        """
    )


def test_each_read_of_the_workers_name_is_reported(suite: Suite) -> None:
    """The first reason ends collection, so this calls the monitor, once for each read."""
    reads = [*FROM_ENVIRONMENT, *FROM_WORKERINPUT]
    for number, read in enumerate(reads):
        suite.write({f"read{number}.py": f"import os\ndef read(config): return {read}\n"})
    suite.test(
        f"""
        import importlib
        from types import SimpleNamespace
        from support import note
        from rustpar.fork_safety.monitor import Monitor

        def test_it(monkeypatch, pytestconfig):
            monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw7")
            for number in range({len(reads)}):
                module = importlib.import_module(f"read{{number}}")
                reported = []
                monitor = Monitor(reported.append, is_decided=False)
                try:
                    workerinput = monitor.watched_input({{"workerid": "gw7"}}, ["workerid"])
                    value = module.read(SimpleNamespace(workerinput=workerinput))
                finally:
                    reasons = monitor.stop(pytestconfig)
                note(f"{{value}} {{reported == reasons[:1]}} {{reasons}}")
        """
    )
    run = suite.run(n=None)
    assert run.ret == 0, run.text
    wrong = {}
    for number, (read, line) in enumerate(zip(reads, suite.notes(), strict=True)):
        value = "107" if read.startswith("100 +") else "gw7"
        what = "(reads PYTEST_XDIST_WORKER|reads workerinput\\['workerid'\\]|copies workerinput)"
        if not re.fullmatch(rf"\w+ {value} True \[['\"]read{number}\.py:2 {what}['\"]\]", line):
            wrong[read] = line
    assert wrong == {}


def test_a_database_is_named_after_the_result_of_get_xdist_worker_id(fork_case: ForkCase) -> None:
    fork_case.expect_early(
        f"""{DATABASE}
    import xdist

    def pytest_sessionstart(session):
        global NAME
        NAME = xdist.get_xdist_worker_id(session)
        """
    )


def test_a_test_reads_the_workers_name_from_a_copy_of_the_environment(fork_case: ForkCase) -> None:
    fork_case.expect_early(
        """
        import os
        from sync import claim

        BEFORE = dict(os.environ)

        def use(me):
            claim(BEFORE["PYTEST_XDIST_WORKER"])
        """
    )


def test_a_test_module_names_its_database_after_the_worker(fork_case: ForkCase) -> None:
    fork_case.expect_early(f'{DATABASE}\n    NAME = os.environ.get("PYTEST_XDIST_WORKER")\n', file="test_it.py")


def test_settings_that_a_conftest_imports_name_the_database_after_the_worker(fork_case: ForkCase) -> None:
    fork_case.expect_early(
        f"{DATABASE}\n    from settings import NAME\n",
        settings="import os\nNAME = 'test_' + os.getenv('PYTEST_XDIST_WORKER', 'controller')\n",
        n=3,
    )


def test_a_plugin_of_the_suite_sets_a_variable_after_the_worker(fork_case: ForkCase) -> None:
    fork_case.expect_early(
        """
        import os
        from support import note
        from sync import claim

        pytest_plugins = ["databases"]

        def use(me):
            claim(os.environ["DATABASE_URL"])
            note(os.environ["DATABASE_URL"])
        """,
        databases="""
            import os

            def pytest_configure(config):
                worker = getattr(config, "workerinput", {}).get("workerid", "master")
                os.environ["DATABASE_URL"] = f"sqlite:///{worker}.db"
        """,
    )


def test_a_database_that_the_controller_names_for_each_worker(fork_case: ForkCase) -> None:
    fork_case.expect_early(
        f"""{DATABASE}
    def pytest_configure_node(node):
        node.workerinput["database"] = "of_" + node.gateway.id

    def pytest_configure(config):
        global NAME
        if hasattr(config, "workerinput"):
            NAME = config.workerinput["database"]
        """
    )


def test_a_parameter_is_made_from_the_workers_name(fork_case: ForkCase) -> None:
    test = """
        import os
        import sync
        import pytest
        from support import note

        def pytest_generate_tests(metafunc):
            metafunc.parametrize("database", [os.environ.get("PYTEST_XDIST_WORKER")], ids=["database"])

        @pytest.mark.parametrize("me", sync.ALL)
        def test_it(me, database):
            sync.wait_for_all(me, "begin")
            note(database)
    """
    xdist, rustpar = fork_case.compare({"test_it.py": test})
    assert xdist.ret == 0
    assert rustpar.start() in fork_case.EARLY_MODES


def test_tests_that_depend_on_the_worker_name_are_those_of_gw0(suite: Suite) -> None:
    test = """
        import os
        import pytest

        @pytest.mark.parametrize("worker", [os.environ.get("PYTEST_XDIST_WORKER")])
        @pytest.mark.parametrize("n", range(4))
        def test_it(n, worker):
            pass
    """
    suite.test(test)
    assert "Different tests were collected between" in suite.run("-p", "no:rustpar").text
    run = suite.run()
    assert run.counts() == {"passed": 4}
    assert "start: template (gw1 collected different tests than gw0)" in run.text


PROCESS = f"""{DATABASE}
    def use(me):
        assert int(KEPT) == os.getpid()
        claim(KEPT)
"""


def test_a_test_module_keeps_the_process_id(fork_case: ForkCase) -> None:
    fork_case.expect_early(f"{PROCESS}\n    KEPT = os.getpid()\n", file="test_it.py", n=3)


def test_a_process_is_remembered_by_scratch_files_a_lock_random_numbers_and_a_log_file(fork_case: ForkCase) -> None:
    reads = ("os.getpid()", "getpid()", "multiprocessing.current_process().pid")
    shapes = {f"process{number}": f"{PROCESS}\n    KEPT = {read}\n" for number, read in enumerate(reads)} | {
        "a_log_file_is_named_after_the_worker_and_opened_later": """
        import logging
        import os
        from pathlib import Path
        from support import note

        FILE = Path(os.environ.get("PYTEST_XDIST_WORKER", "controller") + ".log")
        logging.getLogger("app").addHandler(logging.FileHandler(FILE, mode="w", delay=True))

        def use(me):
            logging.getLogger("app").warning("one line")
            note(f"{FILE} {FILE.read_text()}")
        """,
        "a_lock_remembers_the_process_it_was_made_in": """
        import os

        class Lock:
            def __init__(self):
                self._pid = os.getpid()

            def acquire(self):
                assert os.getpid() == self._pid, "this lock was made in another process"

        LOCK = Lock()

        def use(me):
            LOCK.acquire()
        """,
        "random_numbers_are_seeded_with_the_process_id": """
        import os
        import random
        from sync import claim

        random.seed(os.getpid())

        def use(me):
            claim(random.random())
        """,
    }
    assert set(reasons_by_plugin(fork_case, shapes)) == set(shapes)
