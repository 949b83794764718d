"""A run that lost a test reports it and fails; tests that were omitted on purpose are not reported."""

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

# Drops the end of some tests before it reaches the controller.
DEAF = """
    from rustpar.controller.completeness import Completeness

    account = Completeness.record_completed
    Completeness.record_completed = lambda self, test: None if test in {lost} else account(self, test)
"""

# A scheduler that assigns only given tests, and considers one of them finished too early.
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


def loss_lines(run: Run) -> list[str]:
    return [line for line in run.text.splitlines() if " lost (collected, " in line]


@pytest.mark.parametrize("start", ["template", "early"])
def test_lost_tests_are_named_and_the_run_fails(suite: Suite, start: str) -> None:
    suite.conftest(DEAF.format(lost=[1]))
    suite.test(SIX)
    run = suite.run_in(start)
    assert run.ret == 1
    words = "a test was lost (collected, but neither run nor skipped on purpose)"
    assert loss_lines(run) == [f"rustpar: {words}: test_it.py::test_it[1]"]
    if start == "early":
        # Where the line is shown does not depend on it.
        return
    suite.conftest(DEAF.format(lost=[0, 1, 2, 4, 5]))
    run = suite.run_in(start, "-q", "--no-summary")
    assert run.ret == 1
    (line,) = loss_lines(run)
    assert line.startswith("rustpar: 5 tests were lost (collected, ")
    assert line.endswith(": test_it.py::test_it[0], test_it.py::test_it[1], test_it.py::test_it[2] and 2 more")
    run = suite.run_in(start, "-p", "no:terminal")
    assert run.ret == 1
    assert len(loss_lines(run)) == 1


def test_with_each_a_test_lost_in_one_worker_is_reported(suite: Suite) -> None:
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
    run = suite.run("--dist=each")
    assert run.ret == 1
    (line,) = loss_lines(run)
    assert line.endswith(": test_it.py::test_it[2]")


def test_a_test_that_a_scheduler_never_assigned_is_not_lost(suite: Suite) -> None:
    suite.conftest(CARELESS)
    suite.test(SIX)
    run = suite.run()
    assert run.ret == 0
    assert run.counts() == {"passed": 2}
    assert not loss_lines(run)
    suite.conftest(CARELESS + DEAF.format(lost=[1, 3]))
    run = suite.run()
    assert run.ret == 1
    assert loss_lines(run)[0].endswith(": test_it.py::test_it[1]")


@pytest.mark.parametrize("kind", ["Load", "LoadScope"])
def test_with_a_python_scheduler_no_test_is_reported_as_lost(suite: Suite, kind: str) -> None:
    suite.use_xdist_scheduler(kind)
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
    assert not loss_lines(run)


@pytest.mark.parametrize("args", [["-x"], ["--maxfail=2"], ["--max-worker-restart=0"], ["--stepwise"], ["--dist=each"]])
def test_tests_omitted_by_an_early_end_are_not_lost(suite: Suite, args: list[str]) -> None:
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
    assert not loss_lines(run)


@pytest.mark.parametrize(
    "end", ["pytest.exit('enough')", "request.session.shouldstop = 'enough'", "raise KeyboardInterrupt"]
)
def test_tests_prevented_by_another_test_are_not_lost(suite: Suite, end: str) -> None:
    suite.test(
        f"""
        import pytest

        @pytest.mark.parametrize("n", range(60))
        def test_it(n, request):
            if n == 3:
                {end}
        """
    )
    assert not loss_lines(suite.run())


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
    assert not loss_lines(run)
