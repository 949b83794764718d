"""Classes of load tests: one behaviour, whose tests are the tasks of each user."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Suite


def test_tasks_run_in_sequence(suite: Suite) -> None:
    suite.test(
        """
        import pytest

        @pytest.mark.load(users=3, iterations_per_user=6, sequence=True)
        class TestSteps:
            def test_one(self, load):
                assert load.iteration % 3 == 0

            def test_two(self, load):
                assert load.iteration % 3 == 1

            def test_three(self, load):
                assert load.iteration % 3 == 2
        """
    )
    assert suite.run("--rustpar-load").counts() == {"passed": 1}


def test_the_mark_of_a_class_is_not_that_of_its_module(suite: Suite) -> None:
    suite.test(
        """
        import pytest

        pytestmark = pytest.mark.load(users=1, iterations=3)

        @pytest.mark.load(users=2, iterations=7)
        class TestIt:
            def test_one(self): pass
            def test_two(self): pass

        class TestChild(TestIt):
            pass

        def test_function(): pass
        """
    )
    run = suite.run("--rustpar-load")
    assert run.counts() == {"passed": 3}, run.text
    assert run.out.count("2 users, 7 iterations") == 2
    assert "1 user, 3 iterations" in run.out


def test_the_tasks_of_a_user_share_its_instance(suite: Suite) -> None:
    suite.test(
        """
        import pytest

        @pytest.mark.load(users=3, iterations_per_user=4, sequence=True)
        class TestIt:
            @pytest.fixture(autouse=True)
            def prepared(self):
                self.prepared = True

            def setup_method(self):
                self.ready = True

            def test_sign_in(self, load):
                assert self.prepared and self.ready
                self.token = load.user

            def test_use(self, load):
                assert self.prepared and self.ready
                assert self.token == load.user
        """
    )
    run = suite.run("--rustpar-load")
    assert run.counts() == {"passed": 1}, run.text


def test_each_task_of_a_class_has_its_own_parameters(suite: Suite) -> None:
    text = """
        import pytest

        @pytest.fixture(params=["one", "two"]SCOPE)
        def connection(request):
            values = [request.param, True]
            yield values
            values[1] = False

        @pytest.fixtureSCOPED
        def account(connection):
            return connection

        @pytest.mark.load(users=2, iterations=40)
        class TestIt:
            def test_it(self, account, connection, request):
                assert account is connection
                assert connection == [request.node.name[8:11], True]
        """
    suite.test(text.replace("SCOPED", "").replace("SCOPE", ""))
    assert suite.run("--rustpar-load").counts() == {"passed": 1}
    suite.test(text.replace("SCOPED", "(scope='class')").replace("SCOPE", ", scope='class'"))
    assert suite.run("--rustpar-load").counts() == {"passed": 1}
    suite.test(text.replace("SCOPED", "").replace("SCOPE", ", scope='module'"))
    run = suite.run("--rustpar-load")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    assert "has parameters (connection)" in run.text


def test_tasks_keep_the_order_of_their_class_and_skipped_ones_are_left_out(suite: Suite) -> None:
    suite.conftest("def pytest_collection_modifyitems(items): items.reverse()\n")
    suite.test(
        """
        import pytest

        done = []

        class Base:
            def test_first(self): done.append(1)

        @pytest.mark.load(users=1, iterations=6, sequence=True)
        class TestIt(Base):
            @pytest.mark.skip
            def test_left_out(self): assert 0

            def test_second(self):
                done.append(2)
                assert done[-2:] == [1, 2]

            @pytest.mark.skipif(True, reason="never")
            def test_never(self): assert 0

        @pytest.mark.load(users=1, iterations=6)
        class TestAllSkipped:
            @pytest.mark.skip
            def test_it(self): assert 0
        """
    )
    run = suite.run("--rustpar-load")
    assert run.counts() == {"passed": 1, "skipped": 1, "deselected": 2}, run.text
    assert "test_it.py::TestIt::test_first" in run.section("load tests")
