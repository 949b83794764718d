"""``--junitxml`` writes the same file as plain pytest."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

if TYPE_CHECKING:
    from tests.harness import Suite


def read(suite: Suite) -> ElementTree.Element:
    root = ElementTree.parse(suite.path / "out.xml").getroot()
    found = root.find("testsuite")
    assert found is not None
    return found


def cases(element: ElementTree.Element) -> set[tuple[str | None, str | None, tuple[str, ...]]]:
    return {
        (case.get("classname"), case.get("name"), tuple(sorted(child.tag for child in case)))
        for case in element.iter("testcase")
    }


def test_the_file_lists_the_cases_of_plain_pytest(suite: Suite) -> None:
    suite.test(
        """
        import pytest

        def test_passes(): pass
        def test_fails(): assert 0
        def test_skips(): pytest.skip()

        @pytest.mark.xfail
        def test_xfails(): assert 0

        @pytest.fixture
        def broken(): raise ValueError

        @pytest.fixture
        def broken_late():
            yield
            raise ValueError

        def test_errs(broken): pass
        def test_errs_late(broken_late): pass
        def test_fails_and_errs_late(broken_late): assert 0

        class TestClass:
            @pytest.mark.parametrize("x", ["a.b", "c/d"])
            def test_it(self, x): print("printed")
        """
    )
    suite.plain("--junitxml=out.xml")
    plain = read(suite)
    suite.run("--junitxml=out.xml")
    ours = read(suite)
    assert cases(ours) == cases(plain)
    for name in ("errors", "failures", "skipped", "tests"):
        assert ours.get(name) == plain.get(name), name


def test_properties_of_tests_are_kept(suite: Suite) -> None:
    suite.test(
        """
        def test_it(record_property, record_xml_attribute):
            record_property("key", "value")
            record_property("number", 4)
            record_xml_attribute("assertions", "7")
        """
    )
    assert suite.run("--junitxml=out.xml", "-W", "ignore").ret == 0
    (case,) = read(suite).iter("testcase")
    assert [(p.get("name"), p.get("value")) for p in case.iter("property")] == [
        ("key", "value"),
        ("number", "4"),
    ]


def test_properties_of_the_suite_are_kept(suite: Suite) -> None:
    suite.test(
        """
        import pytest

        @pytest.fixture(scope="session", autouse=True)
        def about(record_testsuite_property):
            record_testsuite_property("arch", "PPC")

        def test_it(record_testsuite_property): record_testsuite_property("count", 3)
        """
    )
    assert suite.run("--junitxml=out.xml", n="1").ret == 0
    properties = read(suite).find("properties")
    assert properties is not None
    assert [(p.get("name"), p.get("value")) for p in properties] == [("arch", "PPC"), ("count", "3")]


def test_a_property_of_the_suite_that_every_worker_records_is_kept_once(suite: Suite) -> None:
    suite.test(
        """
        import pytest
        from support import meet

        @pytest.fixture(scope="session", autouse=True)
        def about(record_testsuite_property):
            record_testsuite_property("arch", "PPC")
            record_testsuite_property("twice", 2)
            record_testsuite_property("twice", 2)

        def test_one(): meet("one", "two")
        def test_two(): meet("two", "one")
        """
    )
    assert suite.run("--junitxml=out.xml").ret == 0
    properties = read(suite).find("properties")
    assert properties is not None
    found = [(p.get("name"), p.get("value")) for p in properties]
    assert found == [("arch", "PPC"), ("twice", "2"), ("twice", "2")]


def test_a_suite_property_needs_a_string_as_its_name(suite: Suite) -> None:
    suite.test("def test_it(record_testsuite_property): record_testsuite_property(5, 'x')\n")
    assert "TypeError" in suite.run("--junitxml=out.xml").report("test_it")["longrepr"]


def properties(element: ElementTree.Element) -> dict[str | None, list[tuple[str | None, str | None]]]:
    """Return the properties of each test, and those of the suite under the key None."""
    found = {
        case.get("name"): [(p.get("name"), p.get("value")) for p in case.iter("property")]
        for case in element.iter("testcase")
    }
    return found | {None: [(p.get("name"), p.get("value")) for p in element.findall("./properties/property")]}


@pytest.mark.parametrize("family", ["xunit1", "xunit2"])
def test_properties_are_placed_as_in_plain_pytest_for_every_outcome(suite: Suite, family: str) -> None:
    suite.test(
        """
        import pytest

        @pytest.fixture(scope="session", autouse=True)
        def about(record_testsuite_property):
            record_testsuite_property("arch", "PPC <&> \u2028")

        @pytest.fixture
        def late(record_property):
            yield
            record_property("when", "teardown")
            raise ValueError

        def test_passes(record_property): record_property("key", "\x1b[0m")
        def test_fails(record_property):
            record_property("key", 1)
            record_property("key", 2)
            assert 0
        def test_errs(late, record_property): record_property("key", "value")
        def test_skips(record_property):
            record_property("key", "value")
            pytest.skip()
        @pytest.mark.xfail
        def test_xfails(record_property):
            record_property("key", "value")
            assert 0
        """
    )
    options = ("--junitxml=out.xml", "-W", "ignore", "-o", f"junit_family={family}")
    suite.plain(*options)
    plain = properties(read(suite))
    suite.run(*options)
    assert properties(read(suite)) == plain
    assert all(plain.values())


def test_a_crashed_test_is_in_the_file(suite: Suite) -> None:
    suite.test("import os\ndef test_bad(): os._exit(1)\ndef test_good(): pass\n")
    suite.run("--junitxml=out.xml")
    element = read(suite)
    assert int(element.get("failures", 0)) + int(element.get("errors", 0)) == 1
    assert "crashed while running" in ElementTree.tostring(element, "unicode")


def test_captured_output_is_in_the_file_when_asked_for(suite: Suite) -> None:
    suite.test("def test_it(): print('a printed word')\n")
    suite.run("--junitxml=out.xml", "-o", "junit_logging=all")
    (out,) = read(suite).iter("system-out")
    assert "a printed word" in (out.text or "")
