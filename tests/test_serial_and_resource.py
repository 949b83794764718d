"""The marks of tests that must not meet: what they say, and what is wrong with those that make no sense."""

from __future__ import annotations

import pytest

from tests.conftest import Suite

PRINTS_NEEDS = """
    from rustpar import needs

    def pytest_collection_finish(session):
        some = needs.needs_by_index(session.items)
        for index, item in enumerate(session.items):
            assert needs.needs_of(item) == some.get(index, needs.NOTHING)
            print("NEEDS", item.name, tuple(needs.needs_of(item)))
        print("LIMITS", needs.limits_of(session.config))
"""

WAYS = pytest.mark.parametrize(
    ("n", "arguments"),
    [(None, ()), ("2", ("--rustpar-start=template",)), ("2", ("--rustpar-start=early",))],
    ids=["plain", "template", "early"],
)


def needs(suite: Suite) -> dict[str, str]:
    """What each test needs, by its name."""
    suite.conftest(PRINTS_NEEDS)
    run = suite.run("-s", "--strict-markers", n=None)
    assert run.ret == 0, run.text
    lines = [line.split(" ", 2) for line in run.lines if line.startswith("NEEDS")]
    return {name: text for _, name, text in lines}


def test_marks_of_a_test_its_class_and_its_module_add_up(suite: Suite) -> None:
    suite.test(
        """
        import pytest
        pytestmark = pytest.mark.resource("module")

        def test_module(): pass

        @pytest.mark.serial
        @pytest.mark.resource("b", "a")
        def test_several(): pass

        @pytest.mark.resource("class", mode="read")
        class TestIt:
            @pytest.mark.resource("test")
            def test_class(self): pass

            @pytest.mark.parametrize("n", [pytest.param(1, marks=pytest.mark.resource("one")), 2])
            def test_parameter(self, n): pass
        """
    )
    assert needs(suite) == {
        "test_module": "(False, (('module', False),))",
        "test_several": "(True, (('a', False), ('b', False), ('module', False)))",
        "test_class": "(False, (('class', True), ('module', False), ('test', False)))",
        "test_parameter[1]": "(False, (('class', True), ('module', False), ('one', False)))",
        "test_parameter[2]": "(False, (('class', True), ('module', False)))",
    }


def test_a_resource_that_is_held_in_both_modes_is_held_exclusively(suite: Suite) -> None:
    suite.test(
        """
        import pytest

        @pytest.mark.resource("db", mode="read")
        @pytest.mark.resource("db")
        def test_inner(): pass

        @pytest.mark.resource("db")
        @pytest.mark.resource("db", mode="read")
        def test_outer(): pass

        @pytest.mark.resource("db", mode="read")
        @pytest.mark.resource("db", "log", mode="read")
        def test_read(): pass

        @pytest.mark.resource("db", mode="exclusive")
        def test_exclusive(): pass

        def test_free(): pass
        """
    )
    assert needs(suite) == {
        "test_inner": "(False, (('db', False),))",
        "test_outer": "(False, (('db', False),))",
        "test_read": "(False, (('db', True), ('log', True)))",
        "test_exclusive": "(False, (('db', False),))",
        "test_free": "(False, ())",
    }


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pytest.ini", "[pytest]\nrustpar_resources = db: 2, port-8080: 1\n"),
        ("pytest.ini", "[pytest]\nrustpar_resources =\n  db: 2,\n  port-8080 : 1\n"),
        ("pyproject.toml", '[tool.pytest.ini_options]\nrustpar_resources = "db: 2, port-8080: 1"\n'),
        ("pyproject.toml", '[tool.pytest.ini_options]\nrustpar_resources = ["db: 2", "port-8080: 1"]\n'),
    ],
    ids=["commas", "lines", "toml text", "toml list"],
)
def test_limits_are_read_from_lines_commas_and_lists(suite: Suite, file: str, text: str) -> None:
    (suite.path / file).write_text(text)
    suite.conftest(PRINTS_NEEDS)
    suite.test("def test_it(): pass\n")
    assert "LIMITS {'db': 2, 'port-8080': 1}" in suite.run("-s", n=None).out


def test_the_name_of_a_resource_may_contain_a_colon(suite: Suite) -> None:
    (suite.path / "pytest.ini").write_text("[pytest]\nrustpar_resources = localhost:8080: 3\n")
    suite.conftest(PRINTS_NEEDS)
    suite.test("def test_it(): pass\n")
    assert "LIMITS {'localhost:8080': 3}" in suite.run("-s", n=None).out


@pytest.mark.parametrize("value", ["db", "db:", ": 2", "db: 0", "db: -1", "db: many", "db: 1,,x: 2", "db: 1.5"])
def test_a_limit_that_makes_no_sense_is_one_line(suite: Suite, value: str) -> None:
    (suite.path / "pytest.ini").write_text(f"[pytest]\nrustpar_resources = {value}\n")
    suite.test("def test_it(): pass\n")
    run = suite.run()
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in run.text.splitlines() if line.strip()]
    assert line.startswith("ERROR: rustpar_resources = ")
    assert line.endswith("as in db: 2, port-8080: 1")


def test_two_limits_of_one_resource_are_an_error(suite: Suite) -> None:
    (suite.path / "pytest.ini").write_text("[pytest]\nrustpar_resources = db: 1, db: 2\n")
    suite.test("def test_it(): pass\n")
    run = suite.run(n=None)
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: rustpar_resources: db is there twice" in run.text


@WAYS
@pytest.mark.parametrize(
    ("mark", "words"),
    [
        ("resource", "names no resource"),
        ("resource()", "names no resource"),
        ("resource(mode='read')", "names no resource"),
        ("resource(7)", "cannot name a resource 7"),
        ("resource('db', ' ')", "cannot name a resource ' '"),
        ("resource('db', mode='write')", "knows no mode 'write'"),
        ("resource('db', mode=['read'])", "knows no mode ['read']"),
        ("resource('db', shared=True)", "knows no shared"),
        ("serial('db')", "takes no arguments"),
        ("serial(reason='db')", "takes no arguments"),
    ],
)
def test_a_mark_that_makes_no_sense_is_one_line_that_names_the_test(
    suite: Suite, mark: str, words: str, n: str | None, arguments: tuple[str, ...]
) -> None:
    suite.test(f"import pytest\ndef test_fine(): pass\n@pytest.mark.{mark}\ndef test_bad(): pass\n")
    run = suite.run(*arguments, n=n)
    assert run.ret == pytest.ExitCode.USAGE_ERROR, run.text
    assert run.reports == []
    assert "Traceback" not in run.text
    (line,) = [line for line in run.err.splitlines() if line.startswith("ERROR: ")]
    assert line.startswith("ERROR: test_it.py::test_bad: the mark ")
    assert words in line


def test_a_mark_without_arguments_in_brackets_is_fine(suite: Suite) -> None:
    suite.test("import pytest\n@pytest.mark.serial()\ndef test_it(): pass\n")
    assert needs(suite) == {"test_it": "(True, ())"}


@WAYS
def test_marked_tests_run_under_strict_markers(suite: Suite, n: str | None, arguments: tuple[str, ...]) -> None:
    suite.test(
        """
        import pytest

        @pytest.mark.serial
        def test_alone(): pass
        @pytest.mark.resource("db")
        def test_db(): pass
        def test_free(): pass
        """
    )
    run = suite.run("--strict-markers", "-W", "error", *arguments, n=n)
    assert run.counts() == {"passed": 3}
    assert run.ret == 0


def test_marked_tests_can_be_chosen_with_m(suite: Suite) -> None:
    suite.test("import pytest\n@pytest.mark.serial\ndef test_alone(): pass\ndef test_free(): pass\n")
    run = suite.run("-m", "not serial")
    assert run.counts() == {"passed": 1, "deselected": 1}


def test_the_markers_are_listed(suite: Suite) -> None:
    lines = suite.run("--markers", n=None).lines
    assert any(line.startswith("@pytest.mark.serial:") for line in lines)
    assert any(line.startswith("@pytest.mark.resource(name, ..., mode='exclusive'):") for line in lines)
