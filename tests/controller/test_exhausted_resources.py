"""Runs for which the system has too few descriptors or too little memory end with one line."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.harness import RUN_LIMIT

if TYPE_CHECKING:
    from tests.harness import Suite


@pytest.mark.parametrize("start", ["template", "early"])
def test_too_few_descriptors_end_the_run_with_one_line(suite: Suite, start: str) -> None:
    suite.test("import pytest\n@pytest.mark.parametrize('n', range(9))\ndef test_it(n): pass\n")
    said = []
    for limit in (20, 23, 32):
        command = f"ulimit -n {limit}; exec {sys.executable} -m pytest -n 3 --rustpar-start={start}"
        done = subprocess.run(["sh", "-c", command], cwd=suite.path, capture_output=True, text=True, timeout=RUN_LIMIT)
        text = done.stdout + done.stderr
        if done.returncode == 0:
            assert "9 passed" in text
            continue
        assert "INTERNALERROR" not in text, text
        assert "rustpar/" not in text, text
        said += [line for line in text.splitlines() if "could not start" in line]
    assert said


def test_what_ends_a_run_is_reported_if_versions_of_plugins_cannot_be_read(suite: Suite) -> None:
    suite.conftest(
        """
        import importlib.metadata
        import pytest

        def pytest_addoption(parser):
            parser.addoption("--end", action="store_true")

        def fail(self, name, read=importlib.metadata.PathDistribution.read_text):
            if "xdist" in str(self._path):
                raise OSError(24, "Too many open files")
            return read(self, name)

        def pytest_configure():
            importlib.metadata.PathDistribution.read_text = fail

        @pytest.hookimpl(trylast=True)
        def pytest_sessionstart(session):
            if session.config.getoption("end") and not hasattr(session.config, "workerinput"):
                pytest.exit("no more files", returncode=7)
        """
    )
    suite.test("def test_it(): pass")
    for n in ("2", None):
        run = suite.run("--no-header", n=n)
        assert run.ret == 0, run.text
        run = suite.run("--no-header", "--end", n=n)
        assert run.ret == 7, run.text
        assert "no more files" in run.text
        assert "INTERNALERROR" not in run.text
