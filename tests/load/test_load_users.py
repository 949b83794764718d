"""Virtual users of load tests: their fixtures, instances, tasks and event loops."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.harness import Suite

STARTS = ("template", "early")


def notes_of(suite: Suite) -> list[Any]:
    """Return what the tests of a suite have noted, each line as JSON."""
    return [json.loads(line.split(":", 1)[1]) for line in suite.notes()]


NOTE = """
import json, os
from pathlib import Path

def note(*values):
    with Path("notes.log").open("a") as file:
        file.write(f"{os.environ.get('PYTEST_XDIST_WORKER')}:{json.dumps(values)}\\n")
"""


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("kind", ["def", "async def"])
def test_fixtures_are_set_up_once_for_each_user_or_worker(suite: Suite, start: str, kind: str) -> None:
    suite.test(
        NOTE
        + f"""
import pytest

@pytest.fixture(scope="session")
def server():
    note("server up")
    yield "server"
    note("server down")

@pytest.fixture(scope="module")
def module(server):
    yield server

@pytest.fixture
def token(module, load, tmp_path):
    note("login", load.user)
    yield [module, load.user, tmp_path]
    note("logout", load.user)

@pytest.mark.load(users=5, iterations_per_user=3)
{kind} test_it(token, load):
    assert token[1] == load.user
    assert token[2].is_dir()
    note("iteration", load.user, load.iteration)
"""
    )
    run = suite.run("--rustpar-load", f"--rustpar-start={start}")
    assert run.counts() == {"passed": 1}, run.text
    notes = notes_of(suite)
    assert notes.count(["server up"]) == notes.count(["server down"]) == 2
    assert sorted(user for what, *user in notes if what == "login") == [[0], [1], [2], [3], [4]]
    assert sorted(user for what, *user in notes if what == "logout") == [[0], [1], [2], [3], [4]]
    assert sorted(of for what, *of in notes if what == "iteration") == [[u, i] for u in range(5) for i in range(3)]
    first = notes.index(next(one for one in notes if one[0] == "iteration"))
    assert all(one[0] != "logout" for one in notes[:first])


def test_a_class_is_one_behaviour_with_a_fixture_for_each_user(suite: Suite) -> None:
    suite.test(
        NOTE
        + """
import pytest

@pytest.fixture(scope="class")
def account(load):
    note("start", load.user)
    yield {"user": load.user, "seen": []}
    note("stop", load.user)

@pytest.mark.load(users=3, iterations_per_user=40)
class TestShop:
    @pytest.fixture
    def page(self, account):
        return {"of": account["user"]}

    def setup_method(self):
        self.is_set_up = True

    @pytest.mark.load(weight=4)
    def test_browse(self, account, page, load):
        assert self.is_set_up and page["of"] == account["user"] == load.user
        account["seen"].append("browse")
        self.count = getattr(self, "count", 0) + 1

    def test_buy(self, account, load):
        account["seen"].append("buy")
        self.count = getattr(self, "count", 0) + 1
        if load.iteration == 39:
            note("count", self.count, len(account["seen"]))

    def test_look(self, account, load):
        account["seen"].append("look")
        self.count = getattr(self, "count", 0) + 1
"""
    )
    run = suite.run("--rustpar-load")
    assert run.counts() == {"passed": 1}, run.text
    notes = notes_of(suite)
    assert sorted(notes)[-6:] == [["start", 0], ["start", 1], ["start", 2], ["stop", 0], ["stop", 1], ["stop", 2]]
    assert all(count == seen == 40 for what, *numbers in notes if what == "count" for count, seen in [numbers])
    assert "count" not in run.section("load tests")[0]
    # In an ordinary run they are three tests.
    assert suite.run().counts() == {"passed": 3}


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_fresh_fixtures_are_set_up_for_each_iteration(suite: Suite, kind: str) -> None:
    suite.test(
        NOTE
        + f"""
import pytest

@pytest.fixture(scope="session")
def shared():
    return []

@pytest.fixture
def own(shared, load):
    values = []
    yield values
    assert values in ([], [load.user])
    note("down")

@pytest.mark.load(users=4, iterations=60, fresh=True)
{kind} test_it(own, load):
    assert own == []
    own.append(load.user)
"""
    )
    run = suite.run("--rustpar-load")
    assert run.counts() == {"passed": 1}, run.text
    # Once more for each user that has waited for another iteration.
    assert 60 <= notes_of(suite).count(["down"]) <= 64


def test_asynchronous_fixtures_share_the_loop_of_the_tests(suite: Suite) -> None:
    suite.test(
        NOTE
        + """
import asyncio
import pytest

@pytest.fixture(scope="session")
async def loop():
    yield asyncio.get_running_loop()
    note("closed", asyncio.get_running_loop().is_closed())

@pytest.fixture
async def task(loop):
    # It is finished by the task that has begun it.
    begun = asyncio.current_task()
    yield begun
    assert asyncio.current_task() is begun

@pytest.fixture
async def value(loop):
    return asyncio.get_running_loop()

class TestClass:
    @pytest.fixture
    async def method(self, value):
        self.value = value
        return value

    @pytest.mark.load(users=4, iterations=20)
    async def test_it(self, loop, task, value, method):
        await asyncio.sleep(0)
        assert asyncio.get_running_loop() is loop is value is method is self.value

@pytest.mark.load(users=2, iterations=20)
async def test_next(loop):
    assert asyncio.get_running_loop() is loop

@pytest.mark.load(users=3, iterations=30, fresh=True)
async def test_fresh(task, value):
    await asyncio.sleep(0)

@pytest.mark.load(users=2, iterations=10)
def test_synchronous(loop, value):
    assert loop is value
"""
    )
    run = suite.run("--rustpar-load")
    assert run.counts() == {"passed": 4}, run.text
    assert notes_of(suite) == [["closed", False]] * 2


def test_thread_users_are_set_up_in_their_own_thread(suite: Suite) -> None:
    suite.test(
        """
        import sqlite3, threading
        import pytest

        @pytest.fixture
        def database():
            connection = sqlite3.connect(":memory:")
            yield connection
            connection.close()

        @pytest.mark.load(users=5, iterations=50)
        def test_it(database):
            assert database.execute("select 1").fetchone() == (1,)
        """
    )
    assert suite.run("--rustpar-load").counts() == {"passed": 1}


def test_parameters_make_a_load_test_each(suite: Suite) -> None:
    suite.test(
        """
        import pytest

        @pytest.fixture(params=["x", "y"])
        def letter(request):
            return request.param

        @pytest.mark.parametrize("number", [1, 2])
        @pytest.mark.load(users=2, iterations=6)
        def test_it(number, letter, request):
            assert request.node.name == f"test_it[{letter}-{number}]"
            assert request.getfixturevalue("letter") == letter
        """
    )
    run = suite.run("--rustpar-load")
    assert run.counts() == {"passed": 4}, run.text


def test_a_fixture_may_be_requested_while_a_test_runs(suite: Suite) -> None:
    suite.test(
        """
        import pytest

        @pytest.fixture
        def value(load):
            return [load.user]

        @pytest.mark.load(users=4, iterations=40)
        def test_it(request, load):
            assert request.getfixturevalue("value") == [load.user]
        """
    )
    run = suite.run("--rustpar-load")
    assert run.counts() == {"passed": 1}, run.text


def test_one_process_runs_the_users_without_a_number(suite: Suite) -> None:
    suite.test(
        """
        import os, pytest

        @pytest.mark.load(users=3, iterations=30)
        def test_it():
            assert os.environ["PYTEST_XDIST_WORKER_COUNT"] == "1"
        """
    )
    assert suite.run("--rustpar-load", n=None).counts() == {"passed": 1}


@pytest.mark.parametrize("rate", [False, True])
def test_more_processes_than_users_have_nothing_to_do(suite: Suite, rate: bool) -> None:
    load = "rate=50, users=1, duration='0.4s'" if rate else "users=1, iterations=20"
    suite.test(f"import pytest\n@pytest.mark.load({load})\ndef test_it(load): assert load.user == 0\n")
    run = suite.run("--rustpar-load", n="3")
    assert run.counts() == {"passed": 1}, run.text
    assert " 20 " in run.line("  iteration ")


def test_plugins_find_what_they_have_stored_with_a_test(suite: Suite) -> None:
    suite.conftest(
        """
        import pytest

        @pytest.hookimpl(hookwrapper=True)
        def pytest_runtest_makereport(item, call):
            outcome = yield
            setattr(item, f"report_{call.when}", outcome.get_result())

        def pytest_runtest_setup(item):
            item.prepared = True
        """
    )
    suite.test(
        """
        import pytest

        @pytest.fixture
        def screenshot(request):
            assert request.node.prepared
            yield
            assert request.node.report_call.passed

        @pytest.mark.load(users=3, iterations=30)
        def test_it(screenshot, request, record_property):
            assert request.node.prepared
            record_property("kind", "load")
        """
    )
    run = suite.run("--rustpar-load", "--junitxml=junit.xml")
    assert run.counts() == {"passed": 1}, run.text
    assert (suite.path / "junit.xml").read_text().count('name="kind"') == 1


def test_an_automatic_fixture_of_the_project_may_not_change_the_process(suite: Suite) -> None:
    suite.test(
        """
        import pytest

        @pytest.fixture(autouse=True)
        def variable(monkeypatch):
            monkeypatch.setenv("NAME", "value")

        @pytest.mark.load(users=1, iterations=1)
        def test_it(): pass
        """
    )
    run = suite.run("--rustpar-load")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    assert "the fixture monkeypatch is of the whole process" in run.text
