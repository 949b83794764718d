"""``nextitem`` at a teardown is the test that really runs next, even if tests have been reassigned."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Suite

# Records each test, and the next item that every kind of implementation of the hook receives at its teardown.
CONFTEST = """
    import pytest
    from support import note

    def name(item):
        return None if item is None else item.name

    def pytest_runtest_setup(item):
        note(f"begins {item.name}")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(item, nextitem):
        note(f"first {name(nextitem)}")
        result = yield
        note(f"then {name(nextitem)}")
        return result
"""

# One class with some long tests: other workers take over the tests behind them.
TESTS = """
    import time
    import pytest

    class TestAll:
        @pytest.mark.parametrize("n", range(60))
        def test_it(self, n):
            time.sleep(0.2 if n in (3, 21, 40, 41, 57) else 0.004)
"""

# Like SQLAlchemy's own suite: one hook sets up what a class needs, and another one tears it down when the next
# test belongs to another class; class fixtures depend on it.
KEPT_BY_CLASS = """
    import sqlite3
    import pytest

    current = None

    def pytest_runtest_setup(item):
        global current
        if current is None:
            current = item.getparent(pytest.Class)
            current.database = sqlite3.connect(":memory:")

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_teardown(item, nextitem):
        global current
        yield
        if nextitem is None or nextitem.getparent(pytest.Class) is not current:
            current.database.close()
            current = None

    @pytest.fixture(scope="class")
    def database(request):
        base = request.node.getparent(pytest.Class).database
        base.execute("create table numbers (n integer)")
        yield base
        base.execute("drop table numbers")
"""


def take_records(suite: Suite) -> list[dict[str, list[str]]]:
    """Return the records of each worker: its tests and the next items that implementations received; clear them."""
    workers: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for line in suite.notes():
        worker, kind, name = line.split(" ", 2)
        workers[worker][kind].append(name)
    (suite.path / "notes.log").unlink()
    return list(workers.values())


@pytest.mark.parametrize(
    "args", [[], ["--dist=worksteal"], ["--rustpar-plan=duration"], ["--maxschedchunk=1"]], ids=str
)
def test_a_teardown_receives_the_test_that_runs_next(suite: Suite, args: list[str]) -> None:
    suite.conftest(CONFTEST)
    suite.write({"sub/conftest.py": "def pytest_runtest_call(item): pass\n", "sub/test_it.py": TESTS})
    # The plan needs the durations of a run.
    for _ in range(2 if "--rustpar-plan=duration" in args else 1):
        assert suite.run(*args, n="4").counts() == {"passed": 60}
        for notes in take_records(suite):
            assert notes["first"] == notes["then"] == [*notes["begins"][1:], "None"]


@pytest.mark.parametrize("run_mode", ["template", "early"])
def test_class_state_of_a_plugin_lasts_as_long_as_class_fixtures(suite: Suite, run_mode: str) -> None:
    suite.conftest(KEPT_BY_CLASS)
    statement = "database.execute('select n from numbers')"
    test = TESTS.replace("self, n", "self, n, database").replace("time.sleep(", f"{statement}; time.sleep(")
    suite.test(test + test.replace("import time\n", "").replace("TestAll", "TestMore"))
    # Without and with a history.
    for _ in range(2):
        assert suite.run_in(run_mode, n="4").counts() == {"passed": 120}


def test_with_serial_tests_a_teardown_receives_the_next_test_or_none(suite: Suite) -> None:
    suite.conftest(CONFTEST)
    alone = "class TestAll:\n        @pytest.mark.serial\n        def test_alone(self): pass\n"
    suite.test(TESTS.replace("class TestAll:", alone))
    assert suite.run(n="3").counts() == {"passed": 61}
    for notes in take_records(suite):
        following = zip(notes["then"], [*notes["begins"][1:], "None"], strict=True)
        assert all(said in ("None", name) for said, name in following)
