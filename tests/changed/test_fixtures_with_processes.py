"""Fixtures of a conftest that start processes: only the tests that use them depend on everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.changed.project import Case, check

if TYPE_CHECKING:
    from tests.harness import Suite

BOTH = "test_with test_without"

FIXTURE = """
import subprocess, sys
import pytest

@pytest.fixture
def server():
    return subprocess.run([sys.executable, "-c", ""])
"""

HELPERS = """
import subprocess, sys
import pytest

class Process:
    arguments = []
    def run(self): return subprocess.run([sys.executable, "-c", ""])

def start():
    return Process().run()

@pytest.fixture(scope="session")
def server():
    return start()
"""


# For type checkers, before the class exists.
TYPES = "from __future__ import annotations\nimport typing as t\nStart = t.Callable[..., 'Process']\n"


def case(conftest: str, expected: str, without: str = "def test_without(): pass\n", extra: str = "") -> Case:
    files = {
        "conftest.py": conftest,
        "data/x.json": "{}",
        "scripts/run.py": "",
        "pkg/__init__.py": "",
        "tests/test_with.py": "def test_with(server): pass\n",
        "tests/test_without.py": without,
        "tests/more.py": extra,
        "tests/test_pkg.py": "import pkg\ndef test_pkg(): pass\n",
    }
    return Case(files, {"pkg/__init__.py": "VALUE = 1\n"}, f"test_pkg {expected}")


def test_tests_that_do_not_use_them_depend_on_nothing_more(suite: Suite) -> None:
    indirect = FIXTURE + "\n@pytest.fixture\ndef client(server): pass\n"
    check(
        suite,
        {
            "fixture": case(FIXTURE, "test_with"),
            "helpers": case(HELPERS, "test_with"),
            "another-fixture": case(indirect, BOTH, "def test_without(client): pass\n"),
        },
    )


def test_code_that_runs_without_them_concerns_all_tests(suite: Suite) -> None:
    hook = "\ndef pytest_runtest_setup(): start()\n"
    alias = (
        "from subprocess import run as go\nimport sys, pytest\n@pytest.fixture\ndef server(): go([sys.executable])\n"
    )
    check(
        suite,
        {
            "autouse": case(FIXTURE.replace("fixture\n", "fixture(autouse=True)\n"), BOTH),
            "hook": case(HELPERS + hook, BOTH),
            "module": case(HELPERS + "\nSTARTED = start()\n", BOTH),
            "default": case(HELPERS + "\ndef later(started=start()): pass\n", BOTH),
            "decorator": case(HELPERS + "\n@print\ndef later(): start()\n", BOTH),
            "class": case(HELPERS + "\nclass Later:\n    started = start()\n", BOTH),
            "name": case(alias, BOTH),
            "annotation": case(TYPES + HELPERS, "test_with"),
            "imported": case(
                HELPERS, BOTH, extra="from conftest import start\n", without="import more\ndef test_without(): pass\n"
            ),
            "requested": case(FIXTURE, BOTH, "def test_without(request): request.getfixturevalue('ser' + 'ver')\n"),
            "named": case(
                FIXTURE, BOTH, "import pytest\n@pytest.mark.usefixtures('server')\ndef test_without(): pass\n"
            ),
        },
    )
