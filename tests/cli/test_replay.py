"""The command `rustpar replay`, which runs what a worker has run, in one process."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.harness import RUN_LIMIT
from tests.journals import events, journals
from tests.reportfiles import error_of, output_of, words

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import Suite

# Each test notes its name and what it knows about its worker.
NOTING = """
    import json, os
    import pytest
    from support import note

    @pytest.mark.parametrize("x", range(3))
    @pytest.mark.parametrize("name", ["a b", "[é]", "c::d"])
    def test_it(request, worker_id, tmp_path, name, x):
        own = getattr(request.config, "workerinput", {})
        about = [worker_id, own.get("workerid"), own.get("workercount"), own.get("testrunuid"), tmp_path.parent.name]
        about += [os.environ.get("PYTEST_XDIST_WORKER" + end) for end in ("", "_COUNT")]
        about.append(os.environ.get("PYTEST_XDIST_TESTRUNUID"))
        note(json.dumps([request.node.nodeid, about]))
        assert x != 1
"""

REVERSING = """
    import pytest

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(config, items):
        items.reverse()
        if "REPLAYED" in __import__("os").environ:
            config.hook.pytest_deselected(items=items[2:])
            del items[2:]
"""

OPTIONS = """
    [pytest]
    addopts = -n 2 --dist load -p no:randomly --junitxml=out.xml
    rustpar_order = *, slow
    rustpar_thresholds = max<1us
    markers = slow
"""


def replay(
    suite: Suite, *args: str, directory: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `rustpar replay`."""
    return subprocess.run(
        words("replay", *args),
        cwd=directory or suite.path,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=RUN_LIMIT,
    )


def notes_of(suite: Suite) -> dict[str, list[Any]]:
    """Return and delete the notes of each worker."""
    found: dict[str, list[Any]] = {}
    for line in suite.notes():
        worker, _, note = line.partition(" ")
        found.setdefault(worker, []).append(json.loads(note))
    (suite.path / "notes.log").unlink()
    return found


def test_a_replay_has_the_order_and_the_identity_of_the_worker(suite: Suite) -> None:
    suite.write({"test_it.py": NOTING, "conftest.py": REVERSING, "pytest.ini": OPTIONS})
    suite.run("--maxfail=9", n=None)
    ran = notes_of(suite)
    (journal,) = journals(suite)
    left = {path.name for path in suite.path.iterdir()}
    (suite.path / "out.xml").unlink()
    for worker, tests in ran.items():
        done = replay(suite, "--worker", worker, REPLAYED="1")
        # A worker that starts late can have had a single test.
        assert f"{worker} ran {len(tests)} test{'s' * (len(tests) > 1)} in run " in done.stdout, done.stderr
        assert done.returncode == 1, done.stdout
        assert notes_of(suite) == {worker: tests}
    # Nothing of the next runs is changed.
    assert journals(suite) == [journal]
    assert {path.name for path in suite.path.iterdir()} == left - {"out.xml", "notes.log"}


def test_arguments_are_explained_if_they_name_nothing_or_several(suite: Suite) -> None:
    suite.test(NOTING)
    suite.run()
    (journal,) = journals(suite)
    ran = notes_of(suite)
    worker = max(ran, key=lambda name: len(ran[name]))
    first, last = ran[worker][0][0], ran[worker][-1][0]
    assert error_of(suite, "replay") == "rustpar replay: name a worker with --worker: gw0, gw1"
    assert error_of(suite, "replay", "--worker", "gw7").endswith("the run has no worker 'gw7'; it has gw0, gw1")
    assert "' matches 9 tests: test_it.py::test_it[" in error_of(suite, "replay", "--until", "test_it[")
    assert error_of(suite, "replay", "--until", "other").endswith("no test of the run matches 'other'")
    after = error_of(suite, "replay", "--worker", worker, "--until", last, "--after", "other")
    assert after.endswith(f"no test of what {worker} ran before {last} matches 'other'")
    listed = ["--collect-only", "-q", "-p", "no:cacheprovider"]
    for given, tests in (([last], [note[0] for note in ran[worker]]), ([last, "--after", first], [first, last])):
        output = output_of(suite, "replay", str(journal), "--until", *given, "--", *listed)
        assert [line for line in output.splitlines() if line.startswith("test_it.py::")] == tests
    assert f"replaying only {last}\n" in output_of(suite, "replay", "--until", last, "--alone", "--", *listed)


def test_tests_that_no_longer_exist_are_left_out(suite: Suite) -> None:
    suite.write({"test_a.py": "def test_1(): pass\ndef test_2(): pass\n", "test_b.py": "def test_3(): pass\n"})
    suite.run(n=None)
    suite.write({"test_a.py": "def test_2(): pass\n"})
    (suite.path / "test_b.py").unlink()
    done = replay(suite)
    assert "main ran 3 tests in run " in done.stdout
    assert "\nrustpar: 2 tests of the run not found, left out: test_a.py::test_1, test_b.py::test_3\n" in done.stdout
    assert (done.returncode, "1 passed" in done.stdout) == (0, True)
    suite.write({"test_a.py": "\n"})
    done = replay(suite)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "none of the tests to replay was found" in done.stdout + done.stderr
    (suite.path / "test_a.py").unlink()
    assert error_of(suite, "replay").startswith("rustpar replay: there is no test_a.py here or above: ")


def test_a_worker_that_died_is_replayed_up_to_the_test_in_which_it_died(suite: Suite) -> None:
    suite.test(
        """
        import os
        def test_first(): pass
        def test_dies(worker_id): assert worker_id != "gw0" or os.abort()
        def test_later(): pass
        """
    )
    suite.run("--max-worker-restart=1", n="1")
    done = replay(suite, "--worker", "gw0", "--", "-v")
    assert "gw0 ran 2 tests" in done.stdout
    assert done.returncode == -6, done.stdout
    done = replay(suite, "--worker", "gw1")
    assert ("gw1 ran 1 test in" in done.stdout, done.returncode) == (True, 0)


def as_written_before(journal: Path) -> None:
    """Remove from a journal what earlier versions did not record."""
    changed = []
    for event in events(journal):
        for name in ("rootdir", "directory", "environment", "seeds", "count", "uid"):
            event.pop(name, None)
        changed.append(json.dumps({"e": event.pop("e"), **event}, separators=(",", ":")))
    journal.write_text("\n".join(changed) + "\n", encoding="utf-8")


def test_journals_of_shards_of_another_machine_and_of_a_merged_run_are_replayed(suite: Suite, tmp_path: Path) -> None:
    suite.write({"tests/test_it.py": NOTING, "tests/pytest.ini": "[pytest]\n"})
    there = suite.path / "tests"
    for number in (1, 2):
        arguments = (f"--rustpar-shard={number}/2", "--rustpar-shard-by=hash", f"--rustpar-journal=shard{number}.jsonl")
        suite.run(*arguments, f"--rootdir={there}", str(there))
    ran = notes_of(suite)
    as_written_before(suite.path / "shard1.jsonl")
    output_of(suite, "merge", "shard1.jsonl", "shard2.jsonl", "-o", "all.jsonl")
    here = tmp_path / "checkout"
    here.mkdir()
    for name in ("support.py", "recorder.py", "all.jsonl", "shard1.jsonl", "shard2.jsonl"):
        shutil.copy(suite.path / name, here)
    shutil.move(there, here / "tests")
    environment = {"PYTHONPATH": str(here)}
    for journal, worker, shard in (("shard2.jsonl", "gw1", 2), ("all.jsonl", "1:gw0", 1)):
        done = replay(suite, f"../{journal}", "--worker", worker, directory=here / "tests", **environment)
        assert done.returncode in (0, 1), done.stdout + done.stderr
        notes = (here / "notes.log").read_text().splitlines()
        (here / "notes.log").unlink()
        tests = {test for event in events(here / f"shard{shard}.jsonl") for test in event.get("ids", ())}
        replayed = [json.loads(note.partition(" ")[2])[0] for note in notes]
        assert replayed == [test for test, _ in ran[worker[-3:]] if test in tests]
        assert replayed
    done = replay(suite, "../all.jsonl", "--worker=gw0", directory=here / "tests")
    assert done.stderr == "rustpar replay: 'gw0' is a worker of 2 runs; name one of 1:gw0, 2:gw0\n"


def test_seeds_are_recorded_and_used_and_other_variables_are_not(suite: Suite) -> None:
    suite.conftest(
        """
        import random

        def pytest_addoption(parser):
            parser.addoption("--my-seed", type=int, default=None)

        def pytest_configure(config):
            if config.option.my_seed is None and not hasattr(config, "workerinput"):
                config.option.my_seed = random.SystemRandom().randrange(10**9)
        """
    )
    suite.test(
        """
        from support import note

        def test_it(request): note(f"[{request.config.option.my_seed}, {hash('a')}]")
        """
    )
    secrets = {"PYTHONHASHSEED": "7", "API_KEY": "hunter2", "PYTEST_ADDOPTS": "--durations=3"}
    suite.run_with(secrets, n=None)
    ran = notes_of(suite)
    (journal,) = journals(suite)
    head = events(journal)[0]
    assert head["environment"] == {"PYTHONHASHSEED": "7", "PYTEST_ADDOPTS": "--durations=3"}
    assert "hunter2" not in journal.read_text()
    assert head["rootdir"] == str(suite.path)
    done = replay(suite)
    assert re.search(r"\nseeds: my_seed=\d+, PYTHONHASHSEED=7\n", done.stdout), done.stdout
    assert "slowest 3 durations" in done.stdout
    assert notes_of(suite) == ran


def test_plugins_that_send_something_to_workers_can_do_so(suite: Suite) -> None:
    suite.conftest(
        """
        import pytest

        def pytest_configure(config):
            config.sent = getattr(config, "workerinput", {"sent": "by the controller"})["sent"]

        def pytest_configure_node(node):
            node.workerinput["sent"] = node.config.sent

        @pytest.fixture
        def sent(request): return request.config.workerinput["sent"]
        """
    )
    suite.test("def test_it(sent, worker_id): assert (sent, worker_id) == ('by the controller', 'gw0')")
    assert suite.run(n="1").counts() == {"passed": 1}
    done = replay(suite, "--worker", "gw0")
    assert "1 passed" in done.stdout, done.stdout
