"""Many shapes of a suite in one run: each is in a file of its own, which the reasons for early workers name."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

from tests.suite_modules import ONE_TEST_PER_WORKER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.harness import ForkCase, Run, Suite

# The maximum number of shapes in one run: rustpar lists 20 reasons.
PER_RUN = 18

TESTS = "def test_one(): pass\ndef test_two(): pass\n"


def reasons(run: Run) -> list[str]:
    """Return all reasons for early workers that a run with `-v` has listed."""
    assert run.ret == 0, run.text
    lines = [line for line in run.lines if line.startswith("rustpar:")]
    found = [match[1] for line in lines if (match := re.search(r"(?:start: \w+ \(|:   and )(.*?)\)?$", line))]
    assert run.start() == ("early" if found else "template"), run.text
    return found


def reasons_by_file(run: Run) -> dict[str, list[str]]:
    """Return the reasons for early workers that a run with `-v` has listed, by the file that they name."""
    found: dict[str, list[str]] = {}
    for reason in reasons(run):
        place = re.fullmatch(r"([\w/]+\.py):\d+ (.*)", reason)
        assert place, reason
        found.setdefault(place[1], []).append(place[2])
    return found


def reasons_by_conftest(suite: Suite, conftests: Sequence[str], imports: str = "") -> dict[str, list[str]]:
    """Run each conftest in a package of its own; return the reasons for early workers that are in it."""
    found: dict[str, list[str]] = {}
    for begin in range(0, len(conftests), PER_RUN):
        packages = {f"shape{number}": text for number, text in enumerate(conftests)}
        packages = dict(list(packages.items())[begin : begin + PER_RUN])
        for package, conftest in packages.items():
            files = {"__init__": "", "conftest": imports + textwrap.dedent(conftest), "test_it": TESTS}
            suite.write({f"{package}/{name}.py": text for name, text in files.items()})
        # As arguments, so that pytest loads all conftests at the start.
        listed = reasons_by_file(suite.run("-v", *packages))
        for package, conftest in packages.items():
            reasons = listed.pop(f"{package}/conftest.py", [])
            found[conftest] = [reason.replace(f"{package}.conftest", "conftest") for reason in reasons]
        assert listed == {}
    return found


# A conftest whose function `use` calls those of all shapes.
USE_ALL = """
import sys
pytest_plugins = NAMES

def use(me):
    failed = {}
    for name in pytest_plugins:
        try:
            sys.modules[name].use(me)
        except BaseException as error:
            failed[name] = repr(error)
    assert failed == {}
"""


def run_plugins(fork_case: ForkCase, shapes: Mapping[str, str], n: int = 2) -> Run:
    """Compare pytest-xdist and rustpar with each shape as a plugin; return the run of rustpar.

    Each shape is a module with a function ``use(me)``, as in `ForkCase`. All of them are called in each worker.
    """
    files = {f"{name}.py": textwrap.dedent(text) for name, text in shapes.items()}
    files["conftest.py"] = USE_ALL.replace("NAMES", str(list(shapes)))
    files["test_it.py"] = "from conftest import use\n" + textwrap.dedent(ONE_TEST_PER_WORKER)
    xdist, rustpar = fork_case.compare(files, n)
    # Python 3.12 warns about forks in a process with threads, which xdist has.
    assert xdist.counts() | {"warnings": 0} == {"passed": n, "warnings": 0}, xdist.text
    return rustpar


def reasons_by_plugin(fork_case: ForkCase, shapes: Mapping[str, str], n: int = 2) -> dict[str, list[str]]:
    """Return the reasons for early workers by shape, each of which is a plugin as in `run_plugins`."""
    found = reasons_by_file(run_plugins(fork_case, shapes, n))
    return {file.removesuffix(".py"): found[file] for file in found}
