"""``--rustpar-load`` and the mark ``load``: profiles, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Suite

LOAD = """
import pytest

@pytest.mark.load({})
def test_it(load):
    pass
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (LOAD.format("users=2"), "how long it takes is missing"),
        (LOAD.format("duration='1s'"), "how much is missing"),
        (LOAD.format("users=2, duration='soon'"), "invalid duration 'soon'"),
        (LOAD.format("users='x', duration='1s'"), "invalid value in the mark load"),
        (LOAD.format("50, duration='1s'"), "an argument without a name, 50"),
        (LOAD.format("users=2, time='1s'"), "an unknown argument, time"),
        (LOAD.format("users=2, duration='1s', stages=[('1s', 2)]"), "contradict each other"),
        (LOAD.format("users=2, duration='1s', thresholds='p(95)<500'"), "a duration with a unit"),
        (LOAD.format("users=2, duration='1s', abort='error_rate>1%'"), "for 10s"),
        (LOAD.format("users=2, duration='1s', think='3s..1s'"), "invalid pause"),
        (LOAD.format("users=2, duration='1s', weight=0"), "invalid weight 0"),
        (LOAD.format("users=2, duration='1s', seed=-1"), "invalid value in the mark load"),
        (LOAD.format("users=float('inf'), duration='1s'"), "finite"),
        (
            "import pytest\n@pytest.mark.xfail(raises=KeyError)" + LOAD.format("users=2, iterations=2")[14:],
            "omit raises",
        ),
        (
            "import pytest\n@pytest.mark.load(users=1, iterations=1)\nclass TestIt:\n"
            "    @pytest.mark.xfail\n    def test_it(self): pass\n",
            "write it on the class",
        ),
        (LOAD.format("users=2, duration='1s', sequence=True"), "sequence=True is for a class"),
        (LOAD.format("users=2, duration='1s'").replace("(load)", "(capsys)"), "the fixture capsys is of the whole"),
        (LOAD.format("users=2, duration='1s'").replace("(load)", "(monkeypatch)"), "the fixture monkeypatch is of"),
        (
            "import pytest, unittest\n@pytest.mark.load(users=1, iterations=1)\nclass TestIt(unittest.TestCase):\n"
            "    def test_it(self): pass\n",
            "only functions",
        ),
        (
            "import pytest\n@pytest.mark.load(users=1, iterations=1, sequence=True)\nclass TestIt:\n"
            "    @pytest.mark.load(weight=2)\n    def test_it(self): pass\n",
            "omit weight",
        ),
        (
            "import pytest\n@pytest.mark.load(users=1, iterations=1)\nclass TestIt:\n"
            "    def test_it(self): pass\n    async def test_other(self): pass\n",
            "either all async def, or none is",
        ),
    ],
)
def test_a_mark_that_cannot_be_run_is_a_usage_error(suite: Suite, text: str, expected: str) -> None:
    suite.test(text)
    run = suite.run("--rustpar-load")
    assert run.ret == pytest.ExitCode.USAGE_ERROR, run.text
    assert expected in run.text
    assert "Traceback" not in run.text


def test_options_that_contradict_load_tests_are_refused(suite: Suite) -> None:
    arguments = {
        "none": ["-n0"],
        "repeat": ["-n2", "--rustpar-repeat=2"],
        "forked": ["-n2", "--rustpar-forked"],
        "debugger": ["-n2", "--pdb"],
        "engine": ["-n2", "--rustpar-start=xdist"],
        "profile": ["-n2", "--rustpar-load=peak"],
        "xdist": ["-p", "no:xdist"],
    }
    for name in arguments:
        suite.part(name).test(LOAD.format("users=2, iterations=2"))
    runs = suite.run_each({name: ["--rustpar-load", *given] for name, given in arguments.items()})
    assert {run.ret for run in runs.values()} == {pytest.ExitCode.USAGE_ERROR}
    for name, expected in {
        "none": "use -n 1",
        "repeat": "does not work with --rustpar-repeat",
        "forked": "does not work with --rustpar-forked",
        "debugger": "does not work with --pdb",
        "engine": "does not work here",
        "profile": "unknown load profile 'peak': use load, smoke",
        "xdist": "omit -p no:xdist",
    }.items():
        assert expected in runs[name].text, runs[name].text


def test_a_path_is_not_a_profile(suite: Suite) -> None:
    suite.test(LOAD.format("users=2, iterations=2"))
    for path in ("test_it.py", "test_it.py::test_it"):
        run = suite.run("--rustpar-load", path)
        assert run.ret == pytest.ExitCode.USAGE_ERROR
        assert f"write --rustpar-load=load {path}" in run.text


def test_examples_of_a_marked_module_are_no_load_tests(suite: Suite) -> None:
    suite.test(
        """
        import pytest

        pytestmark = pytest.mark.load(users=1, iterations=2)

        def twice(number):
            '''
            >>> twice(2)
            4
            '''
            return 2 * number

        def test_it():
            assert twice(1) == 2
        """
    )
    run = suite.run("--rustpar-load", "--doctest-modules")
    assert run.counts() == {"passed": 1, "deselected": 1}, run.text


def test_profiles_change_the_load(suite: Suite) -> None:
    suite.write(
        {
            "pytest.ini": "[pytest]\nrustpar_load_profiles =\n    short: 0.2s>4, 0.2s@200%\n    open: 0.2s@50\n",
            "test_it.py": LOAD.format("users=3, duration='60s'"),
        }
    )
    run = suite.run("--rustpar-load=short")
    assert run.counts() == {"passed": 1}, run.text
    assert "up to 6 users in 2 stages for 400 ms" in run.out
    suite.test(LOAD.format("rate=10, duration='60s'"))
    run = suite.run("--rustpar-load=open")
    assert run.counts() == {"passed": 1}, run.text
    assert "50 iterations/s for 200 ms" in run.out


def test_a_run_without_load_tests_has_collected_none(suite: Suite) -> None:
    suite.test("def test_it(): pass")
    run = suite.run("--rustpar-load")
    assert run.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert run.counts() == {"deselected": 1}


def test_time_limits_are_not_those_of_load_tests(suite: Suite) -> None:
    suite.test(LOAD.format("users=1, duration='1500ms'"))
    run = suite.run("--rustpar-load", "--rustpar-timeout=1")
    assert run.counts() == {"passed": 1}, run.text


def test_a_serial_test_is_a_load_test_like_others(suite: Suite) -> None:
    suite.test(LOAD.format("users=4, iterations=10").replace("@", "@pytest.mark.serial\n@", 1))
    assert suite.run("--rustpar-load", "--rustpar-order=slow,rest").counts()["passed"] == 1
