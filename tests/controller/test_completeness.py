"""A run in which a test was lost says so and does not pass; one that left tests out on purpose says nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Run, Suite

SIX = """
    import pytest

    @pytest.mark.parametrize("n", range(6))
    def test_it(n):
        pass
"""

# The end of some tests does not reach the controller.
DEAF = """
    from rustpar.controller.completeness import Completeness

    account = Completeness.record_completed
    Completeness.record_completed = lambda self, test: None if test in {lost} else account(self, test)
"""

# A scheduler that assigns no test but what it is told to, and thinks of one that it is done before it is.
CARELESS = """
    from xdist.scheduler import LoadScheduling

    class Careless(LoadScheduling):
        @property
        def tests_finished(self):
            return True

        def schedule(self):
            if self.collection is None:
                self.collection = list(self.node2collection.values())[0]
                self.pending = []
                for number, node in enumerate(self.nodes):
                    self.node2pending[node] = [number]
                    node.send_runtest_some([number])

        def mark_test_complete(self, node, item_index, duration=0):
            pass

    def pytest_xdist_make_scheduler(config, log):
        return Careless(config, log)
"""


def lines_of(run: Run) -> list[str]:
    return [line for line in run.text.splitlines() if " lost (collected, " in line]


@pytest.mark.parametrize("start", ["template", "early"])
def test_lost_tests_are_named_and_the_run_fails(suite: Suite, start: str) -> None:
    suite.conftest(DEAF.format(lost=[1]))
    suite.test(SIX)
    run = suite.run_in(start)
    assert run.ret == 1
    words = "a test was lost (collected, but neither run nor skipped on purpose)"
    assert lines_of(run) == [f"rustpar: {words}: test_it.py::test_it[1]"]
    suite.conftest(DEAF.format(lost=[0, 1, 2, 4, 5]))
    run = suite.run_in(start, "-q", "--no-summary")
    assert run.ret == 1
    (line,) = lines_of(run)
    assert line.startswith("rustpar: 5 tests were lost (collected, ")
    assert line.endswith(": test_it.py::test_it[0], test_it.py::test_it[1], test_it.py::test_it[2] and 2 more")
    run = suite.run_in(start, "-p", "no:terminal")
    assert run.ret == 1
    assert len(lines_of(run)) == 1


@pytest.mark.parametrize("start", ["template", "early"])
def test_a_loss_in_one_worker_is_seen_where_each_runs_all(suite: Suite, start: str) -> None:
    suite.conftest(
        """
        from rustpar.controller.completeness import Completeness

        account, heard = Completeness.record_completed, []

        def account_once(self, test):
            if test != 2 or heard.append(test) or len(heard) > 1:
                account(self, test)

        Completeness.record_completed = account_once
        """
    )
    suite.test(SIX)
    run = suite.run_in(start, "--dist=each")
    assert run.ret == 1
    (line,) = lines_of(run)
    assert line.endswith(": test_it.py::test_it[2]")


def test_what_a_scheduler_never_assigned_is_not_lost(suite: Suite) -> None:
    suite.conftest(CARELESS)
    suite.test(SIX)
    run = suite.run()
    assert run.ret == 0
    assert run.counts() == {"passed": 2}
    assert not lines_of(run)
    suite.conftest(CARELESS + DEAF.format(lost=[1, 3]))
    run = suite.run()
    assert run.ret == 1
    assert lines_of(run)[0].endswith(": test_it.py::test_it[1]")


@pytest.mark.parametrize("kind", ["Load", "WorkStealing", "LoadScope"])
def test_with_a_scheduler_in_python_nothing_is_thought_lost(suite: Suite, kind: str) -> None:
    suite.schedule_in_python(kind)
    suite.test(
        SIX
        + """
    def test_dying():
        import os
        os.kill(os.getpid(), 9)
    """
    )
    run = suite.run()
    assert run.ret == 1
    assert not lines_of(run)


@pytest.mark.parametrize("args", [["-x"], ["--maxfail=2"], ["--max-worker-restart=0"], ["--stepwise"], ["--dist=each"]])
def test_what_an_end_before_the_end_spares_is_not_lost(suite: Suite, args: list[str]) -> None:
    suite.test(
        """
        import os
        import pytest

        @pytest.mark.parametrize("n", range(60))
        def test_it(n):
            if n in (0, 1):
                os._exit(1) if n else pytest.fail()
        """
    )
    run = suite.run(*args)
    assert run.ret in (1, 2)
    assert not lines_of(run)


@pytest.mark.parametrize(
    "end", ["pytest.exit('enough')", "request.session.shouldstop = 'enough'", "raise KeyboardInterrupt"]
)
def test_what_a_test_prevents_is_not_lost(suite: Suite, end: str) -> None:
    suite.test(
        f"""
        import pytest

        @pytest.mark.parametrize("n", range(60))
        def test_it(n, request):
            if n == 3:
                {end}
        """
    )
    assert not lines_of(suite.run())


def test_a_plugin_that_runs_tests_without_reports_loses_none(suite: Suite) -> None:
    suite.conftest(
        """
        import pytest

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_protocol(item):
            return True
        """
    )
    suite.test(SIX)
    run = suite.run()
    assert run.ret == 0
    assert not lines_of(run)
