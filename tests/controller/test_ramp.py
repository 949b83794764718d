"""With ``--ramp``, workers start one after the other, and nothing waits for those that have not started."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

import pytest

from rustpar.compat.xdist_options import has_ramp
from tests.journals import events, journals

if TYPE_CHECKING:
    from tests.harness import Run, Suite

# So long that no test waits for it to end.
LONG = "--ramp=600s"

# Each test writes its worker, and a conftest with what happens to workers.
CONFTEST = """
    import os

    def write(*words):
        with open(os.path.join(os.path.dirname(__file__), "happened"), "a") as file:
            print(*words, file=file)

    def pytest_runtest_logstart(nodeid):
        if "PYTEST_XDIST_WORKER" in os.environ:
            write(os.environ["PYTEST_XDIST_WORKER"], nodeid.rpartition("::")[2])

    def pytest_testnodedown(node, error):
        write("down", node.gateway.id, error or "")
"""

# The first worker runs tests until another has started one.
UNTIL_ANOTHER = """
    import os
    import time
    import pytest

    @pytest.mark.parametrize("number", range(200))
    def test_it(number):
        worker = os.environ["PYTEST_XDIST_WORKER"]
        open(f"of.{worker}", "w").close()
        if worker == "gw0" and number > 3:
            while not os.path.exists("of.gw1"):
                time.sleep(0.01)
"""

STARTS = ["template", "early"]


def happened(suite: Suite) -> list[list[str]]:
    """Return what the conftest has written, as words."""
    return [line.split() for line in (suite.path / "happened").read_text().splitlines()]


def used(suite: Suite) -> set[str]:
    """Return the workers that have started a test."""
    return {first for first, *_ in happened(suite) if first.startswith("gw")}


def run(suite: Suite, *options: str, n: str = "3") -> Run:
    """Run the suite with a conftest that writes what happens."""
    suite.conftest(CONFTEST)
    return suite.run(*options, n=n)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("dist", ["load", "worksteal", "loadscope", "loadfile", "loadgroup"])
def test_a_worker_that_is_not_due_when_nothing_is_left_runs_nothing(suite: Suite, start: str, dist: str) -> None:
    suite.test("import pytest\n@pytest.mark.parametrize('number', range(30))\ndef test_it(number): pass")
    result = run(suite, LONG, f"--rustpar-start={start}", f"--dist={dist}")
    assert result.ret == 0, result.text
    assert result.counts() == {"passed": 30}
    assert used(suite) == {"gw0"}
    assert "ramping test start over 600s across 3 workers" in result.lines
    forked = {event["w"] for event in events(journals(suite)[-1]) if event["e"] == "worker"}
    # The template itself becomes the first early worker.
    assert forked == ({0} if start == "template" else {1, 2})
    # Each is reported as gone, once.
    assert sorted(words[1] for words in happened(suite) if words[0] == "down") == ["gw0", "gw1", "gw2"]


@pytest.mark.parametrize("start", STARTS)
def test_a_worker_joins_while_the_first_is_running(suite: Suite, start: str) -> None:
    suite.test(UNTIL_ANOTHER)
    result = run(suite, "--ramp=1s", f"--rustpar-start={start}", n="2")
    assert result.counts() == {"passed": 200}, result.text
    first = [words[0] for words in happened(suite)].index("gw1")
    assert first >= 4
    assert {words[0] for words in happened(suite)[:first]} == {"gw0"}


@pytest.mark.parametrize("start", STARTS)
def test_every_worker_runs_every_test_with_each(suite: Suite, start: str) -> None:
    suite.test("def test_one(): pass\ndef test_two(): pass")
    result = run(suite, "--ramp=1s", "--dist=each", f"--rustpar-start={start}")
    assert result.counts() == {"passed": 6}, result.text
    assert [words[0] for words in happened(suite) if words[0] != "down"] == ["gw0"] * 2 + ["gw1"] * 2 + ["gw2"] * 2


@pytest.mark.parametrize("start", STARTS)
def test_a_worker_that_crashes_during_the_ramp_is_replaced(suite: Suite, start: str) -> None:
    suite.test("import os\ndef test_one(): pass\ndef test_two(): os._exit(3)\ndef test_three(): pass")
    result = run(suite, LONG, f"--rustpar-start={start}")
    assert result.counts() == {"passed": 2, "failed": 1}, result.text
    assert used(suite) == {"gw0", "gw3"}


@pytest.mark.parametrize("start", STARTS)
def test_a_worker_of_the_ramp_runs_what_one_has_left_that_is_not_replaced(suite: Suite, start: str) -> None:
    suite.test("import os\ndef test_one(): pass\ndef test_two(): os._exit(3)\ndef test_three(): pass")
    result = run(suite, "--ramp=1s", "--max-worker-restart=0", f"--rustpar-start={start}", n="2")
    assert result.counts() == {"passed": 2, "failed": 1}, result.text
    assert used(suite) == {"gw0", "gw1"}


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("option", ["-x", "--maxfail=1"])
@pytest.mark.parametrize("dist", ["load", "each"])
def test_a_run_that_stops_starts_no_further_worker(suite: Suite, start: str, option: str, dist: str) -> None:
    suite.test("def test_one(): assert False\ndef test_two(): pass")
    result = run(suite, LONG, option, f"--rustpar-start={start}", f"--dist={dist}")
    assert result.counts()["failed"] == 1, result.text
    assert used(suite) == {"gw0"}
    assert result.ret in (1, 2)


@pytest.mark.parametrize("start", STARTS)
def test_an_interrupt_ends_the_ramp(suite: Suite, start: str) -> None:
    suite.conftest(CONFTEST)
    suite.test("import time\ndef test_one():\n    open('started.here', 'w').close()\n    time.sleep(600)")
    process = suite.start(LONG, f"--rustpar-start={start}")
    suite.wait_for("started")
    process.send_signal(signal.SIGINT)
    result = suite.wait_for_exit(process)
    assert result.ret == 2, result.text
    assert used(suite) == {"gw0"}
    assert "did not react" not in result.text


def test_shards_and_one_worker_have_a_ramp_too(suite: Suite) -> None:
    suite.test("import pytest\n@pytest.mark.parametrize('number', range(8))\ndef test_it(number): pass")
    for n in ("1", "3"):
        result = run(suite, LONG, "--rustpar-shard=1/2", n=n)
        assert result.ret == 0, result.text
    assert used(suite) == {"gw0"}


def test_a_crash_with_each_is_tried_again_by_the_replacement_before_others_start(suite: Suite) -> None:
    suite.test(
        """
        import os

        def test_one():
            if os.environ["PYTEST_XDIST_WORKER"] == "gw0":
                os._exit(3)
        """
    )
    result = run(suite, "--ramp=2s", "--dist=each", "--rustpar-retries=1", n="2")
    assert result.counts() == {"passed": 1, "rerun": 1, "flaky": 1}, result.text
    assert used(suite) == {"gw0", "gw1", "gw2"}


@pytest.mark.parametrize("value", ["-1", "fast", "", "nan", "inf"])
def test_an_invalid_duration_is_a_usage_error(suite: Suite, value: str) -> None:
    suite.test("def test_it(): pass")
    result = suite.run(f"--ramp={value}")
    assert result.ret == 4
    assert re.search("invalid duration|duration must be|requires a duration", result.text)


def test_the_ramp_is_refused_where_it_would_have_no_effect(suite: Suite) -> None:
    suite.test("def test_it(): pass")
    if not has_ramp():
        result = suite.run(LONG, "--rustpar-start=xdist")
        assert result.ret == 4
        assert "--ramp does not work with this version of pytest-xdist's own engine" in result.text
    suite.use_xdist_scheduler("Load")
    result = suite.run(LONG)
    assert result.ret == 4
    assert "--ramp does not work with LoadScheduling, a scheduler written in Python; omit it" in result.text
