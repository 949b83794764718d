"""`rustpar report --junit`, compared with pytest's own `--junitxml` for the same run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.reportfiles import (
    EVERY_OUTCOME,
    check_junit,
    ctrf,
    junit_suites,
    output_of,
    trace,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import Suite


def cases(path: Path) -> Counter[tuple[str, str, tuple[str, ...]]]:
    """Return class name, name and contents of all cases in a JUnit XML file."""
    found = [case for suite in junit_suites(path) for case in suite.iter("testcase")]
    return Counter((case.get("classname"), case.get("name"), tuple(child.tag for child in case)) for case in found)


def without_output(cases: Counter[tuple[str, str, tuple[str, ...]]]) -> Counter[tuple[str, str, tuple[str, ...]]]:
    """Return all cases without captured output, which pytest omits by default."""
    return Counter(
        (classname, name, tuple(tag for tag in tags if not tag.startswith("system-")))
        for classname, name, tags in cases.elements()
    )


def attributes(path: Path, *names: str) -> list[Any]:
    """Return the attributes of the only suite in a JUnit XML file."""
    (suite,) = junit_suites(path)
    return [suite.get(name) for name in names]


@pytest.mark.parametrize("n", [None, "2"])
def test_cases_and_counts_match_pytests_own_junit_file(suite: Suite, n: str | None) -> None:
    suite.test(EVERY_OUTCOME)
    suite.write({"pkg/test_dotted.py": "def test_it(): pass\n", "test_broken.py": "import nothing_like_it\n"})
    suite.write({"test_left_out.py": "import pytest\npytest.importorskip('nothing_like_it')\n"})
    arguments = ("--continue-on-collection-errors", "--junitxml=own.xml")
    assert suite.run(*arguments, n=n).ret == 1
    output_of(suite, "report", "--junit=ours.xml")
    own, ours = suite.path / "own.xml", suite.path / "ours.xml"
    assert without_output(cases(ours)) == cases(own)
    counted = ("tests", "errors", "failures", "skipped", "name", "hostname")
    assert attributes(ours, *counted) == attributes(own, *counted)
    check_junit(ours)


@pytest.mark.parametrize("n", [None, "2"])
def test_subtests_match_pytests_own_junit_file(suite: Suite, n: str | None) -> None:
    if not hasattr(pytest, "Subtests"):
        pytest.skip("this pytest has no subtests of its own")
    suite.test(
        """
        import unittest
        import pytest

        class Case(unittest.TestCase):
            def test_parts(self):
                for number in range(3):
                    with self.subTest(number=number):
                        if number == 2:
                            self.skipTest("too many")
                        assert number == 0

        def test_others(subtests):
            with subtests.test("fails"): assert 0
            with subtests.test("passes"): pass
            with subtests.test("is skipped"): pytest.skip("why not")
        """
    )
    run = suite.run("--junitxml=own.xml", n=n)
    output_of(suite, "report", "--junit=ours.xml")
    own, ours = suite.path / "own.xml", suite.path / "ours.xml"
    assert without_output(cases(ours)) == cases(own)
    assert attributes(ours, "failures", "skipped") == attributes(own, "failures", "skipped")
    assert run.counts() == {"passed": 1, "failed": 3}
    assert "\n1 passed, 3 failed in" in output_of(suite, "report")


def problems_in(path: Path) -> Counter[tuple[str, ...]]:
    """Return test, kind, message and text of each failure, error and skip in a JUnit XML file."""
    found = []
    for suite in junit_suites(path):
        for case in suite.iter("testcase"):
            for trouble in case.iter("failure", "error", "skipped"):
                found.append((case.get("name"), trouble.tag, trouble.get("message"), trouble.text or ""))
    return Counter(found)


@pytest.mark.parametrize("n", [None, "2"])
def test_messages_and_texts_match_pytests_own_junit_file(suite: Suite, n: str | None) -> None:
    suite.test(
        """
        import pytest
        import unittest

        def test_lines(): assert {"one": 1, "two": [1, 2]} == {"one": 2, "two": [1, 2]}
        def test_surrogate(): assert False, "lone \\ud800 here"
        def test_without_traceback(): pytest.fail("first\\nsecond", pytrace=False)

        @pytest.fixture
        def early(): raise ValueError("early\\nand more")

        @pytest.fixture
        def late():
            yield
            raise ValueError("late\\nand more")

        def test_early(early): pass
        def test_late(late): pass
        def test_both(late): assert 0

        @pytest.mark.xfail(strict=True, reason="known")
        def test_strict(): pass

        @pytest.mark.xfail(reason="lone \\udcff")
        def test_xfails(): assert 0

        class TestUnit(unittest.TestCase):
            def test_subtests(self):
                for number in range(3):
                    with self.subTest(number=number):
                        self.assertEqual(number, 1)
        """
    )
    suite.run("--junitxml=own.xml", n=n)
    output_of(suite, "report", "--junit=ours.xml")
    own, ours = suite.path / "own.xml", suite.path / "ours.xml"
    assert problems_in(ours) == problems_in(own)
    assert attributes(ours, "errors", "failures", "skipped") == attributes(own, "errors", "failures", "skipped")


def test_brackets_in_a_directory_are_not_parameters(suite: Suite) -> None:
    suite.write({"app/[id]/test_b.py": "def test_it(): pass\nclass TestIt:\n    def test_it(self): pass\n"})
    suite.run()
    output_of(suite, "report", "--junit=out.xml", "--ctrf=out.json")
    assert cases(suite.path / "out.xml") == {
        ("app.[id].test_b", "test_it", ()): 1,
        ("app.[id].test_b.TestIt", "test_it", ()): 1,
    }
    tests = ctrf(suite.path / "out.json")["tests"]
    assert {(test["filePath"], test["name"]) for test in tests} == {("app/[id]/test_b.py", "test_it")}
    assert sorted(test["suite"] for test in tests) == [["app/[id]/test_b.py"], ["app/[id]/test_b.py", "TestIt"]]


def test_characters_invalid_in_xml_are_escaped_like_pytest_does(suite: Suite) -> None:
    suite.test(EVERY_OUTCOME)
    suite.run("-k", "test_fails")
    output_of(suite, "report", "--junit=out.xml")
    (found,) = junit_suites(suite.path / "out.xml")
    assert any("printed #x1B[31m & <x> #x00" in out.text for out in found.iter("system-out"))


def test_junit_has_properties_of_tests_and_of_the_suite(suite: Suite) -> None:
    suite.test(
        """
        def test_it(record_property, record_testsuite_property):
            record_property("key", 'a "value"\\n<of> two lines')
            record_testsuite_property("arch", "PPC")
        """
    )
    suite.run("--junitxml=own.xml", "-W", "ignore")
    output_of(suite, "report", "--junit=ours.xml")
    found = []
    for name in ("own.xml", "ours.xml"):
        (element,) = junit_suites(suite.path / name)
        properties = [(p.getparent().getparent().tag, p.get("name"), p.get("value")) for p in element.iter("property")]
        found.append(properties)
    assert found[0] == found[1]
    assert len(found[0]) == 2


def test_a_crash_is_one_error_in_junit_and_an_instant_in_the_trace(suite: Suite) -> None:
    suite.test("import os\ndef test_bad(): os._exit(3)\ndef test_good(): pass\n")
    suite.run("--junitxml=own.xml")
    output_of(suite, "report", "--junit=ours.xml", "--trace=trace.json", "--ctrf=ctrf.json")
    own, ours = suite.path / "own.xml", suite.path / "ours.xml"
    assert cases(ours) == cases(own)
    assert attributes(ours, "tests", "errors") == attributes(own, "tests", "errors") == ["2", "1"]
    (instant,) = [event for event in trace(suite.path / "trace.json") if event["ph"] == "i"]
    assert instant["args"] == {"status": 3, "test": "test_it.py::test_bad"}
    statuses = {test["name"]: test["rawStatus"] for test in ctrf(suite.path / "ctrf.json")["tests"]}
    assert statuses == {"test_bad": "crashed", "test_good": "passed"}


def test_a_test_that_fails_and_is_skipped_in_teardown_is_one_case(suite: Suite) -> None:
    suite.test(
        """
        import pytest

        @pytest.fixture
        def leaves():
            yield
            pytest.skip("no more")

        def test_it(leaves): assert 0
        """
    )
    suite.run("--junitxml=own.xml")
    output_of(suite, "report", "--junit=ours.xml")
    own, ours = cases(suite.path / "own.xml"), cases(suite.path / "ours.xml")
    assert without_output(ours) == own == {("test_it", "test_it", ("failure", "skipped")): 1}
