"""Fixtures are set up and torn down correctly in each worker, even if tests are reassigned."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Suite

# Records every set-up and teardown, and every test.
SCOPES = """
    import pytest
    from support import note

    @pytest.fixture(scope="session", autouse=True)
    def session():
        note("+session")
        yield
        note("-session")

    @pytest.fixture(scope="module", autouse=True)
    def module(session, request):
        name = request.module.__name__
        note(f"+module:{name}")
        yield
        note(f"-module:{name}")

    @pytest.fixture(scope="class")
    def cls(module, request):
        name = f"{request.module.__name__}.{request.cls.__name__}"
        note(f"+class:{name}")
        yield
        note(f"-class:{name}")

    @pytest.fixture
    def function(request):
        note(f"+function:{request.node.nodeid}")
        yield
        note(f"-function:{request.node.nodeid}")
"""


def by_worker(suite: Suite) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for note in suite.notes():
        worker, text = note.split(maxsplit=1)
        found.setdefault(worker, []).append(text)
    return found


def assert_nested(events: list[str]) -> None:
    """Assert that all fixtures are torn down in reverse order of their set-up."""
    stack: list[str] = []
    for event in events:
        if event[0] == "+":
            stack.append(event[1:])
        elif event[0] == "-":
            assert stack.pop() == event[1:], events
    assert stack == [], events


@pytest.mark.parametrize("mode", ["load", "worksteal", "loadscope", "loadfile"])
def test_fixtures_are_nested_and_torn_down_in_every_worker(suite: Suite, mode: str) -> None:
    suite.conftest(SCOPES)
    for number in range(4):
        suite.write(
            {
                f"test_{number}.py": """
                    import pytest
                    from support import note

                    class TestOne:
                        @pytest.mark.parametrize("n", range(4))
                        def test_it(self, n, cls, function, request):
                            note("test:" + request.node.nodeid)

                    @pytest.mark.parametrize("n", range(4))
                    def test_free(n, function, request):
                        note("test:" + request.node.nodeid)
                """
            }
        )
    run = suite.run("--dist", mode, n="3")
    assert run.counts() == {"passed": 32}
    workers = by_worker(suite)
    for events in workers.values():
        assert_nested(events)
        assert events.count("+session") == 1
        assert events[-1] == "-session"
    tests = Counter(event for events in workers.values() for event in events if event.startswith("test:"))
    assert set(tests.values()) == {1}
    assert len(tests) == 32


def test_fixtures_shared_with_the_next_test_stay_alive(suite: Suite) -> None:
    suite.conftest(SCOPES)
    suite.test(
        """
        import pytest

        class TestOne:
            @pytest.mark.parametrize("n", range(6))
            def test_it(self, n, cls): pass
        """
    )
    assert suite.run(n="1").ret == 0
    assert suite.notes() == [
        f"gw0 {event}"
        for event in [
            "+session",
            "+module:test_it",
            "+class:test_it.TestOne",
            "-class:test_it.TestOne",
            "-module:test_it",
            "-session",
        ]
    ]


@pytest.mark.parametrize("mode", ["load", "worksteal"])
def test_fixtures_are_correct_when_tests_are_reassigned_from_a_busy_worker(suite: Suite, mode: str) -> None:
    suite.conftest(SCOPES)
    suite.write(
        {
            "test_a.py": """
                from support import wait_for

                class TestLong:
                    def test_long(self, cls, function): wait_for(*(f"t{n}" for n in range(12)))
            """,
            "test_b.py": """
                import pytest
                from support import arrive

                class TestShort:
                    @pytest.mark.parametrize("n", range(12))
                    def test_short(self, n, cls, function): arrive(f"t{n}")
            """,
        }
    )
    run = suite.run("--dist", mode)
    assert run.counts() == {"passed": 13}
    workers = by_worker(suite)
    assert len(workers) == 2
    for events in workers.values():
        assert_nested(events)
        assert Counter(events)["+session"] == 1
        assert all(count == 1 for event, count in Counter(events).items() if event.startswith("+module"))


def test_xunit_setups_run_once_in_each_worker_that_needs_them(suite: Suite) -> None:
    suite.test(
        """
        import pytest
        from support import note

        def setup_module(): note("+module")
        def teardown_module(): note("-module")

        class TestClass:
            @classmethod
            def setup_class(cls): note("+class")
            @classmethod
            def teardown_class(cls): note("-class")
            def setup_method(self): note("+method")
            def teardown_method(self): note("-method")

            @pytest.mark.parametrize("n", range(8))
            def test_it(self, n): pass
        """
    )
    assert suite.run("--dist", "loadscope").ret == 0
    (events,) = by_worker(suite).values()
    assert events == ["+module", "+class", *["+method", "-method"] * 8, "-class", "-module"]


def test_parametrized_session_fixtures_give_every_test_its_value(suite: Suite) -> None:
    suite.test(
        """
        import pytest

        @pytest.fixture(scope="session", params=[1, 2, 3])
        def number(request):
            return request.param

        @pytest.fixture(scope="module", params="ab")
        def letter(request):
            return request.param

        @pytest.mark.parametrize("n", range(4))
        def test_it(n, number, letter, request):
            assert request.node.callspec.params["number"] == number
            assert request.node.callspec.params["letter"] == letter
        """
    )
    run = suite.run(n="3")
    assert run.counts() == {"passed": 24}


def test_an_error_in_a_session_teardown_is_reported(suite: Suite) -> None:
    suite.test(
        """
        import pytest

        @pytest.fixture(scope="session", autouse=True)
        def session():
            yield
            raise ValueError("at the very end")

        def test_it(): pass
        """
    )
    run = suite.run(n="1")
    assert run.ret == 1
    assert run.counts() == {"passed": 1, "error": 1} or run.counts() == {"passed": 1, "errors": 1}
    assert "at the very end" in run.out


def test_exit_functions_of_a_conftest_run_in_each_worker(suite: Suite) -> None:
    suite.conftest(
        """
        import atexit
        import os
        from support import note

        if "PYTEST_XDIST_WORKER" in os.environ:
            atexit.register(note, "exit function")
        """
    )
    suite.test("def test_a(): pass\ndef test_b(): pass\n")
    assert suite.run().ret == 0
    assert sorted(suite.notes()) == ["gw0 exit function", "gw1 exit function"]


def test_exit_functions_of_a_test_run_in_its_worker(suite: Suite) -> None:
    suite.test("import atexit\nfrom support import note\ndef test_it(): atexit.register(note, 'exit function')\n")
    assert suite.run().ret == 0
    assert suite.notes() == ["gw0 exit function"]
