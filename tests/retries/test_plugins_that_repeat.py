"""Retries beside plugins that run a test several times themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.harness import Suite


def test_a_plugin_may_run_a_test_several_times_in_a_row(suite: Suite) -> None:
    suite.conftest(
        """
        from _pytest.runner import runtestprotocol

        def pytest_runtest_protocol(item, nextitem):
            hook = item.ihook
            hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
            for _ in range(3):
                reports = runtestprotocol(item, nextitem=nextitem, log=False)
            for report in reports:
                hook.pytest_runtest_logreport(report=report)
            hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
            return True
        """
    )
    suite.write({"test_it.py": "import pytest\n@pytest.mark.parametrize('n', range(4))\ndef test_it(n): pass\n"})
    assert suite.run("--rustpar-retries=1").counts() == {"passed": 4}
