"""The number of workers that ``-n auto`` chooses and reports, and short runs in one process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from rustpar import _core
from tests.harness import RUN_LIMIT

if TYPE_CHECKING:
    from tests.harness import Run, Suite

SHORT = """
    import pytest

    @pytest.mark.parametrize("n", range(4))
    def test_it(n, worker_id, request):
        in_worker = hasattr(request.config, "workerinput")
        assert in_worker == (worker_id != "master")
        if not in_worker:
            option = request.config.option
            assert (option.numprocesses, option.dist, option.tx) == (0, "no", [])
"""
LONG = """
    import time

    def test_one(): time.sleep(0.3)
    def test_two(): pass
"""
# Replaces the controller's view of the machine.
MACHINE = """
    import os
    from rustpar import _core

    os.cpu_count = lambda: 8
    os.sched_getaffinity = lambda pid: set(range({mask}))
    _core.cpu_quota = lambda: {quota}
    _core.memory_left = lambda: {left}
"""


def machine(suite: Suite, *, mask: int = 8, quota: int | None = None, left: int = 64 << 30) -> None:
    """Simulate a machine for the suite: its CPUs, its CPU quota, and the bytes of memory left."""
    # The result must not depend on whether psutil is installed.
    suite.write({"machine.py": MACHINE.format(mask=mask, quota=quota, left=left), "psutil.py": "raise ImportError\n"})


def assert_in_one_process(run: Run) -> None:
    assert set().union(*run.workers.values()) == {None}, run.text
    assert "start:" not in run.out
    assert "one process (the last run's " in run.line("rustpar: ")


def assert_in_workers(run: Run) -> None:
    assert None not in set().union(*run.workers.values()), run.text
    assert "one process" not in run.out


@pytest.fixture
def tests(suite: Suite) -> Suite:
    """A suite of twelve tests."""
    suite.test("import pytest\n@pytest.mark.parametrize('n', range(12))\ndef test_it(n): pass\n")
    return suite


@pytest.mark.parametrize("word", ["auto", "logical"])
def test_the_run_reports_the_number_of_workers_and_cpus(tests: Suite, word: str) -> None:
    machine(tests, mask=3)
    run = tests.run("-p", "machine", n=word)
    assert run.line("start:") == "rustpar: start: template, 3 workers (3 CPUs)"
    assert "3 workers [12 items]" in run.lines
    assert run.counts() == {"passed": 12}


def test_a_cpu_quota_is_the_reason_where_it_is_the_smallest_number(tests: Suite) -> None:
    machine(tests, mask=4, quota=3)
    run = tests.run("-p", "machine", n="auto")
    assert "3 workers (CPU quota of the control group)" in run.line("start:")
    machine(tests, mask=2, quota=3)
    run = tests.run("-p", "machine", "-p", "no:cacheprovider", n="auto")
    assert "2 workers (2 CPUs)" in run.line("start:")


def test_a_number_from_a_hook_or_the_environment_is_named_as_the_reason_and_ignores_memory(tests: Suite) -> None:
    machine(tests, left=0)
    run = tests.run_with({"PYTEST_XDIST_AUTO_NUM_WORKERS": "2"}, "-p", "machine", n="auto")
    assert "2 workers (PYTEST_XDIST_AUTO_NUM_WORKERS)" in run.line("start:")
    assert "2 workers [12 items]" in run.lines
    both = {"PYTHON_CPU_COUNT": "6"}
    assert "6 workers (PYTHON_CPU_COUNT)" in tests.run_with(both, "-p", "machine", n="auto").line("start:")
    both["PYTEST_XDIST_AUTO_NUM_WORKERS"] = "2"
    run = tests.run_with(both, "-p", "machine", n="auto")
    assert "2 workers (PYTEST_XDIST_AUTO_NUM_WORKERS)" in run.line("start:")
    tests.conftest("def pytest_xdist_auto_num_workers(config): return 3\n")
    run = tests.run("-p", "machine", n="auto")
    assert "3 workers (pytest_xdist_auto_num_workers)" in run.line("start:")
    assert "3 workers [12 items]" in run.lines
    assert "2 workers (--maxprocesses)" in tests.run("--maxprocesses=2", n="auto").line("start:")


def test_fewer_tests_than_cpus_are_named(suite: Suite) -> None:
    machine(suite)
    suite.test("def test_one(): pass\ndef test_two(): pass\n")
    assert "2 workers (2 tests)" in suite.run("-p", "machine", n="auto").line("start:")


def test_with_early_workers_the_number_is_in_the_header(tests: Suite) -> None:
    machine(tests)
    run = tests.run("-p", "machine", "--rustpar-start=early", "-v", "--maxprocesses=2", n="auto")
    assert run.line("rustpar: ").endswith("start: early, 2 workers (--maxprocesses)")


def test_an_explicit_number_is_not_explained(tests: Suite) -> None:
    machine(tests, left=1)
    run = tests.run("-p", "machine")
    assert run.line("start:") == "rustpar: start: template"
    assert "2 workers [12 items]" in run.lines


def test_little_memory_means_fewer_workers(tests: Suite) -> None:
    machine(tests, left=100 << 20)
    run = tests.run("-p", "machine", n="auto")
    assert "3 workers (memory: 100 MiB left, 32 MiB each)" in run.line("start:")
    assert "3 workers [12 items]" in run.lines
    assert run.counts() == {"passed": 12}


def test_at_least_one_worker_is_started(tests: Suite) -> None:
    machine(tests, left=0)
    run = tests.run("-p", "machine", n="auto")
    assert "1 worker (memory: 0 MiB left, 32 MiB each)" in run.line("start:")
    assert run.counts() == {"passed": 12}


def test_dist_each_and_other_schedulers_ignore_memory(tests: Suite) -> None:
    machine(tests, mask=2, left=0)
    assert "2 workers (2 CPUs)" in tests.run("-p", "machine", "--dist=each", n="auto").line("start:")
    tests.conftest(
        """
        from xdist.scheduler import LoadScheduling
        def pytest_xdist_make_scheduler(config, log): return LoadScheduling(config, log)
        """
    )
    assert "2 workers (2 CPUs)" in tests.run("-p", "machine", n="auto").line("start:")


def test_the_growth_of_workers_in_the_last_run_counts(suite: Suite) -> None:
    machine(suite, mask=2, left=200 << 20)
    suite.test(
        """
        import time
        def test_one(): assert len(bytes([1]) * (150 << 20)); time.sleep(0.2)
        def test_two(): assert len(bytes([1]) * (150 << 20)); time.sleep(0.2)
        """
    )
    assert "2 workers (2 CPUs)" in suite.run("-p", "machine", n="auto").line("start:")
    assert "1 worker (memory: 200 MiB left, 1" in suite.run("-p", "machine", n="auto").line("start:")


def test_the_memory_that_is_left_is_known() -> None:
    left = _core.memory_left()
    assert left is not None
    assert left > 0


def test_after_a_short_run_there_are_no_workers_until_the_suite_has_grown(suite: Suite) -> None:
    suite.test(SHORT)
    first = suite.run(n="auto")
    assert_in_workers(first)
    run = suite.run(n="auto")
    assert_in_one_process(run)
    assert "the last run's 4 tests took " in run.line("rustpar: ")
    assert run.counts() == first.counts() == {"passed": 4}
    assert run.ret == 0
    suite.test(LONG)
    assert_in_one_process(suite.run(n="auto"))
    assert_in_workers(suite.run(n="auto"))


def test_failures_make_no_difference_and_the_gc_module_of_the_single_process_is_not_replaced(suite: Suite) -> None:
    suite.test(
        """
        import gc
        import types
        def test_gc(worker_id): assert worker_id != "master" or type(gc) is types.ModuleType
        def test_one(): assert 0
        def test_two(): pass
        """
    )
    suite.run(n="auto")
    run = suite.run(n="auto")
    assert_in_one_process(run)
    assert run.counts() == {"passed": 2, "failed": 1}
    assert run.ret == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["-n", "2"],
        ["-n", "auto", "--dist", "each"],
        ["-n", "auto", "--tx", "2*popen"],
        ["-n", "auto", "--rustpar-start", "xdist"],
        ["-n", "auto", "--cache-clear"],
        ["-n", "auto", "-p", "no:cacheprovider"],
    ],
    ids=" ".join,
)
def test_explicitly_requested_workers_are_used_in_every_run(suite: Suite, arguments: list[str]) -> None:
    suite.test(SHORT)
    for _ in range(2):
        assert_in_workers(suite.run(*arguments, n=None))


def test_a_number_from_the_environment_or_a_hook_is_used_in_every_run(suite: Suite) -> None:
    suite.test(SHORT)
    for _ in range(2):
        assert_in_workers(suite.run_with({"PYTEST_XDIST_AUTO_NUM_WORKERS": "2"}, n="auto"))
    suite.conftest("def pytest_xdist_auto_num_workers(config): return 2\n")
    assert_in_workers(suite.run(n="auto"))


def test_other_options_are_another_command(suite: Suite) -> None:
    suite.conftest("def pytest_addoption(parser): parser.addoption('--run-slow', action='store_true')\n")
    suite.test(SHORT)
    suite.run(n="auto")
    assert_in_workers(suite.run("--run-slow", n="auto"))
    assert_in_one_process(suite.run("--run-slow", n="auto"))
    assert_in_one_process(suite.run(n="auto"))


def test_a_run_that_was_cut_short_does_not_count(suite: Suite) -> None:
    suite.test("def test_one(): assert 0\n" + "".join(f"def test_{n}(): pass\n" for n in range(20)))
    for _ in range(2):
        assert_in_workers(suite.run("-x", n="auto"))


def test_a_suite_with_a_crash_uses_workers_in_every_run(suite: Suite) -> None:
    suite.test("import os\ndef test_crash(): os._exit(3)\ndef test_two(): pass\n")
    for _ in range(2):
        run = suite.run(n="auto")
        assert_in_workers(run)
        assert run.counts() == {"passed": 1, "failed": 1}


def test_after_a_crash_of_the_single_process_workers_are_used(suite: Suite) -> None:
    suite.test(SHORT)
    suite.run(n="auto")
    suite.test("import os\ndef test_crash(): os._exit(3)\ndef test_two(): pass\n")
    assert suite.run(n="auto").ret == 3
    run = suite.run(n="auto")
    assert_in_workers(run)
    assert run.counts() == {"passed": 1, "failed": 1}


def test_an_unreadable_memory_counts_for_nothing(suite: Suite) -> None:
    suite.test(SHORT)
    suite.run(n="auto")
    file = suite.path / ".pytest_cache" / "v" / "rustpar" / "auto"
    (command,) = json.loads(file.read_text())
    for text in ("nonsense", "[]", json.dumps({command: [4]}), json.dumps({command: ["four", 0.1, None]})):
        file.write_text(text)
        assert_in_workers(suite.run(n="auto"))


@pytest.mark.parametrize(
    ("option", "variable", "reason"),
    [
        ("5", "6", "5 workers (-X cpu_count)"),
        ("default", "6", "3 workers (3 CPUs)"),
        (None, "default", "3 workers (3 CPUs)"),
    ],
)
def test_the_interpreters_option_takes_precedence_over_its_variable(
    tests: Suite, option: str | None, variable: str, reason: str
) -> None:
    machine(tests, mask=3)
    given = [] if option is None else ["-X", f"cpu_count={option}"]
    command = [sys.executable, *given, "-m", "pytest", "-p", "machine", "-n", "auto"]
    environment = {**os.environ, "PYTHON_CPU_COUNT": variable}
    done = subprocess.run(command, cwd=tests.path, env=environment, capture_output=True, text=True, timeout=RUN_LIMIT)
    assert reason in done.stdout, done.stdout
