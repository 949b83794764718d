"""Kill a run of 2,000 tests at random moments, resume it, and compare the whole with an undisturbed run.

    python benches/resume.py --moments 20 --seed 1

Each trial kills the controller, all processes, or the fork server and the template of a run, at a random moment between
its first and its last test; one in three is killed a second time. Then it is resumed. The results in JUnit XML (except
times and the order of tests) and the measured lines must be those of an undisturbed run. Prints a line for each trial;
the exit status is the number of trials with a difference.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

TESTS_PER_FILE = 100

# Tests with every outcome; each calls a function with a line of its own.
MODULE = """
import warnings
import pytest
import app

@pytest.mark.parametrize("n", range({begin}, {end}))
def test_it(n, record_property):
    app.sides[n % 50](n)
    print("output", n)
    if n % 11 == 3:
        record_property("number", n)
    if n % 13 == 4:
        warnings.warn(f"warning {{n % 3}}")
    if n % 17 == 5:
        pytest.skip(f"reason {{n % 2}}")
    if n % 19 == 6:
        pytest.xfail("known")
    assert n % 23 != 7, f"wrong {{n}}"
"""


def make_suite(root: Path, tests: int) -> None:
    """Write a suite of so many tests, in files of a hundred."""
    functions = [f"def side_{n}(n):\n    if n % 7 == {n % 7}:\n        return {n}\n    return -n\n" for n in range(50)]
    names = ", ".join(f"side_{n}" for n in range(50))
    (root / "app.py").write_text("\n".join([*functions, f"sides = [{names}]\n"]))
    (root / "conftest.py").write_text("import app\n")
    (root / "pytest.ini").write_text("[pytest]\n")
    for begin in range(0, tests, TESTS_PER_FILE):
        end = min(begin + TESTS_PER_FILE, tests)
        (root / f"test_{begin // TESTS_PER_FILE:02}.py").write_text(MODULE.format(begin=begin, end=end))


def start(root: Path, arguments: list[str]) -> subprocess.Popen[str]:
    """Start pytest in a process group of its own."""
    command = [sys.executable, "-m", "pytest", *arguments]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "COV_"))}
    return subprocess.Popen(
        command,
        cwd=root,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def finished(root: Path, before: set[Path]) -> int:
    """Return how many tests are in the journal that is not among those `before`."""
    new = set((root / ".pytest_cache/d/rustpar/runs").glob("*.jsonl")) - before
    return sum(path.read_text(errors="replace").count('"e":"teardown"') for path in new)


def processes_of(leader: int) -> list[int]:
    """Return the processes in the session of `leader`, except itself."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[3]) == leader and int(stat.parent.name) != leader:
                found.append(int(stat.parent.name))
    return sorted(found)


def kill_at(root: Path, arguments: list[str], moment: int, victim: str) -> bool:
    """Kill a run when so many tests have finished; return whether it was killed before its end."""
    before = set((root / ".pytest_cache/d/rustpar/runs").glob("*.jsonl"))
    run = start(root, arguments)
    while run.poll() is None and finished(root, before) < moment:
        time.sleep(0.002)
    with contextlib.suppress(ProcessLookupError):
        if victim == "everything":
            os.killpg(run.pid, signal.SIGKILL)
        elif victim == "controller":
            os.kill(run.pid, signal.SIGKILL)
        elif victim == "interrupt":
            os.kill(run.pid, signal.SIGINT)
        else:
            # The oldest child: the fork server, or the template after it has exited.
            os.kill(processes_of(run.pid)[0], signal.SIGKILL)
    run.communicate(timeout=120)
    return run.returncode not in (0, 1)


def results(path: Path) -> tuple[dict[str, str], dict[tuple[str, str], list[str]]]:
    """Return the numbers of a JUnit file, and what it says of each test, without times, directory and workers."""
    suite = next(iter(ET.parse(path).getroot().iter("testsuite")))
    numbers = {name: suite.attrib[name] for name in ("errors", "failures", "skipped", "tests")}
    cases: dict[tuple[str, str], list[str]] = {}
    for case in suite.iter("testcase"):
        text = "".join(ET.tostring(child, encoding="unicode") for child in case)
        text = re.sub(r"\[gw\d+\]|0x[0-9a-f]+", "", text.replace(str(path.parent), ""))
        cases.setdefault((case.get("classname", ""), case.get("name", "")), []).append(text)
    return numbers, cases


def lines(path: Path) -> dict[str, set[tuple[int, ...]]]:
    """Return the arcs or lines of each file in a coverage data file."""
    from coverage import CoverageData

    data = CoverageData(basename=str(path))
    data.read()
    measured: dict[str, set[tuple[int, ...]]] = {}
    for file in data.measured_files():
        measured[Path(file).name] = {*(data.arcs(file) or ()), *((line,) for line in data.lines(file) or ())}
    return measured


def outcome(root: Path, arguments: list[str]) -> tuple[object, ...]:
    """Run to the end; return the exit status, the summary, the results and the measured lines."""
    run = start(root, [*arguments, "--junitxml=junit.xml"])
    text, _ = run.communicate(timeout=300)
    summary = re.sub(r" in [\d.]+s.*", "", text.strip().splitlines()[-1].strip("= "))
    measured = lines(root / ".coverage") if (root / ".coverage").exists() else {}
    return run.returncode, Counter(re.split(", ", summary)), results(root / "junit.xml"), measured, text


def differing_cases(expected: object, found: object) -> list[str]:
    """Return the first tests whose results differ, with both results."""
    (_, one), (_, other) = expected, found  # type: ignore[misc]
    names = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    return [f"{name}: {one.get(name)} != {other.get(name)}"[:600] for name in names[:3]]


def trial(number: int, tests: int, source: random.Random, expected: tuple[object, ...]) -> bool:
    """Kill and resume a run; print what differs. Returns whether nothing does."""
    mode = source.choice([["-n2"], ["-n3"], ["-n2", "--rustpar-start=early"], ["-n2", "--dist=loadfile"]])
    victims = [source.choice(["controller", "everything", "server", "interrupt"])]
    moments = [source.randrange(tests)]
    if source.random() < 1 / 3:
        victims.append(source.choice(["controller", "everything"]))
        moments.append(source.randrange(moments[0], tests))
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        make_suite(root, tests)
        arguments = ["--cov=app", "--cov-branch", "--cov-report=", *mode]
        killed = [
            kill_at(root, [*arguments, *(["--rustpar-resume"] if kill else [])], moment, victim)
            for kill, (moment, victim) in enumerate(zip(moments, victims, strict=True))
        ]
        found = outcome(root, [*arguments, "--rustpar-resume"])
        left = [path.name for path in root.glob(".coverage.*")]
    names = ("exit status", "summary", "results", "lines")
    differ = [name for name, one, other in zip(names, expected[:4], found[:4], strict=True) if one != other]
    header = re.search(r"(?:resumed|nothing to resume): .*", str(found[4]))
    print(
        f"{number:2}  {' '.join(mode):28} {', '.join(f'{v} at {m}' for v, m in zip(victims, moments, strict=True)):40} "
        f"{'killed' if all(killed) else 'ended before'}; {header[0] if header else 'no header'}; "
        f"{'differs: ' + ', '.join(differ) if differ else 'equal'}{f'; left: {left}' if left else ''}",
        flush=True,
    )
    if "results" in differ:
        for line in differing_cases(expected[2], found[2]):
            print(f"    {line}")
    return not differ and not left


def main() -> int:
    """Run the trials."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moments", type=int, default=20, help="how many runs are killed (default: 20)")
    parser.add_argument("--tests", type=int, default=2000, help="how many tests a run has (default: 2000)")
    parser.add_argument("--seed", type=int, default=1, help="of the random moments (default: 1)")
    options = parser.parse_args()
    print(f"seed {options.seed}, SQLite {sqlite3.sqlite_version}")
    with tempfile.TemporaryDirectory() as directory:
        make_suite(Path(directory), options.tests)
        expected = outcome(Path(directory), ["--cov=app", "--cov-branch", "--cov-report=", "-n2"])
    source = random.Random(options.seed)
    return sum(not trial(number, options.tests, source, expected) for number in range(1, options.moments + 1))


if __name__ == "__main__":
    sys.exit(main())
