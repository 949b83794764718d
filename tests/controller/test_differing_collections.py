"""If early workers collect different tests, workers are forked from gw0 before any test has started."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Run, Suite

REASON = "import os\nNAME = os.environ.get('PYTEST_XDIST_WORKER')\n"

SEEDED = "import random\ndef test_number(): assert random.random() == 0.23796462709189137\n"

# Test ids that differ from process to process.
IDS = {
    "clock": "str(time.perf_counter_ns())",
    "uuid": "uuid.uuid4().hex",
    "hash": "str(hash('a'))",
    "process": "str(os.getpid())",
    "worker": "os.environ.get('PYTEST_XDIST_WORKER', 'main')",
}


def module_with_differing_id(name: str, extra: str = "") -> str:
    """Return a test module with a test whose id differs from process to process."""
    return f"""
import os
import time
import uuid
import pytest

@pytest.mark.parametrize("n", [{name}])
def test_differs(n): pass

@pytest.mark.parametrize("n", range(6))
def test_same(n): pass
{extra}
"""


def assert_forked_from_gw0(run: Run) -> None:
    assert run.ret == 0, run.text
    assert run.counts() == {"passed": 7}
    assert set(run.runs.values()) == {1}
    assert "start: template (gw" in run.text
    assert "collected different tests than gw0" in run.text


@pytest.mark.parametrize("name", ["uuid", "process", "worker"])
def test_workers_that_collect_different_tests_are_forked_from_gw0(suite: Suite, name: str) -> None:
    suite.conftest(REASON)
    suite.test(module_with_differing_id(IDS[name]))
    assert_forked_from_gw0(suite.run("--rustpar-start=early", n="3"))


def test_the_next_run_forks_at_once(suite: Suite) -> None:
    suite.conftest(REASON + "from support import note\nnote('conftest')\n")
    suite.test(module_with_differing_id(IDS["clock"]))
    assert_forked_from_gw0(suite.run(n="3"))
    (suite.path / "notes.log").unlink()
    run = suite.run(n="3")
    assert_forked_from_gw0(run)
    assert "than gw0, as seen in an earlier run)" in run.line("start: ")
    assert len(suite.notes()) == 2
    suite.test("def test_one(): pass\ndef test_two(): pass\n")
    assert "start: early" in suite.run().line("start: ")


# Of those that keep groups together, one: they get their groups with the tests.
@pytest.mark.parametrize("dist", ["load", "worksteal", "loadgroup", "each"])
def test_every_mode_runs_what_gw0_has_collected(suite: Suite, dist: str) -> None:
    suite.test(module_with_differing_id(IDS["clock"]))
    run = suite.run("--rustpar-start=early", "--dist", dist)
    assert run.ret == 0, run.text
    assert set(run.runs.values()) == {2 if dist == "each" else 1}


@pytest.mark.parametrize("kind", ["LoadScope", "Each"])
def test_schedulers_in_python_get_what_gw0_has_collected(suite: Suite, kind: str) -> None:
    suite.use_xdist_scheduler(kind)
    suite.test(module_with_differing_id(IDS["clock"]))
    run = suite.run("--rustpar-start=early")
    assert run.ret == 0, run.text
    assert set(run.runs.values()) == {2 if kind == "Each" else 1}


def test_plugins_see_each_worker_start_once_and_seeded_random_numbers_are_the_same(suite: Suite) -> None:
    suite.conftest(
        """
        import os
        from support import note

        def pytest_testnodeready(node): note(f"ready {node.gateway.id}")
        def pytest_xdist_node_collection_finished(node, ids): note(f"collected {node.gateway.id} {ids[0]}")
        def pytest_testnodedown(node, error): note(f"down {node.gateway.id} {error}")

        # The other tests need not be the same, but random numbers are.
        import random
        random.seed(3)
        """
    )
    suite.test(module_with_differing_id(IDS["clock"], SEEDED))
    run = suite.run("--rustpar-start=early")
    assert run.counts() == {"passed": 8}, run.text
    first = next(name for name in run.runs if "differs" in name)
    assert sorted(suite.notes()) == sorted(
        f"main {line}"
        for worker in ("gw0", "gw1")
        for line in (f"ready {worker}", f"collected {worker} {first}", f"down {worker} None")
    )


def test_a_discarded_worker_tears_down_before_another_starts(suite: Suite) -> None:
    suite.conftest(
        """
        import os
        import pytest
        from pathlib import Path

        def path(config): return Path(f"resource-{config.workerinput['workerid']}")

        def pytest_configure(config):
            if hasattr(config, "workerinput"):
                path(config).touch(exist_ok=False)

        def pytest_unconfigure(config):
            if hasattr(config, "workerinput"):
                path(config).unlink()

        @pytest.fixture(scope="session", autouse=True)
        def resource(worker_id):
            if worker_id != "gw0":
                assert not Path(f"resource-{worker_id}").exists()
                Path(f"resource-{worker_id}").touch()
        """
    )
    suite.test(module_with_differing_id(IDS["clock"]))
    run = suite.run("--rustpar-start=early")
    assert run.counts() == {"passed": 7}, run.text


def test_more_or_fewer_tests_are_a_difference_too(suite: Suite) -> None:
    suite.test(
        """
        import os
        import pytest
        @pytest.mark.parametrize("n", range(1 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])))
        def test_it(n): pass
        """
    )
    run = suite.run("--rustpar-start=early", n="3")
    assert run.counts() == {"passed": 1}


def test_the_order_of_tests_is_a_difference_too(suite: Suite) -> None:
    suite.conftest(
        """
        import os
        def pytest_collection_modifyitems(items):
            if os.environ.get("PYTEST_XDIST_WORKER") == "gw1": items.reverse()
        """
    )
    suite.test("import pytest\n@pytest.mark.parametrize('n', range(5))\ndef test_it(n): pass\n")
    run = suite.run("--rustpar-start=early")
    assert run.counts() == {"passed": 5}
    assert "gw1 collected different tests than gw0" in run.text


def test_a_worker_that_crashes_later_is_replaced(suite: Suite) -> None:
    suite.test(module_with_differing_id(IDS["clock"], "def test_crash(): os._exit(3)\n"))
    run = suite.run("--rustpar-start=early")
    assert run.counts() == {"passed": 7, "failed": 1}


# The first worker has collected; the other is still collecting.
SLOW_OTHER = """
    import os
    import time
    from support import arrive

    def pytest_collection_finish(session):
        worker = os.environ.get("PYTEST_XDIST_WORKER")
        arrive(f"collected-{worker}")
        if worker == "gw1":
            time.sleep(600)
"""


def test_an_interrupt_while_others_still_collect_ends_the_run(suite: Suite) -> None:
    suite.conftest(SLOW_OTHER)
    suite.test("def test_one(): pass\ndef test_two(): pass\n")
    process = suite.start("--rustpar-start=early")
    suite.wait_for("collected-gw0", "collected-gw1")
    os.killpg(process.pid, signal.SIGINT)
    run = suite.wait_for_exit(process)
    assert run.ret == pytest.ExitCode.INTERRUPTED, run.text
    assert not run.reports


def test_a_worker_that_dies_while_others_have_collected_is_a_clear_error(suite: Suite) -> None:
    suite.conftest(SLOW_OTHER.replace("time.sleep(600)", "time.sleep(0.5); os._exit(3)"))
    suite.test("def test_one(): pass\ndef test_two(): pass\n")
    run = suite.run("--rustpar-start=early")
    assert run.ret == pytest.ExitCode.TESTS_FAILED
    assert "worker gw1 died while collecting test_it.py (exit code 3)" in run.text


def test_death_of_gw0_while_collecting_is_a_clear_error(suite: Suite) -> None:
    suite.test("import os\nif os.environ.get('PYTEST_XDIST_WORKER') == 'gw0': os._exit(3)\ndef test_one(): pass\n")
    run = suite.run("--rustpar-start=early")
    assert run.ret == pytest.ExitCode.TESTS_FAILED
    assert "worker gw0 died while collecting test_it.py (exit code 3)" in run.text


def test_a_discarded_worker_that_dies_while_exiting_is_ignored(suite: Suite) -> None:
    suite.conftest(
        """
        import os

        def pytest_unconfigure(config):
            if os.environ.get("PYTEST_XDIST_WORKER") == "gw1" and not hasattr(config, "stays"): os._exit(3)

        def pytest_runtest_setup(item): item.config.stays = True
        """
    )
    suite.test(module_with_differing_id(IDS["clock"]))
    run = suite.run("--rustpar-start=early")
    assert run.counts() == {"passed": 7}, run.text


def test_a_worker_that_dies_while_gw0_still_collects_is_a_clear_error(suite: Suite) -> None:
    suite.conftest(
        """
        import os
        import time
        from support import arrive, wait_for

        def pytest_collection_finish(session):
            worker = os.environ.get("PYTEST_XDIST_WORKER")
            if worker == "gw1":
                arrive("dies")
                os._exit(3)
            if worker == "gw0":
                wait_for("dies")
                time.sleep(1)
        """
    )
    suite.test("def test_one(): pass\ndef test_two(): pass\n")
    run = suite.run("--rustpar-start=early")
    assert run.ret == pytest.ExitCode.TESTS_FAILED
    assert "worker gw1 died while collecting test_it.py (exit code 3)" in run.text
    assert not run.reports
