"""The suites of chaos rounds: about 60 tests of a few milliseconds, whose outcomes are known."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# The variable with the number of the descriptor to which tests and reports are written. It is a pipe: limits on files
# and full disks do not apply to it.
RECORDS = "CHAOS_RECORDS"

# The tests write when they begin, and the process that was started writes each report.
_RECORDER = f"""
    import json
    import os

    DESCRIPTOR = int(os.environ["{RECORDS}"])

    def record(*fields):
        os.write(DESCRIPTOR, (json.dumps(fields) + "\\n").encode())

    def pytest_configure(config):
        if not hasattr(config, "workerinput"):
            config.pluginmanager.register(Reports())

    def pytest_runtest_setup(item):
        record("begun", item.nodeid, os.getpid())

    class Reports:
        def pytest_runtest_logreport(self, report):
            record("report", report.nodeid, report.when, report.outcome)
"""

_MODULE = """
    import time
    import pytest

    KEPT = []

    @pytest.fixture(scope="session")
    def for_session():
        yield 1

    @pytest.fixture(scope="module")
    def for_module(for_session):
        time.sleep(0.005)
        yield for_session + 1

    @pytest.mark.xdist_group("GROUP")
    @pytest.mark.parametrize("n", range(TESTS))
    def test_it(n, FIXTURES):
        time.sleep(SECONDS)
        KEPT.append(b"x" * KEEPS)
        if n == SKIPPED:
            pytest.skip("on purpose")
        assert n != FAILED
"""


@dataclass(frozen=True)
class Shape:
    """The shape of a suite.

    Attributes:
        modules: The number of test modules.
        tests: The number of tests in each module.
        seconds: How long a test sleeps.
        fixtures: The fixtures of each test: of the first module alone, or of all.
        keeps: Bytes that each test allocates and keeps.
        fails: Whether one test fails.
    """

    modules: int
    tests: int
    seconds: float
    fixtures: bool
    keeps: int
    fails: bool

    def expected(self) -> dict[str, str]:
        """Return the outcome of each test by node id."""
        found = {
            f"test_{module}.py::test_it[{n}]": "passed" for module in range(self.modules) for n in range(self.tests)
        }
        found["test_0.py::test_it[1]"] = "skipped"
        if self.fails:
            found[f"test_{self.modules - 1}.py::test_it[{self.tests // 2}]"] = "failed"
        return found

    def write(self, directory: Path) -> None:
        """Write the suite and its recorder to a directory."""
        (directory / "recorder.py").write_text(textwrap.dedent(_RECORDER))
        for module in range(self.modules):
            is_last = module == self.modules - 1
            values = {
                "GROUP": str(module % 2),
                "TESTS": str(self.tests),
                "FIXTURES": "for_module" if self.fixtures or module == 0 else "request",
                "SECONDS": str(self.seconds),
                "KEEPS": str(self.keeps),
                "SKIPPED": str(1 if module == 0 else -1),
                "FAILED": str(self.tests // 2 if self.fails and is_last else -1),
            }
            text = textwrap.dedent(_MODULE)
            for name, value in values.items():
                text = text.replace(name, value)
            (directory / f"test_{module}.py").write_text(text)
