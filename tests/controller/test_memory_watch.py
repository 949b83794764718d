"""Memory use of workers, and replacement of workers that use too much."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.journals import events

if TYPE_CHECKING:
    from tests.harness import Run, Suite

MIB = 1 << 20

# Bytes that a test of these suites allocates, and the limit for a worker, which is below the bytes of two tests.
EATS = 64 * MIB
ROOM = 32 * MIB

HUNGER = """
    import os

    KEPT = []

    def eat():
        KEPT.append(b"x" * int(os.environ.get("EATS", "0")))
"""

CONFTEST = """
    import pytest
    from support import note

    @pytest.fixture(scope="session", autouse=True)
    def for_the_session():
        note("set up")
        yield
        note("torn down")

    @pytest.fixture(scope="module", autouse=True)
    def for_the_module():
        note("set up")
        yield
        note("torn down")
"""

SIX = """
    import pytest
    from hunger import eat

    @pytest.mark.parametrize("n", range(6))
    def test_it(n):
        eat()
"""
THREE = SIX.replace("6", "3")

# Bytes that a worker uses without these tests, by start mode: measured in the first run of a suite here.
_sober: dict[str, int] = {}


def six_hungry_tests(suite: Suite) -> None:
    suite.write({"hunger.py": HUNGER})
    suite.test(SIX)


def journal(suite: Suite) -> list[dict[str, Any]]:
    """Return the events of the last run of :func:`run_within_limit` or of a run with the same journal."""
    return events(suite.path / "j.jsonl")


def run_within_limit(suite: Suite, *args: str, n: str = "2") -> Run:
    """Run a suite of tests that use much memory, with a limit that a single one exceeds.

    The memory of a worker without these tests depends on the machine, so it is measured in a first run. No history is
    recorded in that run, so that tests keep their order. The suites of these tests differ by much less than the room.
    """
    args = ("--rustpar-journal=j.jsonl", "-p", "no:cacheprovider", *args)
    start = "early" if "--rustpar-start=early" in args else "template"
    if start not in _sober:
        suite.run(*args, n=n)
        _sober[start] = max(event["rss"] for event in journal(suite) if event["e"] in ("memory", "peak"))
        (suite.path / "notes.log").unlink(missing_ok=True)
    limit = f"--rustpar-max-rss={(_sober[start] + ROOM) // 1024}K"
    return suite.run_with({"EATS": str(EATS)}, limit, *args, n=n)


def exits_by_kind(suite: Suite) -> Counter[str]:
    """Count the workers by the way in which they exited."""
    return Counter(event["how"] for event in journal(suite) if event["e"] == "gone")


@pytest.mark.parametrize("dist", ["load", "worksteal", "loadscope", "loadfile", "loadgroup", "each"])
def test_every_test_runs_once_while_workers_are_replaced(suite: Suite, dist: str) -> None:
    suite.conftest(CONFTEST)
    suite.write({"hunger.py": HUNGER, "test_one.py": THREE, "test_two.py": THREE})
    run = run_within_limit(suite, "--dist", dist, "--max-worker-restart=0")
    times = 2 if dist == "each" else 1
    assert run.ret == 0, run.text
    assert run.counts() == {"passed": 6 * times}
    assert list(run.runs.values()) == [times] * 6
    began = Counter(report["worker"] for report in run.reports if report["when"] == "setup")
    assert set(began.values()) == {1}
    went = exits_by_kind(suite)
    assert went["crashed"] == 0
    # All except the two that ran last.
    assert went["replaced"] >= 6 * times - 2
    set_up, torn_down = ([note.split()[0] for note in suite.notes() if note.endswith(end)] for end in ("up", "down"))
    assert Counter(set_up) == Counter(torn_down)


def test_early_workers_are_replaced_by_workers_that_collect_for_themselves(suite: Suite) -> None:
    six_hungry_tests(suite)
    run = run_within_limit(suite, "--rustpar-start=early")
    assert run.start() == "early"
    assert run.counts() == {"passed": 6}
    assert list(run.runs.values()) == [1] * 6
    assert exits_by_kind(suite)["replaced"] >= 4


def test_conflicting_tests_stay_apart_while_workers_are_replaced(suite: Suite) -> None:
    suite.write({"hunger.py": HUNGER})
    suite.test(
        """
        import os
        import pytest
        from hunger import eat
        from support import HERE

        @pytest.fixture
        def alone():
            path = os.path.join(HERE, "held")
            os.close(os.open(path, os.O_CREAT | os.O_EXCL))
            yield
            os.unlink(path)

        @pytest.mark.resource("db")
        @pytest.mark.parametrize("n", range(4))
        def test_resource(n, alone): eat()

        @pytest.mark.serial
        @pytest.mark.parametrize("n", range(3))
        def test_serial(n, alone): eat()

        @pytest.mark.parametrize("n", range(4))
        def test_any(n): eat()
        """
    )
    run = run_within_limit(suite)
    assert run.counts() == {"passed": 11}, run.text
    assert list(run.runs.values()) == [1] * 11
    assert exits_by_kind(suite)["replaced"] >= 9


def test_a_session_teardown_error_of_a_replaced_worker_belongs_to_its_last_test(suite: Suite) -> None:
    six_hungry_tests(suite)
    suite.conftest(
        """
        import pytest

        @pytest.fixture(scope="session", autouse=True)
        def for_the_session(worker_id):
            yield
            assert worker_id != "gw0", "it broke"
        """
    )
    run = run_within_limit(suite, n="1")
    assert run.counts() == {"passed": 6, "errors": 1}, run.text
    assert [r["nodeid"] for r in run.reports if r["outcome"] == "failed"] == ["test_it.py::test_it[0]"]


def test_plugins_see_a_worker_exit_and_its_replacement_start(suite: Suite) -> None:
    six_hungry_tests(suite)
    suite.conftest(
        """
        from support import note

        def pytest_configure_node(node):
            note(f"{node.gateway.id} is configured")

        def pytest_testnodeready(node):
            note(f"{node.gateway.id} is ready")

        def pytest_testnodedown(node, error):
            note(f"{node.gateway.id} is down: {error}, {node.workeroutput['exitstatus']}")
        """
    )
    run_within_limit(suite, n="1")
    notes = [note.removeprefix("main ") for note in suite.notes()]
    expected = []
    for worker in range(6):
        name = f"gw{worker}"
        expected += [f"{name} is configured", f"{name} is ready", f"{name} is down: None, 0"]
    assert notes == expected


def test_a_worker_that_grew_too_large_in_the_last_test_is_not_replaced(suite: Suite) -> None:
    suite.write({"hunger.py": HUNGER})
    suite.test("from hunger import eat\ndef test_first(): pass\ndef test_last(): eat()")
    run = run_within_limit(suite, n="1")
    assert run.counts() == {"passed": 2}
    assert "no worker was replaced" in run.out
    assert exits_by_kind(suite) == {"left": 1}


def test_a_worker_that_has_freed_its_memory_is_not_replaced(suite: Suite) -> None:
    suite.write({"hunger.py": HUNGER})
    suite.test("from hunger import KEPT, eat\ndef test_first(): eat(); KEPT.clear()\ndef test_last(): pass")
    run = run_within_limit(suite, n="1")
    assert run.counts() == {"passed": 2}
    assert exits_by_kind(suite) == {"left": 1}
    assert max(event["rss"] for event in journal(suite) if event["e"] == "peak") > EATS


def test_no_worker_is_replaced_when_the_run_stops(suite: Suite) -> None:
    suite.write({"hunger.py": HUNGER})
    suite.test(
        """
        import os
        from hunger import eat

        def test_first():
            eat()
            assert os.environ.get("EATS") is None

        def test_second(): pass
        def test_third(): pass
        """
    )
    run = run_within_limit(suite, "-x", n="1")
    assert run.counts() == {"failed": 1}, run.text
    assert [event["w"] for event in journal(suite) if event["e"] == "worker"] == [0]
    assert exits_by_kind(suite) == {"left": 1}


@pytest.mark.parametrize("kind", ["Load", "LoadScope", "LoadFile", "WorkStealing"])
def test_schedulers_written_in_python_get_the_tests_of_a_replaced_worker_back(suite: Suite, kind: str) -> None:
    suite.write({"hunger.py": HUNGER, "test_one.py": THREE, "test_two.py": THREE})
    suite.use_xdist_scheduler(kind)
    run = run_within_limit(suite, "--max-worker-restart=0")
    assert run.counts() == {"passed": 6}, run.text
    assert list(run.runs.values()) == [1] * 6
    assert exits_by_kind(suite)["replaced"] >= 3


def test_a_scheduler_that_cannot_reassign_tests_is_refused(suite: Suite) -> None:
    suite.test("def test_it(): pass")
    suite.use_xdist_scheduler("Each")
    run = suite.run("--rustpar-max-rss=1G")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    assert "--rustpar-max-rss does not work with EachScheduling, which cannot reassign tests" in run.text


def test_the_journal_and_the_summary_say_which_worker_was_replaced_and_why(suite: Suite) -> None:
    suite.write({"hunger.py": HUNGER})
    suite.test("from hunger import eat\ndef test_modest(): pass\ndef test_hungry(): eat()\ndef test_after(): pass")
    run = run_within_limit(suite, n="1")
    (gone,) = [event for event in journal(suite) if event["e"] == "gone" and event["how"] == "replaced"]
    assert gone["w"] == 0
    assert gone["why"].startswith("resident ")
    assert gone["why"].endswith(" MiB, after test_it.py::test_hungry")
    assert "1 worker was replaced for using more than " in run.out
    assert run.line("  test_it.py::test_hungry (gw0, ")
    assert run.line("gw0 (replaced)").endswith(" in test_it.py::test_hungry")


def test_growth_is_attributed_to_the_test_in_which_it_happened(suite: Suite) -> None:
    suite.write({"hunger.py": HUNGER})
    suite.test("from hunger import eat\ndef test_modest(): pass\ndef test_hungry(): eat()\ndef test_after(): pass")
    run = suite.run_with({"EATS": str(EATS)}, "-v", "--rustpar-journal=j.jsonl", n="1")
    assert run.line(" in test_it.py::test_hungry").startswith("gw0 ")
    held = [event for event in journal(suite) if event["e"] in ("memory", "peak") and event["w"] == 0]
    (hungry,) = [place for place, event in enumerate(held) if event.get("t") == 1]
    assert held[0]["e"] == "memory"
    assert held[hungry]["rss"] - held[0]["rss"] >= EATS
    assert held[-1]["e"] == "memory"
    assert 0 < held[-1]["pss"] <= held[-1]["rss"]


def test_a_run_without_workers_records_its_growth_in_the_journal(suite: Suite) -> None:
    suite.write({"hunger.py": HUNGER})
    # The peak of pytester's own process is inherited, so the growth has to exceed it.
    suite.test("from hunger import eat\ndef test_modest(): pass\ndef test_hungry(): eat()\n")
    run = suite.run_with({"EATS": str(8 * EATS)}, "--rustpar-journal=j.jsonl", n=None)
    assert run.counts() == {"passed": 2}
    events = journal(suite)
    assert [event["rss"] > 8 * EATS for event in events if event["e"] == "peak" and event["t"] == 1] == [True]
    held = [event for event in events if event["e"] == "memory"]
    assert len(held) == 2
    assert held[1]["rss"] - held[0]["rss"] >= 8 * EATS


def test_a_limit_below_the_initial_memory_has_no_effect(suite: Suite) -> None:
    six_hungry_tests(suite)
    run = suite.run("--rustpar-max-rss=1M", "--rustpar-journal=j.jsonl")
    assert run.counts() == {"passed": 6}
    assert run.line("rustpar: --rustpar-max-rss has no effect: a worker uses ").endswith(
        "more than 1 MiB; raise the limit"
    )
    assert exits_by_kind(suite) == {"left": 2}


def test_the_memory_section_is_shown_on_request(suite: Suite) -> None:
    suite.test("def test_it(): pass")
    assert "= memory =" not in suite.run().out
    assert "= memory =" in suite.run("-v").out
    assert "= memory =" not in suite.run("--rustpar-max-rss=100G", "-q").out
    without_cache = suite.run("--rustpar-max-rss=100G", "-p", "no:cacheprovider").out
    assert "= memory =" in without_cache
    assert "no worker was replaced for using more than 102,400 MiB" in without_cache


def test_a_removed_journal_does_not_fail_the_run(suite: Suite) -> None:
    suite.test("import shutil\ndef test_it(): shutil.rmtree('.pytest_cache/d/rustpar')\n")
    run = suite.run("-v")
    assert run.ret == 0
    assert run.counts() == {"passed": 1}
    assert "Traceback" not in run.text


def test_the_limit_can_be_set_in_the_ini_file(suite: Suite) -> None:
    suite.test("def test_it(): pass")
    suite.write({"pytest.ini": "[pytest]\nrustpar_max_rss = 2G\n"})
    assert "no worker was replaced for using more than 2,048 MiB" in suite.run().out
    assert "more than 3,072 MiB" in suite.run("--rustpar-max-rss=3G").out


def test_a_limit_without_effect_is_reported(suite: Suite) -> None:
    suite.test("def test_it(): pass")
    plain = suite.run("--rustpar-max-rss=1G", n=None)
    assert plain.line("rustpar: --rustpar-max-rss has no effect without workers: add -n auto")
    xdist = suite.run("--rustpar-max-rss=1G", "--rustpar-start=xdist")
    assert xdist.line("rustpar: --rustpar-max-rss has no effect with pytest-xdist's own engine")


def test_an_ini_limit_without_effect_is_not_reported(suite: Suite) -> None:
    suite.test("def test_it(): pass")
    suite.write({"pytest.ini": "[pytest]\nrustpar_max_rss = 1G\n"})
    assert "has no effect" not in suite.run(n=None).text


def test_an_invalid_or_impossibly_large_size_is_a_usage_error(suite: Suite) -> None:
    advice = {"500": "invalid size '500': expected a number with K, M, G or T, for example 500M or 1.5G"}
    advice |= dict.fromkeys(["99999999999T", "8388608T", "9" * 400 + "G"], "': expected less than 8388608T")
    options, entries = {f"{place}": size for place, size in enumerate(advice)}, {}
    for place, size in options.items():
        entries[f"ini {place}"] = size
        suite.part(place)
        suite.part(f"ini {place}").write({"pytest.ini": f"[pytest]\nrustpar_max_rss = {size}\n"})
    runs = suite.run_each(
        {place: ["-n2", f"--rustpar-max-rss={size}"] for place, size in options.items()}
        | {place: ["-n2"] for place in entries}
    )
    for place, size in (options | entries).items():
        assert runs[place].ret == pytest.ExitCode.USAGE_ERROR, size
        (line,) = [line for line in runs[place].err.splitlines() if "--rustpar-max-rss: " in line or "_rss: " in line]
        prefix = "ERROR: rustpar_max_rss: " if place in entries else "argument --rustpar-max-rss: "
        assert prefix in line, size
        assert line.endswith(advice[size]), size
        assert len(line) < 200, size
