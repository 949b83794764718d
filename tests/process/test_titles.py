"""The process title of a worker, which xdist sets if setproctitle is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Suite

# A replacement for setproctitle, which is not installed for the project's tests.
SETPROCTITLE = """
    import os

    def getproctitle():
        RAISE

    def setproctitle(title):
        with open(f"titles-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}", "a") as file:
            file.write(title + "\\n")
        RAISE
"""

TESTS = """
    import pytest

    @pytest.mark.parametrize("n", range(4))
    def test_it(n): pass
"""


@pytest.mark.parametrize("run_mode", ["template", "early", "xdist"])
@pytest.mark.parametrize("raises", ["pass", "raise OSError"])
def test_workers_have_titles(suite: Suite, run_mode: str, raises: str) -> None:
    suite.write({"setproctitle.py": SETPROCTITLE.replace("RAISE", raises)})
    suite.test(TESTS)
    run = suite.run_with({"PYTHONPATH": str(suite.path)}, f"--rustpar-start={run_mode}")
    assert run.counts() == {"passed": 4}
    titles = []
    for path in suite.path.glob("titles-*"):
        assert path.name in ("titles-gw0", "titles-gw1")
        shown = path.read_text().splitlines()
        assert shown[1::2] == ["[pytest-xdist idle]"] * (len(shown) // 2)
        titles += shown[::2]
    assert sorted(titles) == [f"[pytest-xdist running] test_it.py::test_it[{n}]" for n in range(4)]
