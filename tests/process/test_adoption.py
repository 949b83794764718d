"""The fork server exits once the workers come from the template, which the controller adopts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.harness import Suite


def test_a_template_that_is_slow_to_fork_is_not_taken_for_an_orphan(suite: Suite) -> None:
    suite.conftest(
        """
        import time

        collected = []

        def pytest_report_collectionfinish():
            collected.append(True)

        def pytest_plugin_registered():
            # After the controller was told what was collected, and before workers are forked.
            if collected:
                time.sleep(1.5)
                collected.clear()
        """
    )
    suite.test("import time\ndef test_one(): time.sleep(0.5)\ndef test_two(): pass\n")
    run = suite.run("--rustpar-start=template")
    assert run.counts() == {"passed": 2}, run.text
    assert run.ret == 0
    assert run.runs == {"test_it.py::test_one": 1, "test_it.py::test_two": 1}
