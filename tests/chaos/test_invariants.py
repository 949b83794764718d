"""The checks of chaos rounds find what they are there for."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.chaos.faults import Damage, Limit, Moment, Signal
from tests.chaos.invariants import Evidence, violations, violations_of_next
from tests.chaos.rounds import KINDS, make_round
from tests.chaos.running import Directory, is_probe_of_python
from tests.chaos.suites import Shape

if TYPE_CHECKING:
    from pathlib import Path

SHAPE = Shape(modules=2, tests=5, seconds=0.0, fixtures=True, keeps=0, fails=True)
EXPECTED = SHAPE.expected()


def undisturbed() -> Evidence:
    """Return what a run without any fault leaves."""
    reports = [
        (test, when, outcome if when == "call" else "passed")
        for test, outcome in EXPECTED.items()
        for when in ("setup", "call", "teardown")
    ]
    return Evidence(1, "", reports, Counter(list(EXPECTED)), journal=(0, "a report"))


def found(evidence: Evidence) -> str:
    """Return the violations of a disturbed run, as one text."""
    return "\n".join(violations(evidence, EXPECTED, controller_killed=False))


def test_an_undisturbed_run_violates_nothing() -> None:
    assert not found(undisturbed())
    assert not violations_of_next(undisturbed(), EXPECTED, set())


def test_a_test_that_is_reported_or_run_twice_is_found() -> None:
    evidence = undisturbed()
    evidence.reports.append(("test_1.py::test_it[0]", "???", "failed"))
    assert "test_1.py::test_it[0] was reported 2 times" in found(evidence)
    evidence = undisturbed()
    evidence.begun["test_1.py::test_it[0]"] += 1
    assert "test_1.py::test_it[0] was run 2 times" in found(evidence)


@pytest.mark.parametrize(
    ("text", "is_explained"),
    [
        ("", False),
        ("worker 'gw1' crashed while running 'test_1.py::test_it[1]'", False),
        ("rustpar: a test was lost (collected, but neither run nor", True),
        ("rustpar: 2 tests were lost (collected, but neither run nor", False),
        ("!!! stopping after 1 failures !!!", True),
    ],
)
def test_a_missing_test_has_to_be_explained(text: str, is_explained: bool) -> None:
    evidence = undisturbed()
    evidence.text = text
    evidence.reports = [report for report in evidence.reports if report[0] != "test_1.py::test_it[0]"]
    assert bool(found(evidence)) is not is_explained
    assert "1 tests are missing from the next run" in violations_of_next(evidence, EXPECTED, set())
    evidence.status = 0
    assert "exit status 0, but 1 tests are missing" in found(evidence)


def test_an_exit_status_of_0_with_a_failure_is_found() -> None:
    evidence = undisturbed()
    evidence.status = 0
    assert "exit status 0, but ['test_1.py::test_it[2]'] failed" in found(evidence)


def test_a_wrong_outcome_is_found() -> None:
    evidence = undisturbed()
    evidence.reports.append(("test_1.py::test_it[0]", "call", "failed"))
    assert "test_1.py::test_it[0] is reported as failed, and not passed" in found(evidence)


def test_what_a_run_has_left_and_a_hang_are_found() -> None:
    evidence = undisturbed()
    evidence.processes, evidence.files, evidence.status, evidence.seconds = ["7 pytest"], ["rustpar-x"], None, 31.0
    for words in ("a process was left: 7", "a file was left: rustpar-x", "it had not ended after 31 s"):
        assert words in found(evidence)
        assert words in "\n".join(violations(evidence, EXPECTED, controller_killed=True))


def test_the_file_with_which_tempfile_looks_for_a_directory_is_pythons(tmp_path: Path) -> None:
    files = {"ad5xzsmv": "blat", "ad5xzsmw": "", "ad5xzsmx": "rustpar", "tmpad5xzsmv": "blat"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert [is_probe_of_python(tmp_path / name) for name in files] == [True, True, False, False]


def test_only_tracebacks_that_end_in_the_package_are_found() -> None:
    evidence = undisturbed()
    own = 'Traceback (most recent call last):\n  File "/lib/pluggy.py", line 1, in f\n    g()\n'
    evidence.text = own + '  File "/lib/rustpar/plugin.py", line 1, in g\n    h()\nOSError: nothing\n'
    assert "a traceback ends in /lib/rustpar/plugin.py" in found(evidence)
    evidence.text = own + "OSError: nothing\n"
    assert not found(evidence)
    evidence.journal = (3, "")
    assert "rustpar report failed with status 3" in found(evidence)


def test_a_round_is_determined_by_its_seed() -> None:
    rounds = [str(make_round(f"seed-{number}")) for number in range(200)]
    command = "from tests.chaos.rounds import *; print(*(make_round(f'seed-{n}') for n in range(200)), sep='\\n')"
    again = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert again.stdout.splitlines() == rounds
    for kind in KINDS:
        assert make_round("seed", kind).faults


def test_faults_reach_the_processes_of_their_role(tmp_path: Path) -> None:
    shape = Shape(modules=1, tests=20, seconds=0.02, fixtures=False, keeps=0, fails=False)
    directory = Directory(tmp_path)
    shape.write(directory.suite)
    start = ("-n", "2", "--rustpar-start=template")

    def kill(role: str) -> tuple[Evidence, str]:
        fault = Signal(role, signal.SIGKILL, Moment(4, 0.0), 0.0, 0.5)
        evidence, disturbance = directory.run(start, [fault])
        assert len(disturbance.done) == 1
        return evidence, "\n".join(violations(evidence, shape.expected(), controller_killed=role == "controller"))

    worker, wrong = kill("worker")
    assert not wrong
    assert "was killed by SIGKILL" in worker.text
    template, wrong = kill("template")
    assert not wrong
    assert "the template process died before all tests had run" in template.text
    controller, wrong = kill("controller")
    assert not wrong
    assert controller.status == -signal.SIGKILL
    limited, _ = directory.run(start, [Limit("NOFILE", 10)])
    assert limited.status != 0


def test_damage_changes_the_files_of_earlier_runs(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    for how in ("cut", "overwritten", "replaced"):
        for files, name in (("journal", "runs/1.jsonl"), ("history", "history.json")):
            (tmp_path / name).write_bytes(b"x" * 1000)
            Damage(files, how, 3).apply(tmp_path)
            assert (tmp_path / name).read_bytes() != b"x" * 1000
