"""Many shapes of a suite in one run: each is in a file of its own, which the reasons for early workers name."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.harness import Run, Suite

# The maximum number of shapes in one run: rustpar lists 20 reasons.
PER_RUN = 18

TESTS = "def test_one(): pass\ndef test_two(): pass\n"


def reasons_by_file(run: Run) -> dict[str, list[str]]:
    """Return the reasons for early workers that a run with `-v` has listed, by the file that they name."""
    assert run.ret == 0, run.text
    found: dict[str, list[str]] = {}
    for line in run.lines:
        if line.startswith("rustpar:") and re.search(r"start: \w+ \(|:   and ", line):
            reason = re.search(r"(?:\(|  and )([\w/]+\.py):\d+ (.*?)\)?$", line)
            assert reason, line
            found.setdefault(reason[1], []).append(reason[2])
    assert run.start() == ("early" if found else "template"), run.text
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
